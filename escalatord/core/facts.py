"""Facts: named quantities of an alert that rules compare, and when time alone changes a comparison.

- Built in: `downtime` (since the sender's `starts_at`, never negative), `revenue_loss` (the service's revenue per hour
  times the downtime), `occurrences in W` (episodes of this fingerprint that reached us within the last W).
- About every alert that the rule matches (of the same `group_by` values): `firing_alerts`, `rule_occurrences in W`
  (episodes that reached us within the last W) and `distinct(label) in W` (how many values of a label they had).
- Asked of Prometheus: in `claims`, because only who judges knows how long to wait.
- Configured: read from a label, an annotation or a value. A bare number takes the fact's unit.
- A fact *cannot be had* (None) when it is absent, is no number, is not finite, or counts something else than the fact
  or the limit says. What a rule makes of that is the fact's `missing`; the default pages.
- A comparison that time alone will change names the instant: at it the outcome is the other one, a microsecond before
  it is not.
"""

import math
import operator
import re
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final

from escalatord.core.around import BEGUN_MAX, Tally
from escalatord.core.rules import (
    EPISODE_STARTS_MAX,
    AlertRecord,
    Comparison,
    Condition,
    FactSource,
    Missing,
    Service,
)
from escalatord.core.units import UNIT_COUNT, UNIT_SECONDS, Quantity, parse_duration_seconds, parse_quantity

DOWNTIME: Final = "downtime"
REVENUE_LOSS: Final = "revenue_loss"
OCCURRENCES: Final = "occurrences"
FIRING_ALERTS: Final = "firing_alerts"
RULE_OCCURRENCES: Final = "rule_occurrences"
DISTINCT: Final = "distinct"
WINDOWED_FACTS: Final = frozenset((OCCURRENCES, RULE_OCCURRENCES, DISTINCT))
TALLIED_FACTS: Final = frozenset((FIRING_ALERTS, RULE_OCCURRENCES, DISTINCT))
BUILT_IN_FACTS: Final = TALLIED_FACTS | {DOWNTIME, REVENUE_LOSS, OCCURRENCES}
ACCRUING_FACTS: Final = frozenset((DOWNTIME, REVENUE_LOSS))

MICROSECOND: Final = timedelta(microseconds=1)
MICROSECONDS: Final = 1_000_000
SECONDS_PER_HOUR: Final = 3600.0
# past 285 years a float no longer tells neighbouring microseconds apart; such crossings are not armed
CROSSING_MICROSECONDS_MAX: Final = 2**53
# how far the rounding of a few float operations can move a crossing below that bound
ROUNDING_MICROSECONDS: Final = 16

OPERATORS: Final[Mapping[str, Callable[[float, float], bool]]] = {
    ">": operator.gt,
    ">=": operator.ge,
    "<": operator.lt,
    "<=": operator.le,
    "==": operator.eq,
    "!=": operator.ne,
}
CONDITION: Final = re.compile(
    r"\s*(?P<fact>[^\W\d]\w*)(?:\(\s*(?P<label>[^\W\d]\w*)\s*\))?(?:\s+in\s+(?P<window>\w+))?"
    r"\s*(?P<op>>=|<=|==|!=|>|<)\s*(?P<limit>[^<>=!]*)",
    re.ASCII,
)


def parse_condition(text: str) -> Comparison:
    """Return the comparison written in `text`: `downtime >= 15m`, `occurrences in 30m >= 3`.

    Raise ValueError with a sentence when it is none. Whether fact and limit fit is asked by `check_units`.
    """
    found = CONDITION.fullmatch(text)
    if found is None:
        raise ValueError(
            f'"{text}" is not a condition; write a fact, one of > >= < <= == != and a limit, like downtime >= 15m'
        )
    limit = parse_quantity(found["limit"])
    if not math.isfinite(limit.value):
        raise ValueError(f'the limit in "{text}" is too large')
    window, label = found["window"], found["label"]
    seconds = parse_duration_seconds(window) if window else 0.0
    if (found["fact"] == DISTINCT) is (label is None):
        raise ValueError(f'"{text}": {DISTINCT}, and nothing else, needs a label, like {DISTINCT}(pod) in 2m >= 5')
    if (found["fact"] in WINDOWED_FACTS) is (window is None):
        windowed = ", ".join(sorted(WINDOWED_FACTS))
        raise ValueError(f'"{text}": {windowed}, and nothing else, needs a window, like {OCCURRENCES} in 30m >= 3')
    if window and not seconds:
        raise ValueError(f'"{text}": a window of {window} is always empty')
    return Comparison(
        fact=found["fact"],
        op=found["op"],
        limit=limit,
        window_seconds=seconds,
        label=label or "",
        text=text.strip(),
    )


