"""When pages go on from memory, and when they must not: only who cannot page beside another node does."""

import asyncio
from concurrent.futures import ThreadPoolExecutor

import pytest

from escalatord.core.events import Ack, Resolve
from escalatord.core.incident import Via
from escalatord.engine.batch import Batch
from escalatord.engine.commands import Answer, Ingest, RaiseIncident, Receipt
from escalatord.engine.footing import Footing
from escalatord.engine.lease import Lease
from escalatord.engine.outage import DOUBT_SECONDS, PATIENCE_SECONDS, Outage, Threads
from escalatord.engine.waiting import Waiting
from escalatord.errors import StoreUnavailableError
from escalatord.store.store import Store
from tests.fakes.paging import the_ruleset
from tests.fakes.stepped_clock import SteppedClock
from tests.store.samples import NOW

RAISE = RaiseIncident(title="trouble", person="ana", via=Via.WEB)
SILENT = StoreUnavailableError("the connection was lost")
REFUSED = StoreUnavailableError("the database server is shutting down", for_all=True)


class Ground:
    """An outage's watch over a database that fails as it is told."""

    def __init__(self, folder, *, shared, others):
        self.store = Store(f"sqlite:///{folder}/escalatord.db")
        self.store.open()
        self.store.database.shared = shared
        self.clock, self.error = SteppedClock(), None
        settle = self.store.settle

        def write(work):
            if self.error is not None:
                raise self.error
            return settle(work)

        self.store.settle = write
        self.footing = Footing(self.store)
        self.batch = Batch(self.footing, the_ruleset(), b"k" * 32)
        self.batch.refresh(NOW)
        self.lease = Lease(self.clock)
        self.threads = Threads(*(ThreadPoolExecutor(1) for _ in range(3)))
        self.outage = Outage(self.footing, self.batch, self.clock, self.lease, self.threads)
        self.outage.others = lambda: others
        (done,) = self.batch.commit((RAISE,), NOW).results
        self.number = done.incident.number

    async def fail(self, error, seconds=PATIENCE_SECONDS):
        """Let commits fail for so long."""
        self.error = error
        self.outage.failed(self.clock.monotonic(), error)
        await self.clock.pass_time(seconds)
        await self.outage._try()

    async def close(self):
        """Let go of everything."""
        await self.threads.close()
        self.store.close()


@pytest.mark.parametrize(
    ("shared", "others", "error", "degraded"),
    [
        pytest.param(False, False, SILENT, True, id="a process alone with its file goes on whatever the trouble is"),
        pytest.param(True, False, SILENT, True, id="so does a node that was the only one"),
        pytest.param(True, True, REFUSED, True, id="so does one of several when the server itself says no"),
        pytest.param(True, True, SILENT, False, id="but silence may mean that the others page"),
    ],
)
@pytest.mark.asyncio
async def test_who_may_go_on_from_memory(tmp_path, shared, others, error, degraded):
    """Two nodes must not page the same: one that is cut off leaves it to the others."""
    ground = Ground(tmp_path, shared=shared, others=others)
    await ground.fail(error)
    assert (ground.outage.degraded is not None) is degraded
    assert ground.lease.suspended is degraded
    await ground.close()


@pytest.mark.asyncio
async def test_a_short_trouble_is_waited_for(tmp_path):
    """Nothing changes before patience is at its end, and a write that succeeds ends the trouble."""
    ground = Ground(tmp_path, shared=False, others=False)
    await ground.fail(SILENT, PATIENCE_SECONDS - 1)
    assert ground.outage.degraded is None
    ground.error = None
    await ground.outage._try()
    await ground.fail(SILENT, PATIENCE_SECONDS - 1)
    assert ground.outage.degraded is None
    await ground.close()


@pytest.mark.asyncio
async def test_only_what_concerns_what_is_held_is_done_in_memory(tmp_path):
    """An ack of a held incident is; alerts, ends, and what is not held are refused, not answered wrongly."""
    ground = Ground(tmp_path, shared=False, others=False)
    await ground.fail(SILENT)
    ack, end = Ack(person="ana", via=Via.WEB), Resolve(person="ana", via=Via.WEB)
    done = Answer(incident=ground.number, event=ack)
    refused = [
        Answer(incident=99, event=ack),
        Answer(incident=ground.number, event=end),
        Receipt(reference="i99-1-0", status="delivered"),
        Receipt(reference="nonsense", status="delivered"),
        Ingest(source="am", alerts=()),
        RAISE,
    ]
    loop = asyncio.get_running_loop()
    waiting = [Waiting(command, loop.create_future()) for command in (done, *refused)]
    assert [each.command for each in ground.outage.admitted(waiting)] == [done]
    assert all(isinstance(each.future.exception(), StoreUnavailableError) for each in waiting[1:])
    await ground.close()


@pytest.mark.asyncio
async def test_what_memory_did_is_in_the_database_when_it_is_back_and_nothing_is_done_twice(tmp_path):
    """The database goes away again while it is carried over: the next try finishes, and repeats nothing."""
    ground = Ground(tmp_path, shared=False, others=False)
    await ground.fail(SILENT)
    ground.batch.commit((Answer(incident=ground.number, event=Ack(person="ana", via=Via.WEB)),), NOW)
    settle, calls = ground.store.settle, []

    def one_then_none(work):
        calls.append(work)
        if len(calls) == 3:  # the probe and the incident pass, what is told of it all does not
            raise SILENT
        return settle(work)

    ground.error, ground.store.settle = None, one_then_none
    await ground.outage._try()
    assert ground.outage.degraded is not None
    await ground.outage._try()
    assert ground.outage.degraded is None
    kinds = [row.entry.kind for row in ground.store.read(lambda tx: tx.journal_of(ground.number))]
    assert (kinds.count("acknowledged"), kinds.count("from_memory")) == (1, 1)
    assert ground.store.read(lambda tx: tx.verify(ground.number))
    assert [row.entry.kind for row in ground.store.read(lambda tx: tx.journal_of(0))].count("database_away") == 1
    await ground.close()


@pytest.mark.asyncio
async def test_what_nobody_here_sent_may_have_been_sent(tmp_path):
    """From memory beside other nodes everything is asked about; after a start, what is late or waited."""
    ground = Ground(tmp_path, shared=True, others=True)
    await ground.clock.pass_time(DOUBT_SECONDS)
    assert not ground.outage.doubts(late=True, waited_seconds=99.0)
    await ground.fail(REFUSED)
    assert ground.outage.doubts(late=False, waited_seconds=0.0)
    ground.error = None
    await ground.outage._try()
    assert ground.outage.doubts(late=False, waited_seconds=0.0), "another node may see as overdue what this one sent"
    await ground.clock.pass_time(DOUBT_SECONDS)
    assert not ground.outage.doubts(late=False, waited_seconds=0.0)
    await ground.close()


@pytest.mark.parametrize(("late", "waited", "doubted"), [(True, 0.0, True), (False, 6.0, True), (False, 1.0, False)])
@pytest.mark.asyncio
async def test_after_a_start_what_is_late_or_waited_is_asked_about(tmp_path, late, waited, doubted):
    """A process that died in an outage may have sent it; what is on time is sent at once."""
    ground = Ground(tmp_path, shared=False, others=False)
    assert ground.outage.doubts(late=late, waited_seconds=waited) is doubted
    await ground.close()
