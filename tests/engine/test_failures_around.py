"""What was not committed is not known: neither after a command that failed nor after a transaction that did."""

import json

import pytest

from escalatord.core.rules import AnomalyKind
from escalatord.engine import arrivals, intake
from escalatord.engine.arrivals import Hour
from escalatord.errors import StoreUnavailableError
from escalatord.store.store import Store
from tests.fakes.rulesets import MINUTE, START
from tests.scenarios.test_rules_that_look_around import POLICIES, night

COUNTING = """
    thresholds:
      - {name: many, match: alertname="HostDown", severity: {error: {when: rule_occurrences in 1h >= 100}}}
    """
HOUR = 60 * MINUTE


def counted(world):
    """Return how many beginnings the rule knows."""
    rule = world.engine.ruleset.thresholds[0]
    (record,) = world.store.read(lambda tx: tx.recent_alerts(1))
    return len(world.engine._batch.around.tally(rule, record).begun)


@pytest.mark.asyncio
async def test_a_command_that_fails_is_not_counted(tmp_path, monkeypatch):
    """The alerts of a body that our own code cannot handle are taken back out of the counts."""
    async with night(tmp_path, policies=POLICIES, thresholds=COUNTING) as world:
        await world.fire("HostDown", host="a")
        monkeypatch.setattr(intake, "evaluate", lambda *_: json.loads("a defect"))
        await world.fire("HostDown", host="b")
        assert len(world.journal(0, kind="command_failed")) == 1
        monkeypatch.undo()
        assert counted(world) == 1
        world.expect_sms("ana", "Unusable webhook")


@pytest.mark.asyncio
async def test_a_transaction_that_fails_is_not_counted(tmp_path, monkeypatch):
    """The disk gives up after the work was done: the sender tries again, and is counted once."""
    async with night(tmp_path, policies=POLICIES, thresholds=COUNTING) as world:
        await world.fire("HostDown", host="a")
        write = Store.write

        def gives_up(store, work, **more):
            def work_then_fail(tx):
                work(tx)
                raise StoreUnavailableError("the disk is away")

            return write(store, work_then_fail)

        monkeypatch.setattr(Store, "write", gives_up)
        with pytest.raises(StoreUnavailableError):
            await world.fire("HostDown", host="b")
        monkeypatch.undo()
        assert counted(world) == 1
        await world.fire("HostDown", host="b")
        assert counted(world) == 2


@pytest.fixture
def store(tmp_path):
    """An open store."""
    found = Store(f"sqlite:///{tmp_path / 'e.db'}", ballast_bytes=0)
    found.open()
    yield found
    found.close()


def came(store, at, more):
    """Count alerts and return how it stands."""
    return store.write(lambda tx: arrivals.count(tx, "am", at, more))


def test_only_hours_in_which_we_were_there_are_remembered(store):
    """The hour of a start is forgotten, the whole ones after it are known; one that was skipped is not."""
    noon = START.replace(minute=0)
    store.write(lambda tx: arrivals.begin(tx, "am", noon + 30 * MINUTE))
    assert came(store, noon + 40 * MINUTE, 5).now == Hour(number=came(store, noon, 0).now.number, count=5)
    assert came(store, noon + HOUR, 7).last.whole is False
    standing = came(store, noon + 2 * HOUR, 3)
    assert (standing.now.whole, standing.now.count, standing.last.count, standing.last.whole) == (True, 3, 7, True)
    store.write(lambda tx: arrivals.begin(tx, "am", noon + 2 * HOUR + MINUTE))
    assert came(store, noon + 2 * HOUR + 2 * MINUTE, 1).now.count == 4
    assert came(store, noon + 3 * HOUR, 0).last.whole is False
    late = came(store, noon + 9 * HOUR, 1)
    assert (late.last, late.now.whole) == (None, False)
    week = 7 * 24 * HOUR
    past = [came(store, noon + week + hours * HOUR, 0).now.past for hours in range(4)]
    assert past == [(), (7,), (), (0,)]


def test_what_was_told_of_an_hour_is_told_once(store):
    """The next hour may be told of again."""
    standing = came(store, START, 1)
    tell = [store.write(lambda tx: arrivals.tell(tx, "am", came_again(tx), AnomalyKind.STORM)) for _ in range(2)]
    assert (tell, standing.told) == ([True, False], ())
    came(store, START + HOUR, 1)
    assert store.write(lambda tx: arrivals.tell(tx, "am", came_again(tx, START + HOUR), AnomalyKind.STORM)) is True


def came_again(tx, at=START):
    """Return how it stands without counting anything."""
    return arrivals.count(tx, "am", at, 0)
