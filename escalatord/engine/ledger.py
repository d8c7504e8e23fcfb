"""The figures about incidents: a fold over the journal, the same code at start and live.

Rules:

- Pure: a ledger is the sum of the rows applied to it. Order does not matter, so every node comes to the same figures;
  times are kept as whole milliseconds, because sums of fractions would depend on order.
- Only `acknowledged` with `first` (the first human ack on the main track) is a time to acknowledge. Reassigning,
  resolving and climbing are not acks.
- A climb is a tier entered that is not where the track began: tier 2 and above, or any tier of a repeat. A track that
  began higher because its policy says so (`skip_to`) climbed nothing. The time to escalate is told the first time each
  tier is reached on the main track.
- An incident ends once: what fired again soon after and ended again is counted as reopened, and its end as it was.
- A row that it does not understand changes nothing: a journal written by a later version must not stop the figures.
- Measured times are kept by value, so that buckets can follow the policies' windows; past a limit they are rounded up
  to the next bucket bound, which changes no bucket count and no sum.

What each figure means: design of the metrics, and the help texts in `metrics`.
"""

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from escalatord.core.incident import Cause, Reason
from escalatord.core.policy import Action
from escalatord.limits import LEDGER_VALUES_MAX
from escalatord.store.rows import JournalEntry, JournalRow

Labels: TypeAlias = tuple[str, ...]

VERSION: Final = 1
MILLISECONDS_MAX = 100 * 366 * 86_400_000
CLIMBS = frozenset(
    {
        Reason.TIMEOUT,
        Reason.NOBODY_ON_CALL,
        Reason.NOT_REACHED,
        Reason.PASSED_ON,
        Reason.MANUAL,
        Reason.EXCEPTION,
        Reason.MILESTONE,
    }
)
"""Reasons to be at a tier that count as an escalation; also the label values of `escalatord_escalations_total`."""
ACTIONS = frozenset(Action)
COUNTED_KINDS = frozenset(
    {
        *("opened", "first_paged", "tier_entered", "acknowledged", "ack_joined", "taken_over", "ack_extended"),
        *("ack_duplicate", "exhausted", "on_enter", "noted", "reopened", "resolved"),
    }
)
"""What figures are made of: entries of other kinds need not be read for them."""
ANSWERS = {"ack_joined": "ok", "taken_over": "ok", "ack_extended": "ok", "ack_duplicate": "duplicate"}


@dataclass(frozen=True, slots=True)
class Exemplar:
    """One measured time and the incident it belongs to; `at` is in seconds since 1970."""

    incident: int
    seconds: float
    at: float


class Times:
    """The measured times of one label set: by value in milliseconds, counted into the present buckets."""

    __slots__ = ("bounds", "counts", "exemplars", "sum_ms", "values")

    def __init__(self, bounds: Sequence[int]) -> None:
        self.values: dict[int, int] = {}
        self.sum_ms = 0
        self.exemplars: dict[int, Exemplar] = {}
        self.bounds: Sequence[int] = ()
        self.counts: list[int] = []
        self.rebucket(bounds)

    def add(self, value_ms: int, times: int = 1) -> int:
        """Count a value and return the place of its bucket; the place after the last bound is +Inf."""
        self.values[value_ms] = self.values.get(value_ms, 0) + times
        self.sum_ms += value_ms * times
        place = bisect_left(self.bounds, value_ms)
        self.counts[place] += times
        return place

    def rebucket(self, bounds: Sequence[int]) -> None:
        """Count again for other bucket bounds (milliseconds, ascending)."""
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        latest = sorted(self.exemplars.values(), key=lambda exemplar: exemplar.at)
        self.exemplars = {bisect_left(bounds, round(exemplar.seconds * 1000)): exemplar for exemplar in latest}
        for value_ms, times in self.values.items():
            self.counts[bisect_left(bounds, value_ms)] += times

    def coarsen(self) -> None:
        """Round values up to their bucket's bound; those past the last one to a millisecond past it. The sum stays."""
        coarse: dict[int, int] = {}
        for place, times in enumerate(self.counts):
            if times:
                at = self.bounds[place] if place < len(self.bounds) else (self.bounds[-1] if self.bounds else 0) + 1
                coarse[at] = times
        self.values = coarse


