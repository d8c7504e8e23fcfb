"""Rules: which severity an alert gets, by which rule, why, and when to look again."""

from dataclasses import replace

import pytest

from escalatord.core.evaluate import evaluate
from escalatord.core.facts import parse_condition
from escalatord.core.incident import Cause
from escalatord.core.matchers import parse_matchers
from escalatord.core.rules import AllOf, AnyOf, Level, RuleReason, Service, Unless
from escalatord.core.ruleset import SourceSpec
from tests.fakes.rulesets import (
    ALERT,
    CRITICAL,
    ERROR,
    FACTS,
    INFO,
    MINUTE,
    SHOP,
    START,
    WARNING,
    exception,
    level,
    remembered,
    ruleset,
    threshold,
    verdict_of,
)


@pytest.mark.parametrize(
    ("said", "severity", "say"),
    [
        (None, WARNING, "no rule matches; unmatched says warning"),
        (INFO, WARNING, "no rule matches; unmatched says warning"),
        (WARNING, WARNING, "no rule matches; unmatched says warning"),
        (CRITICAL, CRITICAL, "no rule matches; its sender says critical"),
    ],
)
def test_unmatched_alert_goes_to_the_unmatched_policy(said, severity, say):
    """What no rule knows is never dropped, and never lowered below what its sender says."""
    verdict = verdict_of(threshold("r", level(ERROR), match="service=other"), record=remembered(severity=said))
    assert (verdict.severity, verdict.cause, verdict.policies) == (severity, Cause.UNMATCHED, ("platform",))
    assert (verdict.rule, verdict.service, verdict.next_at, verdict.held) == ("unmatched", "checkout", None, {})
    assert [reason.say for reason in verdict.reasons] == [say]


def test_rule_set_without_its_indexes_is_searched_whole():
    """An index that was forgotten must not lose pages."""
    rules = ruleset([threshold("r", level(ERROR))], [exception("e", INFO)], indexed=False)
    assert [reason.rule for reason in evaluate(rules, remembered(), START).reasons] == ["e", "r"]


@pytest.mark.parametrize(
    ("text", "told", "severity", "predicate"),
    [
        ("rate > 5%", {}, ERROR, ("rate > 5%", "8.2%", True)),
        ("rate > 8.2%", {}, None, ("rate > 8.2%", "8.2%", False)),
        ("rate >= 8.2%", {}, ERROR, ("rate >= 8.2%", "8.2%", True)),
        ("rate > 5%", {"annotations": {}}, ERROR, ("rate > 5%", "missing: page", True)),
        ("rate > 5%", {"annotations": {"rate": "a lot"}}, ERROR, ("rate > 5%", "missing: page", True)),
        ("users > 5", {}, None, ("users > 5", "missing: skip", False)),
        ("errors > 5", {}, None, ("errors > 5", "missing: assume 0", False)),
        ("errors < 5", {}, ERROR, ("errors < 5", "missing: assume 0", True)),
        ("unheard_of > 5", {}, ERROR, ("unheard_of > 5", "missing: page", True)),
    ],
)
def test_comparison_is_recorded_with_what_was_observed(text, told, severity, predicate):
    """Limit, value and outcome of every predicate are kept, a missing fact by what it means."""
    verdict = verdict_of(threshold("r", level(ERROR, text)), record=remembered(**told))
    assert verdict.severity is severity
    assert verdict.cause is Cause.THRESHOLD
    assert verdict.reasons[0].predicates == (predicate,)


def test_unknown_word_for_missing_is_a_defect_that_shows():
    """A value that no branch knows raises; it is never taken for false."""
    facts = {"rate": replace(FACTS["rate"], missing="shrug")}
    rules = replace(ruleset([threshold("r", level(ERROR, "rate > 5%"))]), facts=facts)
    with pytest.raises(AssertionError):
        evaluate(rules, remembered(annotations={}), START)


