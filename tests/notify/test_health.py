"""The breaker: when a lane is used, tried and given up."""

import itertools
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from escalatord.errors import DeliveryReason
from escalatord.notify.health import FAILURES_TO_OPEN, LANE_FAULTS, PROBE_SECONDS, Breaker, BreakerState, Health

T0 = datetime(2026, 10, 24, 1, 11, tzinfo=UTC)


def at(seconds):
    """Return the instant so many seconds after the start."""
    return T0 + timedelta(seconds=seconds)


def opened():
    """Return a breaker that opened at T0."""
    breaker = Breaker()
    for _ in range(FAILURES_TO_OPEN):
        breaker = breaker.fail(T0, DeliveryReason.TIMEOUT)
    return breaker


def test_new_lane_is_up():
    """Nothing known means used."""
    assert Breaker().up
    assert (Breaker(), True) == Breaker().admit(T0)
    assert Breaker().next_try_at(T0) == T0


def test_lane_opens_after_failures_in_a_row():
    """One failure less than the limit leaves it in use; the last one opens it."""
    breaker = Breaker()
    for _ in range(FAILURES_TO_OPEN - 1):
        breaker = breaker.fail(T0, DeliveryReason.SERVER_ERROR)
        assert breaker.up
    breaker = breaker.fail(T0, DeliveryReason.AUTH)
    assert (breaker.state, breaker.reason, breaker.up) == (BreakerState.OPEN, "auth", False)


def test_success_forgets_failures():
    """Only failures in a row count."""
    breaker = Breaker().fail(T0, DeliveryReason.TIMEOUT).succeed().fail(at(2), DeliveryReason.TIMEOUT)
    assert Breaker(failures=1, reason="timeout") == breaker


def test_open_lane_is_probed_once_in_thirty_seconds():
    """Each probe window admits one message, exactly at its start (R7)."""
    breaker = opened()
    admitted = []
    for second in range(100):
        breaker, may_go = breaker.admit(at(second))
        if may_go:
            admitted.append(second)
            breaker = breaker.fail(at(second), DeliveryReason.TIMEOUT)
    assert admitted == [30, 60, 90]


def test_probe_that_hangs_blocks_no_later_probe():
    """A probe whose answer never comes is followed by the next one in time."""
    breaker, may_go = opened().admit(at(PROBE_SECONDS))
    assert (may_go, breaker.state) == (True, BreakerState.HALF_OPEN)
    assert (breaker, False) == breaker.admit(at(PROBE_SECONDS + 29.999))
    assert breaker.admit(at(2 * PROBE_SECONDS))[1]


def test_probe_that_succeeds_closes():
    """One success and everything goes again."""
    breaker = opened().admit(at(30))[0].succeed()
    assert (breaker.up, breaker.failures) == (True, 0)


def test_failures_of_messages_already_on_their_way_do_not_move_the_probe():
    """Late time-outs of an open lane leave the instant of the next probe where it was."""
    breaker = opened().fail(at(9), DeliveryReason.TIMEOUT)
    assert at(30) == breaker.next_try_at(at(10))


@pytest.mark.parametrize("reason", DeliveryReason)
def test_fault_of_an_address_is_not_a_fault_of_the_lane(reason):
    """A bad number proves that the provider answers; it mends an open lane, and never opens one."""
    breaker = Breaker()
    for _ in range(FAILURES_TO_OPEN + 2):
        breaker = breaker.fail(T0, reason)
    assert (reason not in LANE_FAULTS) is breaker.up
    assert (reason not in LANE_FAULTS) is opened().fail(at(1), reason).up


def test_clock_set_back_does_not_keep_a_lane_shut():
    """After a step of the clock into the past the lane is tried at once, not a day later."""
    assert opened().admit(at(-86_400))[1]


@given(st.lists(st.tuples(st.floats(0, 20), st.booleans(), st.sampled_from(DeliveryReason)), max_size=80))
def test_probes_of_a_lane_that_is_down_are_never_closer_than_thirty_seconds(steps):
    """Whatever happens when, two admitted messages of a lane that is not up lie at least a probe apart."""
    breaker, now, probes = Breaker(), T0, []
    for wait, good, reason in steps:
        now += timedelta(seconds=wait)
        was_up = breaker.up
        breaker, may_go = breaker.admit(now)
        if was_up:
            assert may_go
            probes.clear()
        elif may_go:
            probes.append(now)
            assert all((b - a).total_seconds() >= PROBE_SECONDS for a, b in itertools.pairwise(probes))
        if may_go:
            breaker = breaker.succeed() if good else breaker.fail(now, reason)


def test_lanes_are_apart():
    """A lane that is down shuts no other."""
    health = Health()
    for _ in range(FAILURES_TO_OPEN):
        assert health.admit("sms/twilio", T0)
        health.fail("sms/twilio", T0, DeliveryReason.NETWORK)
    assert (health.admit("sms/twilio", at(1)), health.admit("call/twilio", at(1))) == (False, True)
    health.succeed("sms/twilio")
    assert health.of("sms/twilio").up