class Ledger:
    """Totals of everything that the journal says about incidents.

    `bounds_seconds` are the bucket bounds of the times. Counters are read by `counters()`, times by `times()`.
    """

    def __init__(self, bounds_seconds: Iterable[float] = (), *, values_max: int = LEDGER_VALUES_MAX) -> None:
        self._counters: dict[tuple[str, Labels], int] = {}
        self._times: dict[tuple[str, Labels], Times] = {}
        self._values_max = values_max
        self._coarsen_above = values_max
        self._values = 0
        self._bounds = _bounds_ms(bounds_seconds)

    @property
    def bounds_seconds(self) -> tuple[float, ...]:
        """Return the present bucket bounds, ascending, without +Inf."""
        return tuple(bound / 1000 for bound in self._bounds)

    def set_bounds(self, bounds_seconds: Iterable[float]) -> None:
        """Count all times again for other bucket bounds: the windows of the loaded policies changed."""
        self._bounds = _bounds_ms(bounds_seconds)
        for times in self._times.values():
            times.rebucket(self._bounds)

    def counters(self) -> Mapping[tuple[str, Labels], int]:
        """Return every counter: (name, label values) → total."""
        return self._counters

    def times(self) -> Mapping[tuple[str, Labels], Times]:
        """Return every histogram: (name, label values) → times."""
        return self._times

    def apply(self, row: JournalRow) -> None:
        """Add one journal row. Rows of the daemon itself (incident 0 and below) and unknown kinds change nothing."""
        self.add(row.entry)

    def add(self, entry: JournalEntry, times: int = 1) -> None:
        """Add what one entry says, or `times` entries that differ in nothing that is counted."""
        if entry.incident <= 0 or entry.kind not in COUNTED_KINDS:
            return
        for name, labels in _counted(entry):
            self._count(name, labels, times)
        for name, labels in _measured(entry):
            self._time(name, labels, entry, times)

    def snapshot(self) -> dict[str, Any]:
        """Return everything as JSON values, for a checkpoint; the same figures give the same snapshot."""
        return {
            "version": VERSION,
            "counters": [[name, list(labels), total] for (name, labels), total in sorted(self._counters.items())],
            "times": [
                [name, list(labels), times.sum_ms, sorted(map(list, times.values.items()))]
                for (name, labels), times in sorted(self._times.items(), key=lambda item: item[0])
            ],
        }

    def restore(self, snapshot: Mapping[str, Any]) -> None:
        """Start from a checkpoint instead of from nothing; raise ValueError when it is not one of ours."""
        if snapshot.get("version") != VERSION:
            raise ValueError(f"the checkpoint of the figures has version {snapshot.get('version')!r}, not {VERSION}")
        counters: dict[tuple[str, Labels], int] = {}
        all_times: dict[tuple[str, Labels], Times] = {}
        try:
            for name, labels, total in snapshot["counters"]:
                counters[str(name), tuple(map(str, labels))] = int(total)
            for name, labels, sum_ms, values in snapshot["times"]:
                times = all_times[str(name), tuple(map(str, labels))] = Times(self._bounds)
                for value_ms, count in values:
                    times.add(int(value_ms), int(count))
                times.sum_ms = int(sum_ms)
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(f"the checkpoint of the figures cannot be read: {error}") from error
        self._counters, self._times = counters, all_times
        self._values = sum(len(times.values) for times in all_times.values())

    # ---------------------------------------------------------------------------------------------- one row

    def _count(self, name: str, labels: Labels, times: int) -> None:
        key = (name, labels)
        self._counters[key] = self._counters.get(key, 0) + times

    def _time(self, name: str, labels: Labels, entry: JournalEntry, how_often: int) -> None:
        seconds = entry.body.get("seconds")
        if isinstance(seconds, bool) or not isinstance(seconds, int | float) or seconds != seconds:  # noqa: PLR0124 - NaN
            return
        value_ms = min(max(0, round(min(seconds, MILLISECONDS_MAX) * 1000)), MILLISECONDS_MAX)
        times = self._times.get((name, labels))
        if times is None:
            times = self._times[name, labels] = Times(self._bounds)
        before = len(times.values)
        place = times.add(value_ms, how_often)
        times.exemplars[place] = Exemplar(entry.incident, value_ms / 1000, entry.at.timestamp())
        self._values += len(times.values) - before
        if self._values > self._coarsen_above:
            for full in self._times.values():
                full.coarsen()
            self._values = sum(len(full.values) for full in self._times.values())
            # Many label sets may need more than the limit even when coarse; then the next rounding is far off.
            self._coarsen_above = max(self._values_max, 2 * self._values)


