"""What one rule claims: letting go by `clear`, being quiet for an open cause, counting, and waiting for an answer."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from escalatord.core.alert import SEVERITIES
from escalatord.core.evaluate import evaluate
from escalatord.core.facts import parse_condition
from escalatord.core.matchers import parse_matchers
from escalatord.core.queries import parse_query
from escalatord.core.rules import (
    OWN_SOURCE,
    Absent,
    AllOf,
    Anomaly,
    AnomalyKind,
    AnyOf,
    Clear,
    FactSource,
    Level,
    Missing,
    Service,
    Unless,
)
from escalatord.core.ruleset import PrometheusSpec
from escalatord.core.units import Quantity
from tests.fakes.around import Around, answered
from tests.fakes.rulesets import (
    ALERT,
    CRITICAL,
    ERROR,
    FACTS,
    INFO,
    MINUTE,
    START,
    WARNING,
    exception,
    level,
    remembered,
    ruleset,
    threshold,
)

SECOND = timedelta(seconds=1)
END_OF_TIME = datetime(9999, 12, 31, 23, 59, tzinfo=UTC)


def clear(text, for_seconds=0.0):
    """Return what lets a rule go."""
    return Clear(condition=parse_condition(text), for_seconds=for_seconds)


def rated(value, **more):
    """Return a record of an alert that tells this rate."""
    return remembered(annotations={} if value is None else {"rate": str(value)}, **more)


def follow(rules, *steps, around=None, service=None):
    """Judge an alert again and again: (rate, minute) each; return the verdicts."""
    held, verdicts = {}, []
    for rate, minute in steps:
        record = rated(rate, held=held)
        found = evaluate(rules, record, START + minute * MINUTE, *(() if around is None else (around,)))
        verdicts.append(found)
        held = found.held
    return verdicts


TWO_LEVELS = threshold("r", level(ERROR, "rate > 2%"), level(CRITICAL, "rate > 5%"), clear=clear("rate < 1%", 180))


# --------------------------------------------------------------------------------------------------------- clear


def test_a_claim_stays_between_the_lines():
    """Neither above nor clear: the highest severity ever claimed stays, and the reason says so."""
    first, second, third = follow(ruleset([TWO_LEVELS]), (8, 1), (3, 2), (1.5, 3))
    assert [each.severity for each in (first, second, third)] == [CRITICAL, CRITICAL, CRITICAL]
    assert third.reasons[0].say == "critical: claimed before, and not clear since"
    assert third.held == {"r!critical": START + MINUTE}
    assert third.cleared == ""


def test_a_rule_lets_go_at_the_named_instant():
    """`clear` has to hold for its time; `next_at` names the end of it, and one microsecond before nothing changes."""
    rules = ruleset([TWO_LEVELS])
    *_, waiting = follow(rules, (8, 1), (0.5, 2))
    assert (waiting.severity, waiting.next_at) == (CRITICAL, START + 5 * MINUTE)
    assert waiting.held == {"r!critical": START + MINUTE, "r/clear": START + 2 * MINUTE}
    assert waiting.reasons[0].predicates[-2:] == (
        ("clear when rate < 1%", "0.5%", True),
        ("clear for 3m", "0s", False),
    )
    record = rated(0.5, held=waiting.held)
    early = evaluate(rules, record, START + 5 * MINUTE - timedelta(microseconds=1))
    done = evaluate(rules, record, START + 5 * MINUTE)
    assert (early.severity, early.cleared) == (CRITICAL, "")
    assert (done.severity, done.held, done.next_at) == (None, {}, None)
    assert done.cleared == "r is clear: clear when rate < 1% (0.5%), clear for 3m (3m)"
    assert done.reasons[0].say == "clear: clear when rate < 1% (0.5%), clear for 3m (3m)"


def test_a_level_that_holds_is_stronger_than_clear():
    """Where both are true nobody is let go: a rule that contradicts itself errs towards the page."""
    both = threshold("r", level(ERROR, "rate > 2%"), clear=clear("rate < 4%"))
    first, second = follow(ruleset([both]), (3, 1), (3, 2))
    assert [first.severity, second.severity] == [ERROR, ERROR]
    assert follow(ruleset([both]), (3, 1), (1, 2))[-1].severity is None


def test_what_was_never_claimed_has_nothing_to_clear():
    """Below every line from the start: no claim, nothing let go, no deadline."""
    (verdict,) = follow(ruleset([TWO_LEVELS]), (0.5, 1))
    assert (verdict.severity, verdict.cleared, verdict.held, verdict.next_at) == (None, "", {}, None)


def test_after_clearing_it_claims_anew():
    """Below, then above again: the claim begins anew with what is true now."""
    verdicts = follow(ruleset([TWO_LEVELS]), (8, 1), (0.5, 2), (0.5, 5), (3, 6))
    assert [each.severity for each in verdicts] == [CRITICAL, CRITICAL, None, ERROR]
    assert verdicts[-1].held == {"r!error": START + 6 * MINUTE}


def test_a_hold_can_begin_while_the_claim_stays():
    """A worse level with `for` raises the claim when its time has come, and the claim of the lower one goes into it."""
    rule = threshold("r", level(ERROR, "rate > 2%"), level(CRITICAL, "rate > 5%", 60), clear=clear("rate < 1%"))
    first, second, third = follow(ruleset([rule]), (8, 1), (8, 2), (1.5, 3))
    assert [each.severity for each in (first, second, third)] == [ERROR, CRITICAL, CRITICAL]
    assert third.held == {"r!critical": START + 2 * MINUTE}


@pytest.mark.parametrize(
    ("missing", "lets_go"), [(Missing.PAGE, False), (Missing.SKIP, False), (Missing.ASSUME_ZERO, True)]
)
def test_what_is_not_known_lets_nothing_go(missing, lets_go):
    """A missing fact clears only where it is assumed to be 0."""
    rules = ruleset([threshold("r", level(ERROR, "rate > 2%"), clear=clear("users < 1"))])
    rules = replace(rules, facts={"rate": FACTS["rate"], "users": replace(FACTS["users"], missing=missing)})
    held = evaluate(rules, rated(8), START).held
    verdict = evaluate(rules, rated(1, held=held), START + MINUTE)
    assert verdict.severity is (None if lets_go else ERROR)
    assert bool(verdict.cleared) is lets_go


def test_an_alert_is_let_go_when_every_rule_that_claimed_it_is_clear():
    """Two rules with `clear` at different lines: the alert is let go with the second."""
    rules = ruleset(
        [
            threshold("a", level(CRITICAL, "rate > 5%"), clear=clear("rate < 4%")),
            threshold("b", level(ERROR, "rate > 2%"), clear=clear("rate < 1%")),
        ]
    )
    first, second, third = follow(rules, (8, 1), (3, 2), (0.5, 3))
    assert [each.severity for each in (first, second, third)] == [CRITICAL, ERROR, None]
    assert [each.cleared for each in (first, second)] == ["", ""]
    assert third.cleared == "b is clear: clear when rate < 1% (0.5%)"


def test_a_rule_without_clear_keeps_the_alert():
    """One rule has cleared; another claimed it too and does not know how to let go (decision 0003)."""
    rules = ruleset(
        [
            threshold("a", level(CRITICAL, "rate > 5%"), clear=clear("rate < 4%")),
            threshold("b", level(ERROR, "rate > 2%")),
        ]
    )
    *_, last = follow(rules, (8, 1), (1, 2))
    assert (last.severity, last.cleared) == (None, "")
    assert last.held == {"b!error": START + MINUTE}


def test_an_exception_is_never_let_go():
    """An alert that an exception matches keeps its severity whatever clears."""
    rules = ruleset([TWO_LEVELS], [exception("e", WARNING)])
    verdicts = follow(rules, (8, 1), (0.5, 2), (0.5, 9))
    assert [each.severity for each in verdicts] == [CRITICAL, CRITICAL, WARNING]
    assert verdicts[-1].cleared == ""


def test_clear_may_depend_on_time_alone():
    """The instant at which a window empties is the instant at which the claim ends."""
    rule = threshold("r", level(ERROR, "occurrences in 10m >= 2"), clear=clear("occurrences in 10m < 2"))
    rules = ruleset([rule])
    starts = (START, START + MINUTE)
    first = evaluate(rules, remembered(starts=starts), START + MINUTE)
    assert (first.severity, first.next_at) == (ERROR, START + 10 * MINUTE)
    second = evaluate(rules, remembered(starts=starts, held=first.held), first.next_at)
    assert (second.severity, bool(second.cleared)) == (None, True)


def test_a_hold_beyond_the_calendar_is_not_armed():
    """At the end of the calendar nothing raises; the claim stays."""
    rule = threshold("r", level(ERROR, "rate > 2%"), clear=clear("rate < 1%", 366 * 86400.0))
    held = evaluate(ruleset([rule]), rated(8), END_OF_TIME).held
    verdict = evaluate(ruleset([rule]), rated(0.5, held=held), END_OF_TIME)
    assert (verdict.severity, verdict.next_at) == (ERROR, None)


CLEARS = st.builds(
    Clear,
    condition=st.sampled_from(
        ["rate < 4%", "users < 1", "downtime >= 9m", "occurrences in 10m < 2", "rule_occurrences in 10m < 2"]
    ).map(parse_condition),
    for_seconds=st.sampled_from([0.0, 60.0, 400.0]),
)
CONDITIONS = st.sampled_from(
    [
        "rate > 5%",
        "downtime >= 5m",
        "downtime < 12m",
        "revenue_loss >= 50000 EUR",
        "occurrences in 30m >= 2",
        "rule_occurrences in 20m >= 2",
        "distinct(pod) in 7m >= 2",
        "firing_alerts >= 2",
        "errors == 0",
        "asked > 5",
    ]
).map(parse_condition) | st.builds(
    lambda kind, parts: kind(parts=tuple(map(parse_condition, parts))),
    st.sampled_from([AnyOf, AllOf]),
    st.lists(st.sampled_from(["asked > 5", "rate > 5%", "downtime >= 5m"]), min_size=1, max_size=3),
)
LEVELS = st.builds(
    Level, severity=st.sampled_from(SEVERITIES), condition=CONDITIONS, for_seconds=st.sampled_from([0.0, 60.0, 400.0])
)
UNLESS = st.lists(st.just(Unless(open="cause", same=("env",), why="w")), max_size=1).map(tuple)
RULES = st.lists(
    st.builds(
        lambda levels, let_go, unless: threshold("", *levels, clear=let_go, unless=unless),
        st.lists(LEVELS, min_size=1, max_size=3, unique_by=lambda one: one.severity),
        st.none() | CLEARS,
        UNLESS,
    ),
    min_size=1,
    max_size=3,
).map(lambda rules: [replace(rule, name=f"r{number}") for number, rule in enumerate(rules)])
AROUND = st.builds(
    lambda firing, begun, cause, answer: Around(
        firing=firing,
        begun=[(START + at * MINUTE, {"pod": pod}) for at, pod in sorted(begun)],
        causes={"cause": [(7, "x", {"env": "prod"})] if cause else []},
        answers={"q": answer} if answer else {},
    ),
    st.integers(0, 3),
    st.lists(st.tuples(st.integers(-10, 0), st.sampled_from("ab")), max_size=4),
    st.booleans(),
    st.none() | st.tuples(st.sampled_from([None, 1.0, 9.0]), st.integers(-9, 0).map(lambda at: START + at * MINUTE)),
)
ASKED = FactSource(name="asked", kind="", key="", unit="", query=parse_query("q"))
RECENT = [START - 8 * MINUTE, START]


def asking(rules, missing=Missing.PAGE, **more):
    """Return rules that know the fact `asked`, which is asked of Prometheus."""
    prometheus = PrometheusSpec(url="http://x", timeout_seconds=2.0, cache_seconds=30.0)
    facts = {**FACTS, "asked": replace(ASKED, missing=missing, **more)}
    return replace(ruleset(rules), facts=facts, prometheus=prometheus)


def claims(verdict):
    """Return what the rules claim, without what was observed."""
    return (
        verdict.severity,
        verdict.rule,
        bool(verdict.cleared),
        [(each.rule, each.severity) for each in verdict.reasons],
    )


def lived(rules, around, minutes):
    """Judge an alert at these minutes, each time with what was held before; return the last verdict and its instant."""
    held, verdict, at = {}, None, START
    for minute in sorted(minutes):
        at = START + minute * MINUTE
        verdict = evaluate(rules, remembered(starts=RECENT, held=held), at, around)
        held = verdict.held
    return verdict, at


@settings(max_examples=300)
@given(RULES, AROUND, st.lists(st.integers(0, 30), min_size=1, max_size=4), st.floats(0, 1, exclude_max=True))
def test_nothing_changes_before_the_next_look(rules, around, minutes, share):
    """With `clear`, counts, causes and questions too: between now and `next_at` every rule claims the same."""
    known = asking(rules)
    now, at = lived(known, around, minutes)
    end = now.next_at or at + timedelta(days=3)
    assert end > at
    last = end - timedelta(microseconds=1)
    for between in (min(last, at + (end - at) * share), last):
        later = evaluate(known, remembered(starts=RECENT, held=now.held), between, around)
        assert claims(later)[:2] == claims(now)[:2]
        assert claims(later)[3] == claims(now)[3]


@settings(max_examples=200)
@given(RULES, RULES, AROUND, st.lists(st.integers(0, 30), min_size=1, max_size=4))
def test_adding_a_rule_never_lowers_a_severity(rules, more, around, minutes):
    """Whatever was claimed and let go before: a further rule can only raise the severity."""
    before, _ = lived(asking(rules), around, minutes)
    further = [replace(rule, name=f"m{number}") for number, rule in enumerate(more)]
    after, _ = lived(asking([*rules, *further]), around, minutes)
    assert before.severity is None or (after.severity is not None and after.severity.rank >= before.severity.rank)


@given(CLEARS, st.sampled_from(["rate > 5%", "downtime >= 5m"]), st.lists(st.integers(0, 40), min_size=1, max_size=5))
def test_at_the_next_look_a_clear_is_done_or_has_begun(let_go, text, minutes):
    """A deadline of a single rule is never in vain: the claim or what is held is another one there."""
    rules = ruleset([threshold("r", level(CRITICAL, text), clear=let_go)])
    now, _ = lived(rules, Around(), minutes)
    if now.next_at is not None:
        later = evaluate(rules, remembered(starts=RECENT, held=now.held), now.next_at, Around())
        assert (claims(later), later.held) != (claims(now), now.held)


# -------------------------------------------------------------------------------------------------- open causes

WAITS = threshold("symptom", level(ERROR), unless=(Unless(open="network", same=("region",), why="of the network"),))


def in_region(region, **more):
    """Return a record of an alert there."""
    return remembered(labels={**ALERT.labels, **({"region": region} if region else {})}, **more)


@pytest.mark.parametrize(
    ("mine", "causes", "quiet"),
    [
        ("eu", [(7, "network", {"region": "eu"})], True),
        ("eu", [(7, "network", {"region": "us"})], False),
        ("eu", [(7, "network", {"region": "us"}), (8, "network", {"region": "eu"})], True),
        ("eu", [(7, "network", {})], False),
        ("", [(7, "network", {})], True),
        ("eu", [], False),
        ("eu", [(7, "symptom", {"region": "eu"})], False),
        ("eu", [(3, "network", {"region": "eu"})], False),
    ],
    ids=[
        "agrees",
        "elsewhere",
        "one agrees",
        "absent there",
        "absent in both",
        "none",
        "its own rule",
        "its own incident",
    ],
)
def test_a_rule_is_quiet_while_an_incident_that_agrees_is_open(mine, causes, quiet):
    """Of another rule, in every label that has to be the same; absent is the empty text, as in Alertmanager."""
    record = replace(in_region(mine), incident=3)
    verdict = evaluate(ruleset([WAITS]), record, START, Around(causes={"network": causes}))
    assert (verdict.severity is None) is quiet
    assert verdict.quiet_for == (("network",) if quiet else ())
    seen = "INC-" if quiet else "no such incident is open"
    text, observed, outcome = verdict.reasons[0].predicates[0]
    assert (text, outcome) == ("unless network is open, same region", quiet)
    assert observed.startswith(seen)
    if quiet:
        assert verdict.reasons[0].say == "quiet: of the network"


def test_labels_and_an_open_incident_may_both_be_needed():
    """`match` with `open`: only alerts that match wait."""
    both = Unless(match=parse_matchers("env=prod"), open="network", why="w")
    other = replace(both, match=parse_matchers("env=dev"))
    around = Around(causes={"network": [(7, "x", {})]})
    severities = [
        evaluate(ruleset([replace(WAITS, unless=(one,))]), remembered(), START, around).severity
        for one in (both, other)
    ]
    assert severities == [None, ERROR]


def test_what_is_quiet_goes_on_measuring():
    """The hold passes while the cause is open: when it ends, the claim is there at once."""
    rule = replace(WAITS, levels=(Level(severity=ERROR, condition=parse_condition("rate > 2%"), for_seconds=300.0),))
    around = Around(causes={"network": [(7, "x", {})]})
    quiet = evaluate(ruleset([rule]), in_region(""), START, around)
    assert (quiet.severity, quiet.held) == (None, {"symptom/error": START})
    after = evaluate(ruleset([rule]), in_region("", held=quiet.held), START + 6 * MINUTE)
    assert after.severity is ERROR


# --------------------------------------------------------------------------------------------------------- asked


def asked(text="asked > 5", record=None, around=None, at=START, missing=Missing.PAGE, hold=0.0, **more):
    """Return the verdict of a rule that asks."""
    rules = asking([threshold("r", level(ERROR, text, hold))], missing, **more)
    return evaluate(rules, record or remembered(), at, around or Around())


def test_before_the_answer_nothing_is_claimed():
    """The query is named for whoever asks, the time limit is a deadline, and nothing is missing yet."""
    verdict = asked()
    assert (verdict.severity, verdict.asks, verdict.next_at) == (None, ("q",), START + 2 * SECOND)
    assert verdict.held == {"?asked": START}
    assert verdict.reasons[0].predicates == (("asked > 5", "being asked", False),)


@pytest.mark.parametrize(
    ("missing", "severity"), [(Missing.PAGE, ERROR), (Missing.SKIP, None), (Missing.ASSUME_ZERO, None)]
)
def test_without_an_answer_in_time_the_fact_is_missing(missing, severity):
    """At the limit, not a microsecond before; then it is asked again each time the cache would run out."""
    held = asked().held
    early = asked(record=remembered(held=held), at=START + 2 * SECOND - timedelta(microseconds=1), missing=missing)
    late = asked(record=remembered(held=held), at=START + 2 * SECOND, missing=missing)
    assert early.severity is None
    assert (late.severity, late.next_at, late.asks) == (severity, START + 32 * SECOND, ("q",))


@pytest.mark.parametrize(("value", "severity"), [(6.0, ERROR), (5.0, None), (None, ERROR)])
def test_an_answer_counts_until_it_is_stale(value, severity):
    """A number is compared; no number is a missing fact. When the cache runs out it is asked again."""
    verdict = asked(around=answered(value, START - 10 * SECOND))
    assert (verdict.severity, verdict.next_at, verdict.asks, verdict.held) == (severity, START + 20 * SECOND, (), {})


def test_a_stale_answer_counts_while_it_is_asked_again():
    """Until the limit the old number stands; after it the fact is missing, whatever it once was."""
    around = answered(9.0, START - 30 * SECOND)
    first = asked(around=around, missing=Missing.SKIP)
    assert (first.severity, first.asks, first.next_at) == (ERROR, ("q",), START + 2 * SECOND)
    late = asked(record=remembered(held=first.held), around=around, at=START + 2 * SECOND, missing=Missing.SKIP)
    assert late.severity is None


def test_a_question_breaks_no_hold():
    """Between two answers the hold goes on; before the first it does not begin."""
    begun = asked(hold=60.0, around=answered(9.0))
    assert begun.held == {"r/error": START}
    waiting = asked(hold=60.0, record=remembered(held=begun.held), at=START + MINUTE)
    assert (waiting.severity, waiting.held) == (None, {"r/error": START, "?asked": START + MINUTE})
    assert asked(hold=60.0).held == {"?asked": START}


def test_a_question_breaks_no_clearing():
    """The time that it has been clear goes on while a new answer is awaited; nothing is let go meanwhile."""
    rules = asking([threshold("r", level(ERROR, "rate > 5%"), clear=clear("asked < 5", 60))])
    held = {"r!error": START, "r/clear": START}
    waiting = evaluate(rules, rated(1, held=held), START + 5 * MINUTE, Around())
    assert (waiting.severity, waiting.held["r/clear"], waiting.cleared) == (ERROR, START, "")
    never = evaluate(rules, rated(1, held={"r!error": START}), START + 5 * MINUTE, Around())
    assert "r/clear" not in never.held


@pytest.mark.parametrize(
    ("kind", "parts", "severity"),
    [
        (AnyOf, ("asked > 5", "rate > 5%"), ERROR),
        (AnyOf, ("asked > 5", "rate > 50%"), None),
        (AllOf, ("asked > 5", "rate > 5%"), None),
        (AllOf, ("asked > 5", "rate > 50%"), None),
    ],
    ids=["enough without it", "open", "open as well", "settled without it"],
)
def test_what_the_answer_cannot_change_does_not_wait(kind, parts, severity):
    """One true part of `any`, one false part of `all`, and the question decides nothing."""
    rule = threshold("r", Level(severity=ERROR, condition=kind(parts=tuple(map(parse_condition, parts)))))
    assert evaluate(asking([rule]), remembered(), START, Around()).severity is severity


def test_the_alert_is_believed_before_prometheus():
    """`or_query` is asked only where the alert does not say it, or says no number."""
    more = {"kind": "annotation", "key": "users"}
    said = asked(record=remembered(annotations={"users": "9"}), **more)
    assert (said.severity, said.asks) == (ERROR, ())
    assert asked(record=remembered(annotations={"users": "many"}), **more).asks == ("q",)


def test_a_query_without_its_label_is_a_missing_fact():
    """The alert has no such label: nothing is asked, `missing` decides at once."""
    verdict = asked(query=parse_query('up{x="{{ nowhere }}"}'))
    assert (verdict.severity, verdict.asks) == (ERROR, ())
    assert asked("asked > 5 EUR").asks == ()


def test_rules_without_a_prometheus_wait_no_longer():
    """A rule set put together by hand may have none: the defaults of its section count."""
    rules = replace(asking([threshold("r", level(ERROR, "asked > 5"))]), prometheus=None)
    assert evaluate(rules, remembered(), START, Around()).next_at == START + 2 * SECOND
    assert evaluate(rules, remembered(), END_OF_TIME + 59 * SECOND, Around()).severity is ERROR


# ---------------------------------------------------------------------------------------------------- and besides


def test_traits_of_a_service_are_matched_like_labels():
    """One value that equals is enough; `!=` is about all; the alert's own label counts too."""
    shop = Service(name="checkout", segments=("retail", "enterprise"), regulated=("pii",), depends_on=("db",))
    rules = [
        threshold(text, level(INFO), match=text)
        for text in (
            'segment="enterprise"',
            'segment="gold"',
            'segment!="retail"',
            'segment=~"retail|enterprise"',
            'regulated=~"p.*", depends_on="db"',
            'env="prod"',
            'env="prod", segment!~"gold|silver"',
        )
    ]
    record = remembered(labels={**ALERT.labels, "segment": "gold"})
    verdicts = [evaluate(ruleset(rules, services=[shop], indexed=mode), record, START) for mode in (True, False)]
    found = [[reason.rule for reason in verdict.reasons] for verdict in verdicts]
    expected = [
        'segment="enterprise"',
        'segment="gold"',
        'segment=~"retail|enterprise"',
        'regulated=~"p.*", depends_on="db"',
        'env="prod"',
    ]
    assert found == [expected, expected]


