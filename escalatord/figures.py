"""Figures about incidents as Prometheus sees them: families, label sets, buckets; read from the ledger at scrape time.

Every label set that the loaded rules imply is told, at 0 if need be: an increment that is born together with its
series is invisible to `increase()`. Bucket bounds carry the promises: the usual ones plus every window of the loaded
policies, so that the share acked in time is an exact count.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol, TypeAlias

from prometheus_client.core import CounterMetricFamily, Exemplar, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString

from escalatord.core.alert import Severity
from escalatord.core.incident import Cause
from escalatord.core.policy import Policy
from escalatord.core.review import policy_for, told_of
from escalatord.core.ruleset import Ruleset

Labels: TypeAlias = tuple[str, ...]
Key: TypeAlias = tuple[str, Labels]

CLUSTER: Final = " (of the cluster, the same on every node: max without (instance))"

TIME_BOUNDS = (15, 30, 60, 90, 120, 180, 240, 300, 420, 600, 900, 1200, 1800, 2700, 3600, 7200, 14400)
WINDOW_BOUNDS_MAX = 32

OUTCOMES = ("acked", "resolved_unacked", "stale", "suppressed")
ESCALATION_REASONS = ("timeout", "nobody_on_call", "not_reached", "passed_on", "manual", "exception", "milestone")
ANSWER_CHANNELS = ("sms", "link", "call", "chat", "web", "cli", "api", "mail")
ANSWER_RESULTS = ("ok", "late", "duplicate", "ambiguous", "refused")


class MeasuredTimes(Protocol):
    """Times in buckets: a count per bound (milliseconds) and one past the last."""

    @property
    def counts(self) -> Sequence[int]: ...  # noqa: D102 - the class says it
    @property
    def sum_ms(self) -> int: ...  # noqa: D102 - the class says it
    @property
    def exemplars(self) -> "Mapping[int, MeasuredExemplar]": ...  # noqa: D102 - the class says it


class MeasuredExemplar(Protocol):
    """One of the times in a bucket, its incident and when (seconds since 1970)."""

    @property
    def incident(self) -> int: ...  # noqa: D102 - the class says it
    @property
    def seconds(self) -> float: ...  # noqa: D102 - the class says it
    @property
    def at(self) -> float: ...  # noqa: D102 - the class says it


class Figures(Protocol):
    """The journal's ledger, as far as metrics need it."""

    def counters(self) -> Mapping[Key, int]:
        """Return totals by (name, label values)."""
        ...

    def times(self) -> Mapping[Key, MeasuredTimes]:
        """Return histograms by (name, label values)."""
        ...

    def set_bounds(self, bounds_seconds: Iterable[float]) -> None:
        """Count the times in these buckets from now on."""
        ...


@dataclass(frozen=True, slots=True)
class Family:
    """One family of figures about incidents: its name in the ledger, in Prometheus, its help and its labels."""

    figure: str
    name: str
    text: str
    labels: Labels


COUNTERS = (
    Family("incidents_opened", "escalatord_incidents_opened", "Incidents opened", ("policy", "severity", "cause")),
    Family("incidents_closed", "escalatord_incidents_closed", "Incidents closed", ("policy", "severity", "outcome")),
    Family(
        "incidents_reopened",
        "escalatord_incidents_reopened",
        "Incidents that fired again soon after their end and went on",
        ("policy", "severity"),
    ),
    Family(
        "escalations",
        "escalatord_escalations",
        "Tiers entered because the one before did not help",
        ("policy", "severity", "to_tier", "reason"),
    ),
    Family("acknowledgements", "escalatord_acknowledgements", "Answers that meant to acknowledge", ("via", "result")),
    Family(
        "exhausted", "escalatord_exhausted", "Tracks that ran out of tiers and went to the last resort", ("policy",)
    ),
    Family("exceptions", "escalatord_exceptions", "Incidents opened by an exception rule", ("policy",)),
    Family(
        "actions",
        "escalatord_actions",
        "Tasks that tiers asked for when they were entered, and those that somebody said are done",
        ("policy", "action", "state"),
    ),
    Family("unmatched", "escalatord_unmatched", "Incidents opened because no rule matched", ("policy",)),
)
TIMES = (
    Family(
        "time_to_first_page",
        "escalatord_time_to_first_page_seconds",
        "From the incident's opening to the first page that a provider took",
        ("policy", "severity"),
    ),
    Family(
        "time_to_acknowledge",
        "escalatord_time_to_acknowledge_seconds",
        "From the incident's opening to its first human ack; never-acked incidents are not in it",
        ("policy", "severity", "tier"),
    ),
    Family(
        "time_to_escalate",
        "escalatord_time_to_escalate_seconds",
        "From the incident's opening to the first entry of a tier from the second on",
        ("policy", "severity", "to_tier"),
    ),
    Family(
        "time_to_resolve",
        "escalatord_time_to_resolve_seconds",
        "From the incident's opening to its (first) end",
        ("policy", "severity"),
    ),
)


