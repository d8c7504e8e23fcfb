"""Rules that can never do anything, where that can be proved simply; and that no exception can be hidden.

Sound, not complete: whatever is said here is so for every alert there can be; a rule of which nothing is said may still
be one that no alert ever meets. Expressions are compared as texts and tried on listed values, never solved.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import product
from math import inf, prod

from escalatord.core.alert import SEVERITY_RANK, Alert, AlertStatus
from escalatord.core.around import ALONE, Alone, Around, OpenCause
from escalatord.core.evaluate import evaluate
from escalatord.core.facts import DOWNTIME, OCCURRENCES, REVENUE_LOSS, missing_of
from escalatord.core.matchers import Matcher, MatcherIndex, Matchers, MatchOp
from escalatord.core.mutes import Inhibit, Maintenance, Silence, Silences, Span, Template
from escalatord.core.rules import (
    AlertRecord,
    AllOf,
    AnyOf,
    Comparison,
    Condition,
    ExceptionRule,
    FactSource,
    Level,
    Missing,
    Service,
    ThresholdRule,
    Unless,
)
from escalatord.core.ruleset import Ruleset
from escalatord.core.values import replace

CASES_MAX = 256
"""Combinations of listed label values that are tried one by one; with more, labels are looked at apart."""
OPPOSITE: Mapping[MatchOp, MatchOp] = {
    MatchOp.EQUAL: MatchOp.NOT_EQUAL,
    MatchOp.NOT_EQUAL: MatchOp.EQUAL,
    MatchOp.MATCHES: MatchOp.NOT_MATCHES,
    MatchOp.NOT_MATCHES: MatchOp.MATCHES,
}
SIMPLER = ((r"\.", "."), (".*", ""), (".+", "x"), (r"\d+", "1"), (r"\d", "1"), ("[0-9]+", "1"), ("[0-9]", "1"))
"""What makes a text that an expression matches out of the expression, for most that people write."""
GROUP = re.compile(r"\((?:\?:)?([^()|]*)(?:\|[^()]*)?\)")  # of its choices, the first
NEVER_NEGATIVE = frozenset((DOWNTIME, REVENUE_LOSS, OCCURRENCES))
NEVER_MISSING = frozenset((DOWNTIME, OCCURRENCES))
TRAITS = frozenset(Service(name="", segments=("",)).traits)
"""Labels that an alert has from its service, with several values at once: nothing follows from one of them."""
SOME_TIME = datetime(2000, 1, 1, tzinfo=UTC)
ANY_WHILE = timedelta(hours=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outdone:
    """A level that can never be what its rule claims: `by` claims first whenever it would, None = it contradicts."""

    level: Level
    by: Level | None


def contradiction(match: Matchers) -> str:
    """Return the label for which no value can match, "" when there may be one."""
    for name, matchers in _by_label(match).items():
        if name in TRAITS:
            continue
        listed = _listed(matchers)
        if listed is not None and not listed:
            return name
        if any(_same(one, OPPOSITE[other.op], other) for one in matchers for other in matchers):
            return name
    return ""


def covering(match: Matchers, unless: Sequence[Unless]) -> tuple[Unless, ...]:
    """Return the `unless` entries of which one matches whatever `match` matches; none when something may get by."""
    labels = {name: _listed(matchers) for name, matchers in _by_label(match).items()}
    several = {name: sorted(values) for name, values in labels.items() if values is not None and name not in TRAITS}
    if prod(len(values) for values in several.values()) > CASES_MAX:
        several = {}
    found: dict[Unless, None] = {}
    for values in product(*several.values()):
        case = dict(zip(several, values, strict=True))
        covers = next((one for one in unless if _covers(one, match, case)), None)
        if covers is None:
            return ()
        found[covers] = None
    return tuple(one for one in unless if one in found)


def outdone(rule: ThresholdRule, facts: Mapping[str, FactSource]) -> Iterator[Outdone]:
    """Yield the levels of a rule that it can never claim."""
    worst_first = sorted(rule.levels, key=lambda level: -SEVERITY_RANK[level.severity])
    for number, level in enumerate(worst_first):
        if level.condition is not None and _impossible(level.condition, facts):
            yield Outdone(level=level, by=None)
            continue
        for worse in worst_first[:number]:
            if worse.for_seconds <= level.for_seconds and _implies(level.condition, worse.condition):
                yield Outdone(level=level, by=worse)
                break


def hidden_exceptions(ruleset: Ruleset) -> tuple[tuple[ExceptionRule, ...], int]:
    """Return the exceptions that other rules hide from an alert made for them, and how many were shown not to be.

    Exceptions are evaluated first and only add, so there should be none; here the engine's own `evaluate` says so: in
    peace, inside every window of the rules, with the cause of every inhibition open, and under a silence, a window and
    an inhibition made for this very alert.
    """
    hidden: list[ExceptionRule] = []
    shown = 0
    for rule in ruleset.exceptions:
        labels = _example(rule.match)
        if labels is None:
            continue
        if all(_is_heard(night, rule, labels, at, around) for night, at, around in _nights(ruleset, labels)):
            shown += 1
        else:
            hidden.append(rule)
    return tuple(hidden), shown


def _is_heard(ruleset: Ruleset, rule: ExceptionRule, labels: Mapping[str, str], now: datetime, around: Around) -> bool:
    """Return whether an alert with these labels gets what an exception says."""
    alert = Alert(
        source="",
        fingerprint="",
        status=AlertStatus.FIRING,
        starts_at=now,
        title="",
        severity=None,
        labels=labels,
    )
    record = AlertRecord(alert=alert, opened_at=now, last_seen_at=now, starts=(now,))
    verdict = evaluate(ruleset, record, now, around)
    heard = verdict.pages is not None and SEVERITY_RANK[verdict.pages] >= SEVERITY_RANK[rule.severity]
    routed = {*rule.also, *((rule.policy,) if rule.policy else ())} <= set(verdict.policies)
    return heard and routed and any(reason.rule == rule.name for reason in verdict.reasons)


class _Muted(Alone):
    """Surroundings in which an alert is silenced, and every cause is open with the same labels."""

    def __init__(self, labels: Mapping[str, str], silence: Silence) -> None:
        self._cause = OpenCause(incident=1, rule="", labels=labels)
        self._silences = Silences((silence,))

    def causes(self, name: str) -> Iterable[OpenCause]:
        """Return one alert for any cause."""
        del name
        return (self._cause,)

    def silences(self) -> Silences:
        """Return the silence."""
        return self._silences


def _nights(ruleset: Ruleset, labels: Mapping[str, str]) -> Iterator[tuple[Ruleset, datetime, Around]]:
    """Yield the rules, instants and surroundings in which an alert with these labels could be muted, if any could."""
    yield ruleset, SOME_TIME, ALONE
    windows = [each for each in ruleset.suppress if isinstance(each, Maintenance)]
    match = Matchers(
        matchers=tuple(Matcher(name=name, op=MatchOp.EQUAL, value=value) for name, value in labels.items()), text=""
    )
    for at in dict.fromkeys((SOME_TIME, *(span.start for window in windows for span in window.spans(SOME_TIME)))):
        span = Span(at, at + ANY_WHILE)
        silence = Silence(match=match, start=span.start, end=span.end, why="", by="", apply_to_open=True)
        made = (
            Maintenance(number=0, match=match, once=span, why="", by="", apply_to_open=True),
            Inhibit(number=0, when="", mute=Template(text="", fixed=match, holes=()), why="", by=""),
        )
        suppress = (*ruleset.suppress, *made)
        index = MatcherIndex([each.match for each in suppress])
        yield replace(ruleset, suppress=suppress, suppress_index=index), at, _Muted(labels, silence)


def _by_label(match: Matchers) -> dict[str, list[Matcher]]:
    found: dict[str, list[Matcher]] = {}
    for matcher in match.matchers:
        found.setdefault(matcher.name, []).append(matcher)
    return found


def _listed(matchers: Iterable[Matcher]) -> frozenset[str] | None:
    """Return the values of a label that all of its matchers accept, None when they cannot be listed."""
    lists = [matcher.accepted for matcher in matchers if matcher.accepted is not None]
    if not lists:
        return None
    common = frozenset.intersection(*lists)
    return frozenset(text for text in common if all(one.matches({one.name: text}) for one in matchers))


def _same(one: Matcher, op: MatchOp, other: Matcher) -> bool:
    return one.op is op and one.value == other.value


def _covers(unless: Unless, match: Matchers, case: Mapping[str, str]) -> bool:
    """Return whether every alert that matches, with these values of listed labels, is kept quiet."""
    if unless.open or unless.match is None:
        return False
    return all(_follows(wanted, match, case) for wanted in unless.match.matchers)


def _follows(wanted: Matcher, match: Matchers, case: Mapping[str, str]) -> bool:
    """Return whether every alert that matches, with these values of listed labels, matches `wanted` too."""
    if wanted.name in case:
        return wanted.matches(case)
    matchers = _by_label(match).get(wanted.name, [])
    listed = _listed(matchers)
    if listed is not None and wanted.name not in TRAITS:
        return all(wanted.matches({wanted.name: text}) for text in listed)
    return any(_same(one, wanted.op, wanted) for one in matchers)


def _impossible(condition: Condition, facts: Mapping[str, FactSource]) -> bool:
    """Return whether a condition is false whatever is measured, and also when it cannot be measured."""
    if isinstance(condition, AnyOf):
        return all(_impossible(part, facts) for part in condition.parts)
    parts = condition.parts if isinstance(condition, AllOf) else (condition,)
    ranges: dict[tuple[str, str, float, str], list[Comparison]] = {}
    for part in parts:
        if not isinstance(part, Comparison):
            if _impossible(part, facts):
                return True
        elif part.fact in NEVER_MISSING or missing_of(part, facts) is not Missing.PAGE:
            ranges.setdefault(_quantity(part), []).append(part)
    return any(_empty(together) for together in ranges.values())


def _quantity(comparison: Comparison) -> tuple[str, str, float, str]:
    """Return what is compared: comparisons of the same can be set against one another."""
    return comparison.fact, comparison.limit.unit, comparison.window_seconds, comparison.label


def _empty(together: Sequence[Comparison]) -> bool:
    """Return whether no number satisfies all of these comparisons of one quantity."""
    low, low_open = (0.0, False) if together[0].fact in NEVER_NEGATIVE else (-inf, True)
    high, high_open = inf, True
    for one in together:
        limit = one.limit.value
        if one.op in (">", ">=", "==") and (limit, one.op == ">") > (low, low_open):
            low, low_open = limit, one.op == ">"
        if one.op in ("<", "<=", "==") and (limit, one.op != "<") < (high, not high_open):
            high, high_open = limit, one.op == "<"
    if low > high or (low == high and (low_open or high_open)):
        return True
    return low == high and any(one.op == "!=" and one.limit.value == low for one in together)


def _implies(lower: Condition | None, worse: Condition | None) -> bool:
    """Return whether `worse` is true whenever `lower` is; None is always true."""
    if worse is None:
        return True
    if lower is None:
        return False
    if isinstance(worse, AllOf):
        return all(_implies(lower, part) for part in worse.parts)
    if isinstance(lower, AnyOf):
        return all(_implies(part, worse) for part in lower.parts)
    if isinstance(worse, AnyOf):
        return any(_implies(lower, part) for part in worse.parts)
    if isinstance(lower, AllOf):
        return any(_implies(part, worse) for part in lower.parts)
    if _quantity(lower) != _quantity(worse):
        return False
    mine, theirs = lower.limit.value, worse.limit.value
    if worse.op in (">", ">="):
        reaches = mine > theirs or (mine == theirs and (worse.op == ">=" or lower.op == ">"))
        return lower.op in (">", ">=", "==") and reaches
    if worse.op in ("<", "<="):
        reaches = mine < theirs or (mine == theirs and (worse.op == "<=" or lower.op == "<"))
        return lower.op in ("<", "<=", "==") and reaches
    return lower.op == worse.op and mine == theirs


def _example(match: Matchers) -> dict[str, str] | None:
    """Return labels that match, None when none are easily found."""
    labels: dict[str, str] = {}
    for name, matchers in _by_label(match).items():
        tried = [*sorted(_listed(matchers) or ()), "", "x"]
        for matcher in matchers:
            for choice in GROUP.sub(r"\1", matcher.value).split("|"):
                text = choice.strip("()^$")
                for expression, simple in SIMPLER:
                    text = text.replace(expression, simple)
                tried.append(text)
        found = next((text for text in tried if all(one.matches({name: text}) for one in matchers)), None)
        if found is None:
            return None
        if found:
            labels[name] = found
    return labels if match.matches(labels) else None