def check_units(condition: Condition, facts: Mapping[str, FactSource], services: Mapping[str, Service]) -> list[str]:
    """Return a sentence for every comparison in `condition` that can never mean anything; empty when all fit."""
    return [
        f'"{comparison.text}": {complaint}'
        for comparison in comparisons(condition)
        if (complaint := _complaint(comparison, facts, services))
    ]


def comparisons(condition: Condition) -> Iterator[Comparison]:
    """Give every comparison in `condition`, in the order written."""
    if isinstance(condition, Comparison):
        yield condition
        return
    for part in condition.parts:
        yield from comparisons(part)


def observe(
    comparison: Comparison,
    record: AlertRecord,
    service: Service | None,
    sources: Mapping[str, FactSource],
    now: datetime,
) -> tuple[Quantity | None, datetime | None]:
    """Return what the compared fact is now, and the instant at which time alone changes the comparison's outcome.

    None for a fact that cannot be had, or is not comparable with the limit; None for an instant that never comes.
    """
    match comparison.fact:
        case "downtime":
            return _downtime(comparison, record, now)
        case "revenue_loss":
            return _revenue_loss(comparison, record, service, now)
        case "occurrences":
            return _leaving(comparison, record.starts, now)
        case _:
            source = sources.get(comparison.fact)
            return (None if source is None else measured(comparison, record, source)), None


def holds(comparison: Comparison, value: float) -> bool:
    """Return whether the comparison is true of `value`, in the limit's unit."""
    return OPERATORS[comparison.op](value, comparison.limit.value)


def missing_of(comparison: Comparison, sources: Mapping[str, FactSource]) -> Missing:
    """Return what a missing fact means here; built-in and unknown ones page."""
    source = sources.get(comparison.fact)
    return Missing.PAGE if source is None else source.missing


def _downtime(comparison: Comparison, record: AlertRecord, now: datetime) -> tuple[Quantity | None, datetime | None]:
    if comparison.limit.unit not in (UNIT_SECONDS, UNIT_COUNT):
        return None, None
    elapsed = (now - record.alert.starts_at).total_seconds()
    crossing = _crossing(comparison, record.alert.starts_at, now, 1.0)
    return Quantity(max(0.0, elapsed), UNIT_SECONDS), crossing


def _revenue_loss(
    comparison: Comparison, record: AlertRecord, service: Service | None, now: datetime
) -> tuple[Quantity | None, datetime | None]:
    rate = None if service is None else service.revenue_per_hour
    if rate is None or comparison.limit.unit not in (rate.unit, UNIT_COUNT) or not 0.0 <= rate.value < math.inf:
        return None, None
    per_second = rate.value / SECONDS_PER_HOUR
    elapsed = (now - record.alert.starts_at).total_seconds()
    crossing = _crossing(comparison, record.alert.starts_at, now, per_second)
    return Quantity(max(0.0, elapsed) * per_second, rate.unit), crossing


def count(comparison: Comparison, tally: Tally, now: datetime) -> tuple[Quantity | None, datetime | None]:
    """Return what one of TALLIED_FACTS is now, and when time alone changes the comparison's outcome, as `observe`."""
    if comparison.limit.unit != UNIT_COUNT:
        return None, None
    match comparison.fact:
        case "firing_alerts":
            return Quantity(float(tally.firing)), None
        case "rule_occurrences":
            return _leaving(comparison, [each.at for each in tally.begun], now)
        case _:
            # a value is gone when the last beginning with it is
            last = {each.labels.get(comparison.label, ""): each.at for each in tally.begun}
            return _leaving(comparison, [at for value, at in last.items() if value], now)


def _leaving(
    comparison: Comparison, starts: Sequence[datetime], now: datetime
) -> tuple[Quantity | None, datetime | None]:
    """Return how many of `starts` lie within the window, and when enough have left it to change the outcome."""
    if comparison.limit.unit != UNIT_COUNT:
        return None, None
    try:
        window = timedelta(seconds=comparison.window_seconds)
        recent = sorted(start + window for start in starts)
    except OverflowError:
        return Quantity(float(len(starts))), None
    leaving = [end for end in recent if end > now]
    number = len(leaving)
    truth = holds(comparison, float(number))
    for left, end in enumerate(leaving, start=1):
        if holds(comparison, float(number - left)) is not truth:
            return Quantity(float(number)), end
    return Quantity(float(number)), None