def test_matching_rule_that_reaches_no_severity_pages_nobody():
    """The alert is matched and visible; the verdict names the rule and has no severity."""
    verdict = verdict_of(threshold("r", level(ERROR, "rate > 50%")))
    assert (verdict.severity, verdict.cause, verdict.rule) == (None, Cause.THRESHOLD, "r")
    assert verdict.reasons[0].say == "no severity reached"


def test_highest_level_of_a_rule_wins():
    """A rule claims the worst of its levels that hold, in whatever order they are written."""
    verdict = verdict_of(threshold("r", level(WARNING), level(CRITICAL, "rate > 5%"), level(ERROR, "rate > 2%")))
    assert verdict.severity is CRITICAL
    assert verdict.reasons[0].say == "critical: rate > 5% (8.2%)"


def test_highest_rule_wins_and_the_first_of_equals():
    """The worst claim routes; of equal ones the first in the file."""
    rules = [
        threshold("low", level(WARNING), policy="a"),
        threshold("first", level(ERROR), policy="b", group_by=("region",)),
        threshold("second", level(ERROR), policy="c"),
    ]
    verdict = verdict_of(*rules)
    assert (verdict.severity, verdict.rule, verdict.policies) == (ERROR, "first", ("b",))
    assert verdict.group_by == ("region",)
    assert [reason.severity for reason in verdict.reasons] == [WARNING, ERROR, ERROR]
    assert verdict.reasons[1].say == "error: whatever is measured"


@pytest.mark.parametrize(
    ("policy", "service", "expected"),
    [
        ("own", SHOP, "own"),
        ("", SHOP, "payments"),
        ("", Service(name="checkout"), "platform"),
        ("", Service(name="other", policy="x"), "platform"),
    ],
    ids=["the rule's", "the service's", "a service without", "an unknown service"],
)
def test_policy_is_the_rules_then_the_services_then_the_unmatched_one(policy, service, expected):
    """Every matched alert has somewhere to go."""
    rules = ruleset([threshold("r", level(ERROR), policy=policy)], services=[service])
    verdict = evaluate(rules, remembered(), START)
    assert verdict.policies == (expected,)
    assert verdict.service == "checkout"


def test_alert_without_a_service_has_none():
    """The service is the label of that name, empty when absent."""
    verdict = verdict_of(threshold("r", level(ERROR), match="env=prod"), record=remembered(labels={"env": "prod"}))
    assert (verdict.severity, verdict.service, verdict.policies) == (ERROR, "", ("platform",))


def test_unless_keeps_a_rule_quiet_and_says_why():
    """A silenced rule claims nothing, but the alert is not unmatched."""
    quiet = Unless(match=parse_matchers("env=~dev|prod"), why="not customer facing")
    verdict = verdict_of(threshold("r", level(CRITICAL), unless=(quiet,)))
    assert verdict.severity is None
    assert verdict.cause is Cause.THRESHOLD
    assert verdict.reasons == (
        RuleReason(
            rule="r",
            kind="threshold",
            severity=None,
            say="quiet: not customer facing",
            predicates=(("unless env=~dev|prod", "env=prod", True),),
        ),
    )


def test_unless_that_does_not_match_is_shown_with_what_was_seen():
    """The reason shows the labels that kept the rule awake, a long one cut."""
    unless = Unless(match=parse_matchers("env=dev, note=x"), why="w")
    record = remembered(labels={**ALERT.labels, "note": "y" * 1000})
    verdict = verdict_of(threshold("r", level(ERROR), unless=(unless,)), record=record)
    assert verdict.severity is ERROR
    text, observed, outcome = verdict.reasons[0].predicates[0]
    assert (text, outcome, len(observed)) == ("unless env=dev, note=x", False, 80)
    assert observed.startswith("env=prod, note=yyy")
    assert observed.endswith("y…")


def test_any_and_all_record_every_part():
    """Nested conditions decide as written and show each predicate, also those that no longer mattered."""
    parts = [parse_condition(text) for text in ("rate > 5%", "errors > 1", "users > 1")]
    any_of = threshold("any", Level(severity=ERROR, condition=AnyOf(parts=tuple(parts))))
    all_of = threshold("all", Level(severity=CRITICAL, condition=AllOf(parts=tuple(parts))))
    verdict = verdict_of(any_of, all_of)
    assert verdict.severity is ERROR
    assert [outcome for _, _, outcome in verdict.reasons[0].predicates] == [True, False, False]
    assert [reason.severity for reason in verdict.reasons] == [ERROR, None]


