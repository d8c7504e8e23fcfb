"""When and by what policy the owners of a rule hear that its review is overdue."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from escalatord.core.policy import Target, TargetKind
from escalatord.core.review import due_at, policy_for, told_of
from escalatord.core.roster import ChannelKind
from escalatord.core.wallclock import to_local
from tests.fakes.rulesets import threshold
from tests.fakes.world import CHANNELS, PAYMENTS, PEOPLE, RULESET

RULE = replace(threshold("checkout-failing"), policy="payments", owner="person ana", review_by="2026-10-24")
MADRID = {name: replace(one, timezone="Europe/Madrid") for name, one in PEOPLE.items()}
RULES = replace(RULESET, people=MADRID)
BEFORE = datetime(2026, 10, 1, tzinfo=UTC)


def utc(text):
    """Return an instant written in UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        pytest.param("2026-10-01 00:00", "2026-10-25 08:00", id="nine in Madrid, on the day the clock was set back"),
        pytest.param("2026-10-25 08:00", "2026-10-25 08:00", id="just now"),
        pytest.param("2026-10-25 08:00:01", "2026-10-25 08:00:01", id="a second late, in office hours: at once"),
        pytest.param("2026-11-02 15:59", "2026-11-02 15:59", id="found overdue in the afternoon: at once"),
        pytest.param("2026-11-02 16:00", "2026-11-03 08:00", id="found overdue in the evening: in the morning"),
        pytest.param("2026-11-03 02:00", "2026-11-03 08:00", id="found overdue at night: in the morning"),
    ],
)
def test_the_owner_is_told_on_the_morning_after(now, expected):
    """At nine in the owner's zone, never at night."""
    assert due_at(RULE, RULES, utc(now)) == utc(expected)


@pytest.mark.parametrize(
    "rule",
    [
        pytest.param(replace(RULE, review_by=""), id="no date"),
        pytest.param(replace(RULE, owner="", policy="legal"), id="nobody answers for it"),
    ],
)
def test_without_a_date_or_an_owner_nobody_is_told(rule):
    """`check` warns of the latter."""
    assert due_at(rule, RULES, BEFORE) is None


def test_the_zone_of_a_team_is_that_of_its_first_member_who_is_there():
    """Of a team that nobody is in any more, UTC."""
    rule = replace(RULE, owner="team leads")
    assert due_at(rule, replace(RULES, teams={"leads": ("gone", "bo")}), BEFORE) == utc("2026-10-25 08:00")
    assert due_at(rule, replace(RULES, teams={}), BEFORE) == utc("2026-10-25 09:00")


@given(
    days=st.integers(-400, 400),
    minutes=st.integers(0, 24 * 60 - 1),
    zone=st.sampled_from(["Europe/Madrid", "America/Los_Angeles", "Asia/Kathmandu", "Pacific/Apia", "UTC"]),
)
def test_it_is_never_told_at_night_and_never_put_off_for_a_day(days, minutes, zone):
    """For every instant at which it is looked at: office hours, within a day once it is overdue, never in the past."""
    people = {name: replace(one, timezone=zone) for name, one in PEOPLE.items()}
    now = utc("2026-10-24 00:00") + timedelta(days=days, minutes=minutes)
    told = due_at(RULE, replace(RULES, people=people), now)
    assert told >= now
    assert 9 <= to_local(told, zone).hour < 17
    assert to_local(told, zone).date().isoformat() > "2026-10-24"
    if to_local(now, zone).date().isoformat() > "2026-10-25":
        assert told - now < timedelta(hours=25)


def test_first_its_owner_then_that_of_its_policy():
    """Each once; the policy's alone where the rule has none."""
    ana, cto = Target(TargetKind.PERSON, "ana"), Target(TargetKind.PERSON, "cto")
    assert told_of(RULE, RULES) == (ana, cto)
    assert told_of(replace(RULE, owner=""), RULES) == (cto,)
    assert told_of(replace(RULE, owner="person cto"), RULES) == (cto,)
    assert told_of(replace(RULE, policy="", owner=""), RULES) == (cto,)  # that of the unmatched


def test_they_are_told_by_the_calmest_channel_a_week_apart():
    """Mail, else chat, else a text; a call is no step of it. The last resort is the last of them, each week."""
    policy = policy_for(RULE, RULES)
    (ladder,) = policy.tracks
    assert [(tier.name, str(tier.page[0]), tier.within_seconds) for tier in ladder.tiers] == [
        ("owner", "person ana", 604800.0),
        ("policy owner", "person cto", 604800.0),
    ]
    (step,) = ladder.tiers[0].plan.steps
    assert (step.by, step.if_failed) == ("mail", ("chat", "sms", "sms_backup"))
    assert (policy.last_resort.every_seconds, policy.last_resort.page) == (604800.0, ladder.tiers[1].page)
    assert len(policy.hash) == 16
    assert policy_for(RULE, RULES) == policy
    assert policy_for(replace(RULE, owner="person bo"), RULES).hash != policy.hash


def test_where_there_are_only_calls_they_are_called():
    """In office hours, which is better than not at all."""
    calls = {name: spec for name, spec in CHANNELS.items() if spec.kind is ChannelKind.CALL}
    (step,) = policy_for(RULE, replace(RULES, channels=calls)).tracks[0].tiers[0].plan.steps
    assert step.by == "call"


def test_for_a_rule_that_nobody_answers_for_there_is_no_policy():
    """Whoever asks for one all the same has a defect."""
    with pytest.raises(ValueError, match="nobody answers for checkout-failing"):
        policy_for(replace(RULE, owner="", policy="legal"), RULES)
    assert PAYMENTS.owner is not None
