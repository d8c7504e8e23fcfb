"""More or fewer alerts than usual: an hour against the same hour of the same weekday in the past four weeks.

Nothing is learned and nothing is hidden: what is usual is the median of at most four counts, and a departure is a
factor of it, up or down. Hours are those of UTC.

- With fewer than WEEKS_MIN known weeks nothing is usual yet, and nothing departs from it.
- Counts below COUNT_FLOOR are chance: a storm is measured against no fewer, and a silence wants no fewer to be usual.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from statistics import median

from escalatord.core.rules import AnomalyKind

SECONDS_PER_HOUR = 3600
HOURS_PER_WEEK = 168
WEEKS = 4
WEEKS_MIN = 3
COUNT_FLOOR = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Usual:
    """What is usual in an hour: the counts of past weeks, newest first, their median, and how far is not too far."""

    counts: tuple[int, ...]
    expected: float
    low: float
    high: float


def hour_of(at: datetime) -> int:
    """Return the number of an instant's hour, counted from 1970."""
    return int(at.timestamp()) // SECONDS_PER_HOUR


def start_of(hour: int) -> datetime:
    """Return the instant at which an hour begins."""
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(hours=hour)


def same_hours(past: Mapping[int, int], hour: int) -> tuple[int, ...]:
    """Return the known counts of this hour in the past weeks, newest first."""
    hours = (hour - HOURS_PER_WEEK * week for week in range(1, WEEKS + 1))
    return tuple(past[each] for each in hours if each in past)


def usual(counts: Sequence[int], factor: float) -> Usual | None:
    """Return what is usual by the counts of past weeks, None when too few are known."""
    if len(counts) < WEEKS_MIN:
        return None
    expected = float(median(counts))
    return Usual(
        counts=tuple(counts), expected=expected, low=expected / factor, high=factor * max(expected, COUNT_FLOOR)
    )


def departs(kind: AnomalyKind, observed: int, known: Usual) -> bool:
    """Return whether a count is not usual."""
    if kind is AnomalyKind.STORM:
        return observed > known.high
    return known.expected >= COUNT_FLOOR and observed < known.low


def score(kind: AnomalyKind, observed: int, known: Usual) -> float:
    """Return how many times more, or fewer, than usual a count is."""
    if kind is AnomalyKind.STORM:
        return observed / max(known.expected, COUNT_FLOOR)
    return known.expected / max(observed, 1)


def say(source: str, hour: int, observed: int, known: Usual) -> str:
    """Return in words what was observed, and what is usual and why."""
    start = start_of(hour)
    weeks = ", ".join(map(str, known.counts))
    return (
        f"{observed} alerts from {source} between {start:%H:%M} and {start + timedelta(hours=1):%H:%M} UTC; "
        f"{known.low:.0f} to {known.high:.0f} are usual (this hour in past weeks: {weeks})"
    )
