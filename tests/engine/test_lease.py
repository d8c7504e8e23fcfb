"""A lease: what was claimed may be worked on while it lasts, and never again after it was over once."""

import asyncio
from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from escalatord.engine.lease import LEASE_SECONDS, SPARE_SECONDS, Lease, LeaseLostError
from tests.fakes.stepped_clock import SteppedClock


@pytest.fixture
def clock():
    """A clock that stands where it is put."""
    return SteppedClock()


def test_who_is_alone_holds_for_ever(clock):
    """Nobody else could take over."""
    lease = Lease(clock)
    assert (lease.is_limited, lease.seconds_left(0)) == (False, inf)


def test_a_lease_counts_from_before_it_was_asked_for(clock):
    """What the answer took to come is not ours."""
    lease = Lease(clock)
    lease.prolong(clock.monotonic() - 2)
    assert lease.is_limited
    assert lease.seconds_left(0) == LEASE_SECONDS - 2


def test_a_lease_that_was_over_is_another_one(clock):
    """A process that was stopped is prolonged when it goes on; what it claimed before is no longer its own."""
    lease = Lease(clock)
    lease.prolong(clock.monotonic())
    before = lease.term
    lease.prolong(clock.monotonic() + LEASE_SECONDS + 1)
    assert lease.seconds_left(before) == 0
    assert lease.seconds_left(lease.term) > 0


def test_the_last_look_raises_when_it_is_over(clock):
    """Right before the first octet leaves; who is alone may always send."""
    lease = Lease(clock)
    lease.check()
    lease.prolong(clock.monotonic() - LEASE_SECONDS)
    with pytest.raises(LeaseLostError):
        lease.check()


@given(st.lists(st.floats(min_value=0.01, max_value=30), min_size=1, max_size=20))
def test_what_was_claimed_is_lost_with_the_first_gap_for_good(gaps):
    """Whatever the signs of life: a claim is held exactly until the first of them comes too late."""
    lease, at, held = Lease(SteppedClock()), 0.0, True
    lease.prolong(at)
    for gap in gaps:
        at += gap
        held = held and gap <= LEASE_SECONDS
        lease.prolong(at)
        assert (lease.term == 0) is held


async def never():
    """Last for ever."""
    await asyncio.Event().wait()


async def said():
    """Return at once."""
    return "said"


@pytest.mark.asyncio
async def test_work_ends_with_its_result_its_time_or_its_lease(clock):
    """Whichever is first; without a lease nothing is begun at all."""
    lease = Lease(clock)
    for _ in range(2):
        assert await lease.keep(0, 1.0, said()) == "said"
        slow = asyncio.ensure_future(lease.keep(0, 1.0, never()))
        await clock.pass_time(0.99)
        assert not slow.done()
        await clock.pass_time(0.01)
        with pytest.raises(TimeoutError):
            await slow
        lease.prolong(clock.monotonic())
    with pytest.raises(LeaseLostError):
        await lease.keep(lease.term + 1, 1.0, said())
    await clock.pass_time(LEASE_SECONDS - SPARE_SECONDS / 2)
    with pytest.raises(LeaseLostError):
        await lease.keep(0, 1.0, said())


@pytest.mark.asyncio
async def test_work_under_way_is_broken_off_when_the_lease_ends_and_goes_on_when_it_is_prolonged(clock):
    """A provider that hangs: with signs of life it may take its time, without them it may not a moment longer."""
    lease = Lease(clock)
    lease.prolong(clock.monotonic())
    working = asyncio.ensure_future(lease.keep(0, 1000.0, never()))
    await clock.pass_time(LEASE_SECONDS - 0.5)
    lease.prolong(clock.monotonic())
    await clock.pass_time(LEASE_SECONDS - 0.5)
    assert not working.done()
    await clock.pass_time(0.5)
    assert working.done()
    with pytest.raises(LeaseLostError):
        await working


@pytest.mark.asyncio
async def test_what_work_raises_is_raised(clock):
    """With a lease and without."""

    async def fails():
        raise ValueError("no")

    lease = Lease(clock)
    for _ in range(2):
        with pytest.raises(ValueError, match="no"):
            await lease.keep(0, 1.0, fails())
        lease.prolong(clock.monotonic())