@pytest.mark.parametrize("kind", ["threshold", "exception", "unmatched", "quiet"])
def test_a_regime_adds_its_policy_to_every_incident_of_its_services(kind):
    """Whatever opened it; what pages nobody adds nothing. A policy named twice is there once."""
    shop = Service(name="checkout", policy="payments", regulated=("pii", "pci", "none"))
    rules = {
        "threshold": ruleset([threshold("r", level(ERROR))], services=[shop]),
        "exception": ruleset([], [exception("e", ERROR, also=("legal",))], services=[shop]),
        "unmatched": ruleset([threshold("r", level(ERROR), match="a=b")], services=[shop]),
        "quiet": ruleset([threshold("r", level(ERROR, "rate > 50%"))], services=[shop]),
    }[kind]
    verdict = evaluate(replace(rules, regimes={"pii": "legal", "pci": "card"}), remembered(), START)
    expected = {
        "threshold": ("payments", "legal", "card"),
        "exception": ("payments", "legal", "card"),
        "unmatched": ("platform", "legal", "card"),
        "quiet": ("payments",),
    }
    assert verdict.policies == expected[kind]


def test_what_makes_its_own_alerts_judges_those_alone():
    """A sender that uses the name of such a rule is judged by everybody else."""
    rule = threshold("watch", level(ERROR), match='alertname="watch"')
    rule = replace(rule, absent=Absent(match=parse_matchers("a=b"), for_seconds=60.0))
    labels = {"alertname": "watch"}
    spoofed = evaluate(ruleset([rule]), remembered(labels=labels), START)
    own = evaluate(ruleset([rule]), remembered(labels=labels, source=OWN_SOURCE), START)
    assert (spoofed.rule, own.rule) == ("unmatched", "watch")