def _counted(entry: JournalEntry) -> Iterator[tuple[str, Labels]]:
    """Yield the counters that a row about an incident adds to."""
    body = entry.body
    labels = (_text(body, "policy"), _text(body, "severity"))
    match entry.kind:
        case "opened":
            cause = _text(body, "cause")
            yield "incidents_opened", (*labels, cause)
            if cause == Cause.EXCEPTION:
                yield "exceptions", labels[:1]
            elif cause == Cause.UNMATCHED:
                yield "unmatched", labels[:1]
        case "tier_entered":
            tier = _whole(body, "to_tier")
            if _is_climb(body) and (tier > 1 or _whole(body, "cycle") > 0):
                yield "escalations", (*labels, str(tier), _text(body, "reason"))
        case "acknowledged":
            yield "acknowledgements", (_via(entry), "late" if body.get("late") else "ok")
        case "ack_joined" | "taken_over" | "ack_extended" | "ack_duplicate":
            yield "acknowledgements", (_via(entry), ANSWERS[entry.kind])
        case "exhausted":
            yield "exhausted", labels[:1]
        case "on_enter":
            yield from _actions(labels[0], body.get("actions"), "asked")
        case "noted":
            yield from _actions(labels[0], body.get("done"), "done")
        case "reopened":
            yield "incidents_reopened", labels
        case "resolved" if not body.get("again"):  # else it was counted when it ended first
            yield "incidents_closed", (*labels, _text(body, "outcome"))
        case _:
            pass


def _measured(entry: JournalEntry) -> Iterator[tuple[str, Labels]]:
    """Yield the histograms that the time of a row about an incident goes into."""
    body = entry.body
    labels = (_text(body, "policy"), _text(body, "severity"))
    match entry.kind:
        case "first_paged":
            yield "time_to_first_page", labels
        case "tier_entered":
            tier, reached_first = _whole(body, "to_tier"), body.get("first", _whole(body, "cycle") == 0)
            if _is_climb(body) and tier > 1 and reached_first and body.get("main", True):
                yield "time_to_escalate", (*labels, str(tier))
        case "acknowledged" if body.get("first") is True:
            yield "time_to_acknowledge", (*labels, str(_whole(body, "tier")))
        case "resolved" if not body.get("again"):
            yield "time_to_resolve", labels
        case _:
            pass


def _is_climb(body: Mapping[str, object]) -> bool:
    return _text(body, "reason") in CLIMBS


def _actions(policy: str, actions: object, state: str) -> Iterator[tuple[str, Labels]]:
    for action in actions if isinstance(actions, list | tuple) else ():
        if action in ACTIONS:
            yield "actions", (policy, str(action), state)


def _bounds_ms(bounds_seconds: Iterable[float]) -> tuple[int, ...]:
    return tuple(sorted({round(bound * 1000) for bound in bounds_seconds}))


def _text(body: Mapping[str, object], name: str) -> str:
    value = body.get(name)
    return value if isinstance(value, str) else ""


def _whole(body: Mapping[str, object], name: str) -> int:
    value = body.get(name)
    return value if type(value) is int else 0


def _via(entry: JournalEntry) -> str:
    return _text(entry.body, "via") or entry.via.value
