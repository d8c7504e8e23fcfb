"""A lane that is full is not claimed for, and goes on when one of its attempts ends."""

from types import SimpleNamespace

import pytest

from escalatord.engine.commands import ANY_LANE, Changed
from escalatord.notify.lane import Lane
from tests.fakes.company import night


def lane(busy):
    """Return a lane with room for two in which so many are under way."""
    channel = SimpleNamespace(capabilities=SimpleNamespace(concurrency=2, timeout_seconds=10.0))
    return Lane("sms/sim", None, channel, busy=busy)


@pytest.mark.parametrize(("busy", "takes_more"), [(0, True), (1, True), (2, False), (3, False)])
def test_a_full_lane_takes_no_more_and_remembers_that_more_waits(busy, takes_more):
    """Else what came while it was full would wait until somebody looks around anyway."""
    full = lane(busy)
    assert (full.takes_more(), full.starved) == (takes_more, not takes_more)


def test_what_a_claim_left_behind_is_not_forgotten():
    """The last claim filled it: that it has room again does not mean that nothing waits."""
    before = lane(0)
    before.starved = True
    assert (before.takes_more(), before.starved) == (True, True)


@pytest.mark.parametrize(
    ("lanes", "full", "woken"),
    [
        ({"sms/sim"}, {"sms/sim"}, False),
        ({"sms/sim"}, {"call/sim"}, True),
        ({"sms/sim", "call/sim"}, {"call/sim"}, True),
        ({"gone/sim"}, {"sms/sim", "call/sim"}, True),
        ({ANY_LANE}, {"sms/sim", "call/sim"}, True),
        (set(), set(), False),
    ],
    ids=["full", "another is full", "one has room", "of no channel any more", "of a node that died", "nothing to send"],
)
@pytest.mark.asyncio
async def test_the_sender_looks_only_where_there_is_room(tmp_path, lanes, full, woken):
    """Every commit of a storm would otherwise bring a claim that finds nothing."""
    async with night(tmp_path) as world:
        for name in full:
            known = world.sender._lanes[name]
            known.busy = known.channel.capabilities.concurrency
        world.sender._wake.clear()
        world.sender._hear(Changed(outbox=frozenset(lanes)))
        assert world.sender._wake.is_set() is woken
        assert {name for name, known in world.sender._lanes.items() if known.starved} == (lanes & full)
        for name in full:
            world.sender._lanes[name].busy = 0