def test_counts_are_facts_of_the_rule():
    """`firing_alerts`, `rule_occurrences` and `distinct` come from around, with their deadlines."""
    begun = [
        (START, {"pod": "a"}),
        (START + MINUTE, {"pod": "b"}),
        (START + MINUTE, {"pod": "b"}),
        (START + MINUTE, {}),
    ]
    around = Around(firing=3, begun=begun)
    for text, value, next_at in (
        ("firing_alerts >= 3", "3", None),
        ("rule_occurrences in 10m >= 4", "4", START + 10 * MINUTE),
        ("distinct(pod) in 10m >= 2", "2", START + 10 * MINUTE),
        ("distinct(pod) in 10m >= 1", "2", START + 11 * MINUTE),
    ):
        verdict = evaluate(ruleset([threshold("r", level(ERROR, text))]), remembered(), START + 2 * MINUTE, around)
        assert verdict.reasons[0].predicates == ((text, value, True),)
        assert verdict.next_at == next_at


def test_an_alert_by_itself_counts_itself():
    """Without anything around, a rule counts the alert it looks at."""
    rules = ruleset(
        [threshold("r", level(ERROR, "firing_alerts >= 1"), level(CRITICAL, "rule_occurrences in 1h >= 2"))]
    )
    record = remembered(starts=(START - MINUTE, START))
    assert evaluate(rules, record, START).severity is CRITICAL
    assert evaluate(asking([threshold("r", level(ERROR, "asked > 1"))]), record, START).asks == ("q",)


def test_quantities_of_the_source_are_compared():
    """An answer is in the fact's unit."""
    verdict = asked("asked > 5 users", unit="users", around=answered(6.0))
    assert verdict.reasons[0].predicates == (("asked > 5 users", str(Quantity(6.0, "users")), True),)


def test_a_rule_names_the_alerts_that_it_makes():
    """One for what is absent, one for each kind of anomaly; none for a rule that looks at others."""
    rule = threshold("r", level(ERROR))
    absent = replace(rule, absent=Absent(match=parse_matchers("a=b"), for_seconds=60.0))
    unusual = replace(rule, anomaly=Anomaly(source="am", kinds=tuple(AnomalyKind), factor=3.0))
    found = [each.own_fingerprints for each in (rule, absent, unusual)]
    assert found == [(), ("r",), ("r/storm", "r/silence")]
    assert [each.makes_alerts for each in (rule, absent, unusual)] == [False, True, True]
