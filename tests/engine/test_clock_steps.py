"""The machine's clock is set: what waits moves with it in one transaction, or all goes on by the old time."""

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest

from escalatord.clock import SteadyClock
from escalatord.engine import clock_steps
from escalatord.engine.clock_steps import ClockSteps
from escalatord.engine.engine import Engine
from escalatord.errors import StoreUnavailableError
from escalatord.store.store import Store
from escalatord.store.tx import Tx
from tests.fakes.paging import the_ruleset
from tests.store import samples
from tests.test_clock import START, Machine

HOURS = timedelta(hours=3)


@pytest.fixture
def store(tmp_path: Path):
    """Return an open store with one incident and one attempt that waits."""
    made = Store(f"sqlite:///{tmp_path}/escalatord.db", ballast_bytes=0)
    made.open()
    fill(made, 1)
    yield made
    made.close()


def fill(store: Store, number: int) -> None:
    """Let an incident wait for its deadline, and its attempt to be sent."""

    def work(tx: Tx) -> None:
        tx.save([samples.incident(number, opened_at=START, due=START + timedelta(minutes=5))])
        tx.outbox_add([samples.attempt(f"i{number}-1", number, due_at=START)])

    store.write(work)


def watched(store: Store, booted: str, monkeypatch) -> tuple[Machine, ClockSteps]:
    """Return a machine that booted so, and what watches its clock."""
    monkeypatch.setattr(clock_steps, "boot_id", lambda: booted)
    machine = Machine()
    steps = ClockSteps(SteadyClock(machine))
    store.write(steps.begin)
    return machine, steps


def deadlines(store: Store) -> tuple[object, object]:
    """Return the earliest deadline and when something is to be sent."""
    return store.read(lambda tx: (tx.next_due(), tx.outbox_next_due()))


@pytest.mark.parametrize("by", [HOURS, -HOURS], ids=["forth", "back"])
def test_what_waits_moves_with_the_clock(store: Store, by: timedelta, monkeypatch):
    """Deadlines and what is to be sent come after as long as before."""
    store.write(lambda tx: tx.set_setting(clock_steps.BOOT_SETTING, "here"))
    machine, steps = watched(store, "here", monkeypatch)
    assert not steps.pending
    machine.wall += by
    assert steps.pending
    assert store.write(steps.move) == by
    assert deadlines(store) == (START + timedelta(minutes=5) + by, START + by)


@pytest.mark.parametrize(("by", "moves"), [(HOURS, False), (-HOURS, True)], ids=["forth", "back"])
def test_what_an_earlier_boot_left_is_never_put_off(store: Store, by: timedelta, moves: bool, monkeypatch):
    """The clock may have been wrong since the boot: deadlines of before come early rather than years late."""
    machine, steps = watched(store, "another", monkeypatch)
    fill(store, 2)
    machine.wall += by
    store.write(steps.move)
    due = {number: incident.next_due_at for number, incident in store.read(lambda tx: tx.load((1, 2))).items()}
    after = START + timedelta(minutes=5)
    assert due == {1: after + by if moves else after, 2: after + by}


@pytest.mark.asyncio
async def test_the_engine_goes_by_the_old_time_while_nothing_can_be_committed(store: Store, monkeypatch):
    """No room for the move: the clock goes on evenly; then everything moves at once, and the journal says so."""
    machine, steps = watched(store, "here", monkeypatch)
    clock = SteadyClock(machine)
    steps = ClockSteps(clock)
    engine = Engine(store, the_ruleset(), clock, link_key=b"k" * 32)
    engine.clock_steps = steps
    await engine.start()
    move = steps.move
    monkeypatch.setattr(steps, "move", refuse)
    machine.wall += HOURS
    await engine._follow_clock()
    assert clock.now() == START
    monkeypatch.setattr(steps, "move", move)
    await engine._follow_clock()
    assert clock.now() == START + HOURS
    commits = asyncio.create_task(engine.run_commits())
    await engine.finish()
    commits.cancel()
    await engine.close()
    kinds = [row.entry.kind for row in store.read(lambda tx: tx.journal_after(0, 10))]
    assert "clock_jump" in kinds


def refuse(_tx: object) -> timedelta:
    """Commit nothing."""
    raise StoreUnavailableError("no room")