def measured(comparison: Comparison, record: AlertRecord, source: FactSource) -> Quantity | None:
    """Return a configured fact as the alert says it; None when it is absent, no number, or counts something else."""
    alert = record.alert
    if not source.kind:
        return None
    try:
        if source.kind == "value":
            found = alert.values[source.key]
        else:
            found = parse_quantity((alert.labels if source.kind == "label" else alert.annotations)[source.key])
        finite = math.isfinite(found.value)
    except (KeyError, ValueError, OverflowError):  # absent, no number, an integer beyond any float
        return None
    unit = found.unit or source.unit
    if not finite or unit != source.unit or comparison.limit.unit not in (unit, UNIT_COUNT):
        return None
    return found if found.unit else Quantity(found.value, unit)


def _crossing(comparison: Comparison, start: datetime, now: datetime, per_second: float) -> datetime | None:
    """Return the next instant after `now` at which the comparison with a quantity growing since `start` changes."""
    limit = comparison.limit.value
    if per_second <= 0.0 or limit < 0.0:
        return None
    seconds = limit / per_second
    if seconds * MICROSECONDS >= CROSSING_MICROSECONDS_MAX:
        return None
    # floats round: look for the first microseconds of which the comparison itself will say so
    guess = int(seconds * MICROSECONDS)
    near = range(max(0, guess - ROUNDING_MICROSECONDS), guess + ROUNDING_MICROSECONDS)
    reached = near.start + bisect_left(near, limit, key=lambda micros: micros / MICROSECONDS * per_second)
    passed = near.start + bisect_right(near, limit, key=lambda micros: micros / MICROSECONDS * per_second)
    match comparison.op:
        case ">=" | "<":
            points: tuple[int, ...] = (reached,)
        case ">" | "<=":
            points = (passed,)
        case _:
            # equal only if a microsecond falls on the limit
            points = (reached, passed) if reached < passed else ()
    try:
        # at 0 the quantity starts to grow: before, it is 0 as well, so nothing changes there
        instants = [start + point * MICROSECOND for point in points if point > 0]
    except OverflowError:
        return None
    return min((instant for instant in instants if instant > now), default=None)


def _complaint(comparison: Comparison, facts: Mapping[str, FactSource], services: Mapping[str, Service]) -> str:
    """Say why a comparison can never mean anything; "" when it can."""
    limit = comparison.limit
    match comparison.fact:
        case "downtime":
            units = {UNIT_SECONDS}
        case "revenue_loss":
            units = {service.revenue_per_hour.unit for service in services.values() if service.revenue_per_hour}
            if not units:
                return "no service says its revenue_per_hour"
        case "occurrences":
            units = {UNIT_COUNT}
            if abs(limit.value) > EPISODE_STARTS_MAX:
                return f"at most {EPISODE_STARTS_MAX} episodes are remembered, so the limit is never reached"
        case fact if fact in TALLIED_FACTS:
            units = {UNIT_COUNT}
            if fact != FIRING_ALERTS and abs(limit.value) > BEGUN_MAX:
                return f"at most {BEGUN_MAX} episodes are counted, so the limit is never reached"
        case fact if fact in facts:
            units = {facts[fact].unit}
        case fact:
            known = ", ".join(sorted(BUILT_IN_FACTS | facts.keys()))
            return f"{fact} is not a fact; known are {known}"
    if comparison.fact in ACCRUING_FACTS and comparison.op in ("==", "!="):
        return f"{comparison.fact} grows all the time and equals the limit for no time; use >= or <"
    counted = " or ".join(unit or "a bare number" for unit in sorted(units))
    if limit.unit:
        return "" if limit.unit in units else f"{comparison.fact} counts {counted}, not {limit.unit}"
    bare = limit.value == 0.0 or (comparison.fact != REVENUE_LOSS and UNIT_SECONDS not in units)
    return "" if bare else f"{comparison.fact} counts {counted}; say so in the limit, like {_example(units)}"


def _example(units: set[str]) -> str:
    return "15m" if UNIT_SECONDS in units else f"50000 {min(units)}"
