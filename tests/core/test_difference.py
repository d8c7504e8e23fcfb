"""Two rule sets compared by what they mean."""

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

from escalatord.core.alert import Severity
from escalatord.core.away import Away
from escalatord.core.difference import ADDED, REMOVED, Change, changes, duties
from escalatord.core.facts import parse_condition
from escalatord.core.incident import State
from escalatord.core.matchers import parse_matchers
from escalatord.core.policy import (
    Action,
    ContactPlan,
    FilterKind,
    PlanStep,
    Prefer,
    Target,
    TargetFilter,
    TargetKind,
)
from escalatord.core.roster import ChannelKind
from escalatord.core.rules import AnyOf, Level, Service, ThresholdRule
from escalatord.core.ruleset import Unmatched
from escalatord.core.schedule import Layer, Rotation, RotationUnit, Schedule
from escalatord.core.units import Quantity
from escalatord.core.values import replace
from tests.fakes.world import MAIL, PAYMENTS, RULESET, URGENT, tier

NOW = datetime(2026, 10, 24, 1, 0, tzinfo=UTC)


def rule(**more):
    """Return a threshold rule."""
    facts = {"name": "high", "match": parse_matchers('a="1"'), "levels": (Level(severity=Severity.ERROR),)}
    return ThresholdRule(**{**facts, **more})


def schedule(*people, name="first"):
    """Return a weekly rotation of these people."""
    turns = Rotation(unit=RotationUnit.WEEKLY, starts=date(2026, 1, 5))
    layer = Layer(name="all", timezone="UTC", rotation=turns, people=people)
    return Schedule(name=name, timezone="UTC", layers=(layer,))


def with_policy(**more):
    """Return the company's rules with its payments policy changed."""
    return replace(RULESET, policies={**RULESET.policies, "payments": replace(PAYMENTS, **more)})


def test_equal_rules_have_no_difference():
    """Not even when their hashes differ."""
    assert changes(RULESET, replace(RULESET, hash="other")) == ()


def test_a_tier_is_compared_by_its_number_and_told_in_words():
    """Window, people and plan of one rung, each by itself."""
    first, *others = PAYMENTS.tracks[0].tiers
    other = replace(first, within_seconds=600, plan=URGENT, page=(Target(TargetKind.PERSON, "cy"),), name="front")
    track = replace(PAYMENTS.tracks[0], tiers=(other, *others))
    assert changes(RULESET, with_policy(tracks=(track, PAYMENTS.tracks[1]))) == (
        Change("policy payments · technical · tier 1 · name", "primary", "front"),
        Change("policy payments · technical · tier 1 · page", "person ana", "person cy"),
        Change("policy payments · technical · tier 1 · within", "15m", "10m"),
        Change("policy payments · technical · tier 1 · plan", "usual", "urgent"),
    )


def test_what_comes_and_goes_whole_is_one_change():
    """A policy, a rung, a rule, a person: not every word of it."""
    gone = {name: policy for name, policy in RULESET.policies.items() if name != "legal"}
    assert changes(RULESET, replace(RULESET, policies=gone)) == (Change("policy legal", "", REMOVED),)
    assert changes(replace(RULESET, policies=gone), RULESET) == (Change("policy legal", "", ADDED),)
    longer = replace(PAYMENTS.tracks[0], tiers=(*PAYMENTS.tracks[0].tiers, tier("cy", plan=MAIL)))
    found = changes(RULESET, with_policy(tracks=(longer, PAYMENTS.tracks[1])))
    assert found == (Change("policy payments · technical · tier 4", "", ADDED),)
    assert changes(RULESET, replace(RULESET, thresholds=(rule(),))) == (Change("threshold high", "", ADDED),)


def test_conditions_units_and_switches_are_told_as_written():
    """Matchers and conditions by their text, money with its unit, a switch that is on as yes."""
    either = AnyOf(parts=(parse_condition("downtime >= 5m"), parse_condition("downtime >= 9m")))
    old = replace(RULESET, thresholds=(rule(),), services={"s": Service(name="s")})
    new = replace(
        RULESET,
        thresholds=(
            rule(
                match=parse_matchers('a="2"'),
                levels=(Level(severity=Severity.ERROR, condition=either, for_seconds=60),),
                repage_on_new_alert=False,
                group_by=("x", "y"),
            ),
        ),
        services={"s": Service(name="s", revenue_per_hour=Quantity(5, "EUR"))},
    )
    assert set(changes(old, new)) == {
        Change("threshold high · match", 'a="1"', 'a="2"'),
        Change("threshold high · level error · condition", "", "downtime >= 5m or downtime >= 9m"),
        Change("threshold high · level error · for", "0s", "1m"),
        Change("threshold high · repage on new alert", "yes", ""),
        Change("threshold high · group by", "", "x, y"),
        Change("service s", "", ADDED),
    }


