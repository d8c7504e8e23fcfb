"""What rules may look at beside the alert itself: other alerts, open incidents, what Prometheus answered.

The core only asks; the engine knows (`engine.surroundings`), and judges an alert again when an answer becomes another.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Protocol

from escalatord.core.mutes import NO_SILENCES, Silences
from escalatord.core.rules import AlertRecord, ThresholdRule

BEGUN_MAX = 1_000
"""Past it the oldest beginnings are forgotten: a window holds at least so many. No limit may be higher."""


@dataclass(frozen=True, slots=True)
class Beginning:
    """An episode of some alert began (reached us)."""

    at: datetime
    labels: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Tally:
    """What a rule counts: how many of its alerts fire, and the beginnings lately, oldest first, at most BEGUN_MAX."""

    firing: int = 0
    begun: Sequence[Beginning] = ()


@dataclass(frozen=True, slots=True)
class OpenCause:
    """An alert that fires in an open incident; `rule` is the one that opened it."""

    incident: int
    rule: str
    labels: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Answer:
    """What a query came to, and when; None when no number could be had."""

    value: float | None
    at: datetime


class Around(Protocol):
    """Where evaluation asks for what is not in the alert."""

    def tally(self, rule: ThresholdRule, record: AlertRecord) -> Tally:
        """Return what `rule` counts for an alert: the alerts it matches, of the same `group_by` values."""

    def causes(self, name: str) -> Iterable[OpenCause]:
        """Return the alerts of the open incidents of a rule or policy."""

    def answer(self, query: str) -> Answer | None:
        """Return the last answer to a query, None when it was never given."""

    def silences(self) -> Silences:
        """Return the silences there are."""


class Alone:
    """Nothing around: no other alerts, no incidents, no Prometheus, no silences."""

    def tally(self, rule: ThresholdRule, record: AlertRecord) -> Tally:
        """Return what an alert is by itself."""
        del rule
        return Tally(firing=int(record.firing), begun=[Beginning(at, record.alert.labels) for at in record.starts])

    def causes(self, name: str) -> Iterable[OpenCause]:
        """Return nothing."""
        del name
        return ()

    def answer(self, query: str) -> Answer | None:
        """Return nothing."""
        return NO_ANSWERS.get(query)

    def silences(self) -> Silences:
        """Return none."""
        return NO_SILENCES


NO_ANSWERS: Mapping[str, Answer] = MappingProxyType({})
ALONE = Alone()