def time_bounds(ruleset: Ruleset) -> tuple[float, ...]:
    """Return the bucket bounds of times about incidents, in seconds: the usual ones and every policy window."""
    windows = {
        tier.within_seconds for policy in ruleset.policies.values() for track in policy.tracks for tier in track.tiers
    }
    for policy in ruleset.policies.values():
        windows |= {over.within_seconds for over in policy.overrides.values() if over.within_seconds is not None}
    own = sorted(windows - set(TIME_BOUNDS))[:WINDOW_BOUNDS_MAX]
    return tuple(sorted({*map(float, TIME_BOUNDS), *own}))


class IncidentFigures(Collector):
    """Reads the ledger when scraped; what the rules imply and the ledger does not know yet is 0."""

    def __init__(self, figures: Figures) -> None:
        self._figures = figures
        self._expected: Mapping[str, set[Labels]] = {}
        self._bounds: list[str] = []
        self.not_taken: dict[Labels, int] = {}

    def expect(self, bounds_seconds: Sequence[float], expected: Mapping[str, set[Labels]]) -> None:
        """Show these bucket bounds, which must be those of the figures, and these label sets at least."""
        self._bounds = [*map(floatToGoString, bounds_seconds), "+Inf"]
        self._expected = expected

    def describe(self) -> Iterable[Metric]:
        """Return the families, for the registry's check of names."""
        for family in COUNTERS:
            yield CounterMetricFamily(family.name, family.text + CLUSTER, labels=family.labels)
        for family in TIMES:
            yield HistogramMetricFamily(family.name, family.text + CLUSTER, labels=family.labels)

    def collect(self) -> Iterator[Metric]:
        """Return every figure about incidents."""
        totals = self._figures.counters()
        for family in COUNTERS:
            counter = CounterMetricFamily(family.name, family.text + CLUSTER, labels=family.labels)
            for labels in self._all(family.figure, totals):
                total = totals.get((family.figure, labels), 0)
                if family.figure == "acknowledgements":
                    total += self.not_taken.get(labels, 0)
                counter.add_metric(labels, total)
            yield counter
        every = self._figures.times()
        for family in TIMES:
            histogram = HistogramMetricFamily(family.name, family.text + CLUSTER, labels=family.labels)
            for labels in self._all(family.figure, every):
                self._add_times(histogram, labels, every.get((family.figure, labels)))
            yield histogram

    def _all(self, figure: str, known: Iterable[Key]) -> list[Labels]:
        extra = {labels for name, labels in known if name == figure}
        return sorted(extra | self._expected.get(figure, set()))

    def _add_times(self, histogram: HistogramMetricFamily, labels: Labels, times: MeasuredTimes | None) -> None:
        if times is None or len(times.counts) != len(self._bounds):
            histogram.add_metric(labels, [(bound, 0) for bound in self._bounds], 0)
            return
        buckets: list[tuple[str, float] | tuple[str, float, Exemplar]] = []
        total = 0
        for place, (bound, count) in enumerate(zip(self._bounds, times.counts, strict=True)):
            total += count
            shown = times.exemplars.get(place)
            if shown is None:
                buckets.append((bound, total))
            else:
                exemplar = Exemplar({"incident": str(shown.incident)}, shown.seconds, shown.at)
                buckets.append((bound, total, exemplar))
        histogram.add_metric(labels, buckets, times.sum_ms / 1000)


def implied(ruleset: Ruleset) -> dict[str, set[Labels]]:
    """Return the label sets of every figure about incidents that `ruleset` can bring about."""
    sets: dict[str, set[Labels]] = {family.figure: set() for family in (*COUNTERS, *TIMES)}
    sets["acknowledgements"] = {(via, result) for via in ANSWER_CHANNELS for result in ANSWER_RESULTS}
    for name, policy in {**ruleset.policies, **_of_reviews(ruleset)}.items():
        asked = {action for track in policy.tracks for tier in track.tiers for action in tier.on_enter}
        sets["actions"] |= {(name, action.value, state) for action in asked for state in ("asked", "done")}
        for figure in ("exhausted", "exceptions", "unmatched"):
            sets[figure].add((name,))
        for severity in Severity:
            both = (name, severity.value)
            sets["incidents_opened"] |= {(*both, cause.value) for cause in Cause}
            sets["incidents_closed"] |= {(*both, outcome) for outcome in OUTCOMES}
            sets["incidents_reopened"].add(both)
            sets["time_to_first_page"].add(both)
            sets["time_to_resolve"].add(both)
            tiers = [str(tier) for tier in range(1, _tiers(policy) + 1)]
            sets["time_to_acknowledge"] |= {(*both, tier) for tier in tiers}
            sets["time_to_escalate"] |= {(*both, tier) for tier in tiers[1:]}
            repeats = any(track.repeat for track in policy.tracks)
            entered = tiers if repeats else tiers[1:]
            sets["escalations"] |= {(*both, tier, reason) for tier in entered for reason in ESCALATION_REASONS}
    return sets


def _of_reviews(ruleset: Ruleset) -> dict[str, Policy]:
    """Return the policy by which owners of rules are told of overdue reviews, if any rule has a date and an owner."""
    told = [policy_for(rule, ruleset) for rule in ruleset.thresholds if rule.review_by and told_of(rule, ruleset)]
    most = max(told, key=_tiers, default=None)
    return {most.name: most} if most is not None else {}


def _tiers(policy: Policy) -> int:
    return max((len(track.tiers) for track in policy.tracks), default=0)
