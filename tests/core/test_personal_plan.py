"""A plan of one's own makes the company's stricter, never laxer."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from escalatord.core.personal_plan import added, merged
from escalatord.core.policy import PlanStep

CHANNELS = ("chat", "sms", "call", "mail")
STEPS = st.lists(
    st.builds(
        PlanStep,
        by=st.sampled_from(CHANNELS),
        after_seconds=st.sampled_from([0.0, 30.0, 60.0, 180.0, 600.0]),
        if_failed=st.lists(st.sampled_from(CHANNELS), max_size=2).map(tuple),
        failed_after_seconds=st.sampled_from([20.0, 60.0, 120.0]),
    ),
    max_size=5,
).map(tuple)


def at(*steps):
    """Return steps written as (channel, seconds)."""
    return tuple(PlanStep(by=by, after_seconds=after) for by, after in steps)


def times(steps, channel):
    """Return when a channel is used, in order."""
    return sorted(step.after_seconds for step in steps if step.by == channel)


@pytest.mark.parametrize(
    ("company", "own", "expected"),
    [
        pytest.param(at(("sms", 0)), (), at(("sms", 0)), id="no plan of one's own"),
        pytest.param((), at(("sms", 0)), at(("sms", 0)), id="a company without steps"),
        pytest.param(at(("call", 180)), at(("call", 60)), at(("call", 60)), id="the earlier of two calls"),
        pytest.param(at(("call", 60)), at(("call", 180)), at(("call", 60)), id="a later call changes nothing"),
        pytest.param(at(("sms", 0)), at(("call", 0)), at(("sms", 0), ("call", 0)), id="another channel is added"),
        pytest.param(
            at(("call", 0), ("call", 120)),
            at(("call", 60)),
            at(("call", 0), ("call", 120)),
            id="one call for the first of two: it is there already",
        ),
        pytest.param(
            at(("call", 120), ("sms", 0), ("call", 0)),
            at(("call", 0), ("call", 30), ("call", 90)),
            at(("call", 30), ("sms", 0), ("call", 0), ("call", 90)),
            id="by order of time, whatever the order of writing; places stay",
        ),
    ],
)
def test_the_earlier_of_two_wins_channel_by_channel(company, own, expected):
    """The n-th step by a channel comes at the earlier of the two n-th times."""
    assert merged(company, own) == expected


def test_a_step_has_the_fallbacks_of_both_and_the_shorter_patience():
    """The company's come first; nothing is tried twice."""
    company = PlanStep(by="sms", if_failed=("mail", "call"), failed_after_seconds=60)
    own = PlanStep(by="sms", after_seconds=30, if_failed=("call", "chat"), failed_after_seconds=90)
    (step,) = merged((company,), (own,))
    assert step == PlanStep(by="sms", if_failed=("mail", "call", "chat"), failed_after_seconds=60)


def test_what_a_plan_adds_is_what_the_company_does_not_have():
    """For `check`: a step that is the company's as it stands is not the person's doing."""
    company = at(("sms", 0), ("call", 180))
    assert added(company, at(("call", 600))) == ()
    assert added(company, at(("call", 60), ("mail", 900))) == at(("call", 60), ("mail", 900))


@given(company=STEPS, own=STEPS)
def test_nobody_is_told_later_or_less_often(company, own):
    """The law: by each channel the n-th time is no later than in either plan, and none is missing."""
    both = merged(company, own)
    for channel in CHANNELS:
        for plan in (company, own):
            stricter, laxer = times(both, channel), times(plan, channel)
            assert len(stricter) >= len(laxer)
            assert all(early <= late for early, late in zip(stricter, laxer, strict=False))
        assert len(times(both, channel)) == max(len(times(company, channel)), len(times(own, channel)))
    for minute in (0.0, 60.0, 180.0):
        assert sum(s.after_seconds <= minute for s in both) >= sum(s.after_seconds <= minute for s in company)


@given(company=STEPS, own=STEPS)
def test_the_companys_steps_keep_their_places_and_their_ways(company, own):
    """What is known of a page's steps stays true; no fallback is lost, no patience grows."""
    both = merged(company, own)
    for before, after in zip(company, both, strict=False):
        assert after.by == before.by
        assert after.after_seconds <= before.after_seconds
        assert after.if_failed[: len(dict.fromkeys(before.if_failed))] == tuple(dict.fromkeys(before.if_failed)) or (
            after.if_failed == before.if_failed
        )
        assert after.failed_after_seconds <= before.failed_after_seconds


@given(company=STEPS, own=STEPS)
def test_merging_again_changes_nothing(company, own):
    """A plan that is merged already is as strict as it can be."""
    once = merged(company, own)
    assert [(s.by, s.after_seconds) for s in merged(once, own)] == [(s.by, s.after_seconds) for s in once]