def test_level_with_a_hold_claims_when_it_was_true_for_so_long():
    """The hold begins when the condition is first seen true, is carried along, and ends at a named instant."""
    rule = threshold("r", level(ERROR, "rate > 2%", 300.0))
    first = verdict_of(rule, at=START + MINUTE)
    assert (first.severity, first.held, first.next_at) == (None, {"r/error": START + MINUTE}, START + 6 * MINUTE)
    assert first.reasons[0].predicates[1] == ("error for 5m", "0s", False)
    early = verdict_of(rule, at=START + 5 * MINUTE, record=remembered(held=first.held))
    assert (early.severity, early.held, early.next_at) == (None, first.held, START + 6 * MINUTE)
    due = verdict_of(rule, at=START + 6 * MINUTE, record=remembered(held=first.held))
    assert (due.severity, due.held, due.next_at) == (ERROR, first.held, None)
    assert due.reasons[0].say == "error: rate > 2% (8.2%), error for 5m (5m)"


def test_hold_is_dropped_when_the_condition_is_false():
    """A break starts the hold anew."""
    rule = threshold("r", level(ERROR, "rate > 2%", 300.0))
    record = remembered(held={"r/error": START}, annotations={"rate": "1"})
    assert verdict_of(rule, record=record).held == {}


def test_hold_is_not_longer_because_a_clock_was_set_back():
    """A hold that seems to begin in the future begins now."""
    rule = threshold("r", level(ERROR, "rate > 2%", 300.0))
    verdict = verdict_of(rule, at=START, record=remembered(held={"r/error": START + 180 * MINUTE}))
    assert (verdict.held, verdict.next_at) == ({"r/error": START}, START + 5 * MINUTE)


def test_hold_beyond_the_calendar_never_claims():
    """A hold of ten thousand years arms nothing and breaks nothing."""
    verdict = verdict_of(threshold("r", level(ERROR, "rate > 2%", 1e18)))
    assert (verdict.severity, verdict.next_at) == (None, None)


@pytest.mark.parametrize(
    ("next_at", "condition"),
    [
        (START + 15 * MINUTE, "downtime >= 15m"),
        (START + 25 * MINUTE, "revenue_loss >= 50000 EUR"),
        (START + 15 * MINUTE, AnyOf(parts=("downtime >= 15m", "downtime >= 20m"))),
        (START + 20 * MINUTE, AllOf(parts=("downtime >= 15m", "downtime >= 20m"))),
        (None, AllOf(parts=("downtime >= 15m", "rate > 50%"))),
        (None, AnyOf(parts=("downtime >= 15m", "rate > 5%"))),
        (START + 15 * MINUTE, AllOf(parts=("downtime < 15m", "rate > 5%"))),
        (START + 20 * MINUTE, AnyOf(parts=("downtime < 15m", "downtime < 20m"))),
        (None, "rate > 5%"),
    ],
)
def test_next_look_is_when_the_condition_can_change(next_at, condition):
    """Time alone names the instant; what time cannot change arms nothing."""
    if isinstance(condition, str):
        made = parse_condition(condition)
    else:
        made = replace(condition, parts=tuple(parse_condition(text) for text in condition.parts))
    assert verdict_of(threshold("r", Level(severity=ERROR, condition=made))).next_at == next_at


def test_next_look_comes_for_a_worse_level_and_not_for_a_lesser_one():
    """While an error is claimed the critical crossing is armed; once critical, the error's is not."""
    rule = threshold("r", level(ERROR, "downtime >= 5m"), level(CRITICAL, "downtime >= 15m"))
    assert verdict_of(rule, at=START + 6 * MINUTE).next_at == START + 15 * MINUTE
    rule = threshold("r", level(CRITICAL), level(ERROR, "downtime >= 15m"), level(WARNING, "rate > 2%", 300.0))
    assert verdict_of(rule).next_at is None


