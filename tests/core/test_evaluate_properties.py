"""Evaluation under random rules: severities only rise, `next_at` is exact, indexes change nothing."""

from dataclasses import replace
from datetime import timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from escalatord.core.alert import SEVERITIES
from escalatord.core.evaluate import evaluate
from escalatord.core.facts import parse_condition
from escalatord.core.incident import Cause
from escalatord.core.rules import AllOf, AnyOf, ExceptionRule, Level, ThresholdRule
from tests.fakes.rulesets import CRITICAL, MINUTE, START, exception, level, remembered, ruleset, threshold, verdict_of

CONDITIONS = st.recursive(
    st.sampled_from(
        [
            "rate > 5%",
            "rate > 50%",
            "users > 1",
            "downtime >= 5m",
            "downtime < 12m",
            "downtime > 20m",
            "revenue_loss >= 50000 EUR",
            "occurrences in 30m >= 2",
            "occurrences in 10m < 2",
            "errors == 0",
        ]
    ).map(parse_condition),
    lambda parts: st.builds(
        lambda kind, several: kind(parts=tuple(several)), st.sampled_from([AnyOf, AllOf]), st.lists(parts, max_size=3)
    ),
    max_leaves=4,
)  # fmt: skip - the table reads better in lines of five
LEVELS = st.builds(
    lambda severity, condition, hold: Level(severity=severity, condition=condition, for_seconds=hold),
    st.sampled_from(SEVERITIES),
    st.none() | CONDITIONS,
    st.sampled_from([0.0, 60.0, 400.0]),
)
THRESHOLDS = st.builds(
    lambda levels, match: threshold("", *levels, match=match),
    st.lists(LEVELS, max_size=3, unique_by=lambda one: one.severity),
    st.sampled_from(["service=checkout", "service=other", "env!=dev"]),
)
EXCEPTIONS = st.builds(lambda severity: exception("", severity), st.sampled_from(SEVERITIES))
RULES = st.lists(THRESHOLDS | EXCEPTIONS, max_size=4).map(
    lambda rules: [replace(rule, name=f"r{number}") for number, rule in enumerate(rules)]
)
MOMENTS = st.integers(min_value=-5, max_value=40).map(lambda minutes: START + minutes * MINUTE)
RECENT = [START - 8 * MINUTE, START]


def claims(verdict):
    """Return what the rules claim, without what was observed."""
    return verdict.severity, verdict.rule, [(reason.rule, reason.severity) for reason in verdict.reasons]


@given(RULES, THRESHOLDS | EXCEPTIONS, st.integers(min_value=0, max_value=4), MOMENTS)
def test_adding_a_rule_never_lowers_a_severity(rules, rule, place, at):
    """Of an alert that some rule matches, a further rule anywhere can only raise the severity."""
    before = verdict_of(*rules, at=at, record=remembered(starts=RECENT))
    if before.cause is Cause.UNMATCHED:
        return
    more = [*rules[:place], replace(rule, name="added"), *rules[place:]]
    after = verdict_of(*more, at=at, record=remembered(starts=RECENT))
    assert before.severity is None or (after.severity is not None and after.severity.rank >= before.severity.rank)


@settings(max_examples=300)
@given(RULES, MOMENTS, st.floats(min_value=0, max_value=1, exclude_max=True))
def test_nothing_changes_before_the_next_look(rules, at, share):
    """Between now and `next_at`, or for ever when there is none, every rule claims the same."""
    now = verdict_of(*rules, at=at, record=remembered(starts=RECENT))
    end = now.next_at or at + timedelta(days=3)
    assert end > at
    last = end - timedelta(microseconds=1)
    for between in (min(last, at + (end - at) * share), last):
        later = verdict_of(*rules, at=between, record=remembered(starts=RECENT, held=now.held))
        assert claims(later) == claims(now)


@given(
    st.sampled_from(["downtime >= 5m", "downtime < 12m", "revenue_loss > 50000 EUR", "occurrences in 10m < 2"]),
    st.sampled_from([0.0, 60.0]),
    MOMENTS,
)
def test_next_look_at_a_single_condition_changes_its_outcome(text, hold, at):
    """At `next_at` the claim or the hold is another one."""
    rule = threshold("r", level(CRITICAL, text, hold))
    now = verdict_of(rule, at=at, record=remembered(starts=RECENT))
    if now.next_at is None:
        return
    later = verdict_of(rule, at=now.next_at, record=remembered(starts=RECENT, held=now.held))
    assert (claims(later), later.held) != (claims(now), now.held)


@given(RULES, MOMENTS)
def test_evaluation_is_the_same_with_and_without_indexes(rules, at):
    """The index changes the cost, never the verdict."""
    thresholds = [rule for rule in rules if isinstance(rule, ThresholdRule)]
    exceptions = [rule for rule in rules if isinstance(rule, ExceptionRule)]
    record = remembered(starts=RECENT)
    indexed, plain = (evaluate(ruleset(thresholds, exceptions, indexed=mode), record, at) for mode in (True, False))
    assert indexed == plain