def test_addresses_and_settings_are_never_shown():
    """That they changed is told, and nothing else of them."""
    ana = replace(RULESET.people["ana"], addresses={"sms": "+34699999999"})
    sms = replace(RULESET.channels["sms"], settings={"auth_token": object()}, kind=ChannelKind.CALL)
    new = replace(RULESET, people={**RULESET.people, "ana": ana}, channels={**RULESET.channels, "sms": sms})
    found = changes(RULESET, new)
    assert Change("person ana · addresses · sms", "…", "…") in found
    assert Change("channel sms · settings", "", ADDED) in found
    assert "34699999999" not in repr(found)


def test_teams_roles_and_everything_else_are_compared():
    """Lists of names, sets of words, enumerations and bytes."""
    old = replace(RULESET, teams={"t": ("ana",)}, unmatched=Unmatched(severity=Severity.INFO, policy="payments"))
    new = replace(old, teams={"t": ("ana", "bo")}, unmatched=Unmatched(severity=Severity.ERROR, policy="payments"))
    assert changes(old, new) == (
        Change("unmatched · severity", "info", "error"),
        Change("team t", "ana", "ana, bo"),
    )
    assert changes(with_policy(never=frozenset({"snooze"})), with_policy(never=frozenset({"snooze", "bundle"}))) == (
        Change("policy payments · never", "snooze", "bundle, snooze"),
    )
    facts = [replace(RULESET, facts={"x": value}) for value in (b"\x01", b"\x02", State.OPEN, 7, 8.5)]
    told = [changes(one, other)[0] for one, other in pairwise(facts)]
    assert told == [
        Change("fact x", "01", "02"),
        Change("fact x", "02", "open"),
        Change("fact x", "open", "7"),
        Change("fact x", "7", "8.5"),
    ]
    assert changes(replace(RULESET, facts={"x": NOW}), replace(RULESET, facts={"x": {}})) == (
        Change("fact x", str(NOW), ""),
    )


def test_things_without_a_name_are_numbered():
    """Overrides of a schedule have no name of their own."""
    one = schedule("ana")
    two = replace(one, layers=(replace(one.layers[0], name=""),))
    found = changes(replace(RULESET, schedules={"first": one}), replace(RULESET, schedules={"first": two}))
    assert {change.what for change in found} == {"schedule first · layer all", "schedule first · layer 1"}


def test_a_schedule_that_names_others_is_told_with_the_first_hour():
    """How many hours differ, when first, and who for whom; one that names the same people is not."""
    old = replace(RULESET, schedules={"first": schedule("ana"), "same": schedule("bo", name="same")})
    new = replace(old, schedules={"first": schedule("ana", "bo"), "same": schedule("bo", "bo", name="same")})
    (duty,) = duties(old, new, NOW)
    assert (duty.schedule, duty.before, duty.after) == ("first", ("ana",), ("bo",))
    assert 300 <= duty.hours <= 372
    assert NOW <= duty.at <= NOW + timedelta(days=7)
    assert duties(old, old, NOW) == ()
    assert duties(old, replace(old, schedules={}), NOW) == ()


def test_what_tiers_need_and_ask_for_is_told_in_the_words_of_the_rules():
    """How many acks, filters, preferences and tasks."""
    first, *others = PAYMENTS.tracks[0].tiers
    skilled = Target(TargetKind.TEAM, "leads", (TargetFilter(FilterKind.SKILL, "postgres"),))
    for need, word in ((0, "all"), (3, "3")):
        other = replace(
            first, need=need, page=(skilled,), prefer=Prefer.LEAST_PAGED_24H, pick=2, on_enter=(Action.OPEN_RCA,)
        )
        track = replace(PAYMENTS.tracks[0], tiers=(other, *others))
        told = {
            change.what.rpartition(" · ")[2]: change[1:]
            for change in changes(RULESET, with_policy(tracks=(track, PAYMENTS.tracks[1])))
        }
        assert told == {
            "page": ("person ana", "team leads & skill postgres"),
            "need": ("first", word),
            "prefer": ("", "least_paged_24h"),
            "pick": ("1", "2"),
            "on enter": ("", "open_rca"),
        }


def test_plans_of_ones_own_and_absences_are_told_step_by_step():
    """The steps of a person's plan stand nowhere else, so their change is shown here."""
    own = {"usual": ContactPlan(name="usual", steps=(PlanStep(by="call", after_seconds=60),))}
    gone = Away(person="ana", start=NOW, end=NOW + timedelta(hours=8), why="dentist")
    people = {**RULESET.people, "ana": replace(RULESET.people["ana"], plans=own)}
    before = replace(RULESET, people=people)
    later = {"usual": ContactPlan(name="usual", steps=(PlanStep(by="call"),))}
    after = replace(RULESET, people={**people, "ana": replace(people["ana"], plans=later, away=(gone,))})
    told = {change.what: change[1:] for change in changes(before, after)}
    assert told["person ana · plans · usual · step 1 · after"] == ("1m", "0s")
    assert any("away" in what for what in told)