def test_hold_of_an_outdone_level_begins_on_time():
    """A lesser level with a hold is looked at when its condition turns true, so that it is ready when needed."""
    rule = threshold("r", level(CRITICAL), level(ERROR, "downtime >= 15m", 300.0))
    assert verdict_of(rule).next_at == START + 15 * MINUTE
    verdict = verdict_of(rule, at=START + 15 * MINUTE)
    assert (verdict.held, verdict.next_at) == ({"r/error": START + 15 * MINUTE}, None)


def test_next_look_is_the_earliest_of_all_rules():
    """Every matching rule arms; the earliest instant counts."""
    rules = [threshold(name, level(ERROR, f"downtime >= {name}")) for name in ("20m", "10m", "30m")]
    assert verdict_of(*rules).next_at == START + 10 * MINUTE


def test_exception_escalates_regardless_of_thresholds():
    """An exception routes: its policy and first tier, what it adds, and its reason."""
    rules = [
        threshold("r", level(WARNING), policy="a"),
        exception("breach", CRITICAL, policy="security", start_at=2, also=("legal",), why="72 h", group_by=("x",)),
    ]
    verdict = verdict_of(*rules)
    assert (verdict.severity, verdict.cause, verdict.rule) == (CRITICAL, Cause.EXCEPTION, "breach")
    assert (verdict.policies, verdict.start_at, verdict.group_by) == (("security", "legal"), 2, ("x",))
    assert verdict.reasons[0] == RuleReason(
        rule="breach", kind="exception", severity=CRITICAL, say="critical regardless of thresholds: 72 h"
    )
    assert verdict.reasons[1].severity is WARNING


def test_exception_is_heard_where_a_threshold_rule_is_quiet():
    """`unless` of a threshold rule does not touch an exception."""
    quiet = Unless(match=parse_matchers("env=prod"), why="w")
    verdict = verdict_of(threshold("r", level(CRITICAL), unless=(quiet,)), exception("e", ERROR))
    assert (verdict.severity, verdict.cause, verdict.policies) == (ERROR, Cause.EXCEPTION, ("payments",))
    assert verdict.reasons[0].say == "error regardless of thresholds"


def test_threshold_worse_than_an_exception_raises_it_and_is_paged_too():
    """The exception still routes; nothing that the worse rule pages is lost."""
    rules = [threshold("r", level(CRITICAL), policy="a"), exception("e", ERROR, policy="security", start_at=0)]
    verdict = verdict_of(*rules)
    assert (verdict.severity, verdict.rule, verdict.policies) == (CRITICAL, "e", ("security", "a"))
    assert (verdict.cause, verdict.start_at) == (Cause.EXCEPTION, 0)


def test_threshold_as_bad_as_an_exception_adds_nothing():
    """Of equal claims the exception comes first, and its policy alone is paged."""
    rules = [threshold("r", level(ERROR), policy="a"), exception("e", ERROR, policy="security")]
    assert verdict_of(*rules).policies == ("security",)


def test_several_exceptions_are_all_paged_the_worst_leading():
    """Each policy stands once, the leader's and what it adds first."""
    rules = [
        exception("one", ERROR, policy="a", also=("legal", "b")),
        exception("two", CRITICAL, policy="b", also=("press",)),
        exception("three", CRITICAL, policy="c"),
    ]
    verdict = verdict_of(*rules)
    assert (verdict.rule, verdict.policies) == ("two", ("b", "press", "a", "legal", "c"))


def test_a_sender_that_says_no_severity_counts_with_its_sources_default():
    """An unmatched alert without a severity has the one that its source is said to have."""
    rules = replace(ruleset(), sources={"am": SourceSpec(name="am", adapter="alertmanager", default_severity=CRITICAL)})
    assert evaluate(rules, remembered(severity=None), START).severity is CRITICAL
    assert evaluate(rules, remembered(severity=None, source="other"), START).severity is WARNING
