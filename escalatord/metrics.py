"""Everything that Prometheus is told: own registry, names from the design, labels from configuration or fixed lists.

Rules:

- Every label set that the loaded rules imply exists at 0 before the first scrape (`prepare`).
- Figures about incidents are read from the journal's ledger (see `figures`) and are the same on every node. Figures
  about a process are counted here. Each help text says which.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Final, Protocol, TypeAlias, TypeVar

from prometheus_client import Counter, Gauge, Histogram, Info, ProcessCollector, disable_created_metrics
from prometheus_client.core import CollectorRegistry
from prometheus_client.exposition import choose_encoder

from escalatord.core.alert import AlertStatus, Severity
from escalatord.core.incident import State, TimerKind
from escalatord.core.mutes import MuteKind
from escalatord.core.ruleset import Ruleset
from escalatord.errors import DeliveryReason
from escalatord.figures import CLUSTER, Figures, IncidentFigures, Labels, implied, time_bounds

OpenRow: TypeAlias = tuple[str, str, str, int, datetime | None]

NODE: Final = " (of this node: sum over instances)"

LATENESS_BOUNDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
COMMIT_BOUNDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5)
DELIVERY_BOUNDS = (0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 30, 60, 120, 300)
HTTP_BOUNDS = (0.01, 0.05, 0.25, 1, 5)

INGEST_RESULTS = ("accepted", "unchanged", "malformed", "unauthorized", "unavailable")
COMMITTED = frozenset({"accepted", "unchanged"})
NOTIFICATION_RESULTS = ("delivered", "accepted", "failed", "not_reached", "limited", "withdrawn")
LIMITED_HOW = ("bundled", "put_off", "left_out", "moved")
OPEN_STATES = (State.OPEN.value, State.ACKNOWLEDGED.value)
FIRING, RESOLVED = AlertStatus.FIRING.value, AlertStatus.RESOLVED.value
STATUS_CLASSES = tuple(f"{first}xx" for first in range(10))
READINESS = ("ready", "partly", "unreachable")
INVARIANTS = ("next_step", "durable", "ack_ends_pages", "journal_whole")

F = TypeVar("F", Counter, Histogram)
CHILDREN_KEPT_MAX = 4096


@lru_cache(CHILDREN_KEPT_MAX)
def _one(family: F, *labels: str) -> F:
    """Return one series of a family from which none is ever removed; the library looks it up anew each time."""
    return family.labels(*labels)


class Committed(Protocol):
    """What a transaction came to, as far as it is counted."""

    @property
    def lateness(self) -> Sequence[tuple[str, float]]:
        """Return (kind, seconds) of every timer that was worked off."""
        ...

    @property
    def violations(self) -> Sequence[str]:
        """Return the names of the invariants that were broken."""
        ...

    @property
    def limited(self) -> Sequence[tuple[str, str]]:
        """Return (channel, how) of every message that a limit changed."""
        ...

    @property
    def muted(self) -> Sequence[MuteKind]:
        """Return by what kind of mute each alert that was newly muted is."""
        ...

    @property
    def held_back(self) -> Mapping[MuteKind, int]:
        """Return how many alerts are muted now, by kind."""
        ...


class Metrics:
    """All families. Counters and histograms are public and used directly; the rest is told by methods.

    `figures` is the journal's ledger. Until it has caught up nothing should be scraped: counters would seem to fall.
    """

    def __init__(self, figures: Figures, *, version: str, revision: str = "", python_version: str = "") -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call] # the library's own
        self.registry = CollectorRegistry()
        self._incidents = IncidentFigures(figures)
        self._figures = figures
        self._ruleset: Ruleset | None = None
        self._lanes: set[tuple[str, str]] = set()
        self._open_shown: tuple[Iterable[OpenRow], datetime | None] = ((), None)
        self.registry.register(self._incidents)
        ProcessCollector(registry=self.registry)
        self._make_ingest()
        self._make_notify()
        self._make_engine()
        self._build = Info("escalatord_build", "What runs here" + NODE, registry=self.registry)
        self._build.info({"version": version, "revision": revision, "python_version": python_version})

    def prepare(self, ruleset: Ruleset) -> None:
        """Make every label set that `ruleset` implies exist at 0, and buckets of its windows. Totals are kept."""
        self._ruleset = ruleset
        bounds = time_bounds(ruleset)
        self._figures.set_bounds(bounds)
        self._incidents.expect(bounds, implied(ruleset))
        for source in ruleset.sources:
            self.prepare_source(source)
        for name, channel in ruleset.channels.items():
            lane = (name, channel.provider)
            self.delivery_seconds.labels(*lane)
            for result in NOTIFICATION_RESULTS:
                self.notifications.labels(*lane, result)
            for reason in DeliveryReason:
                self.notifications_failed.labels(*lane, reason.value)
            for how in LIMITED_HOW:
                self.pages_limited.labels(name, how)
        for template in ruleset.templates:
            self.template_fallbacks.labels(template)
        lanes = {(name, channel.provider) for name, channel in ruleset.channels.items()}
        for lane in self._lanes - lanes:
            self._channel_up.remove(*lane)
        for lane in lanes - self._lanes:
            self._channel_up.labels(*lane).set(1)
        self._lanes = lanes
        self.schedule_next_gap_seconds.clear()
        self._config.info({"hash": ruleset.hash})
        self.show_open(*self._open_shown)

    def prepare_source(self, source: str) -> None:
        """Make a source's series exist at 0; also for a source that exists without being declared."""
        self.ingest_commit_seconds.labels(source)
        for status in AlertStatus:
            self.alerts_received.labels(source, status.value)
        for result in INGEST_RESULTS:
            self.ingest_requests.labels(source, result)

    def expose(self, accept: str = "") -> tuple[bytes, str]:
        """Return what `/metrics` answers to this Accept header, and its content type."""
        try:
            encode, content_type = choose_encoder(accept)
        except (TypeError, ValueError):  # the library compares a version that is no number
            encode, content_type = choose_encoder("")
        return encode(self.registry), content_type

    def ingested(self, source: str, result: str, seconds: float | None) -> None:
        """Count one webhook body by its answer, and how long the commit took; None = it needed none."""
        _one(self.ingest_requests, source, result).inc()
        if seconds is not None and result in COMMITTED:
            _one(self.ingest_commit_seconds, source).observe(seconds)

    def alerts(self, source: str, *, firing: int, resolved: int) -> None:
        """Count the alerts of an accepted body by what their sender says of them."""
        if firing:
            _one(self.alerts_received, source, FIRING).inc(firing)
        if resolved:
            _one(self.alerts_received, source, RESOLVED).inc(resolved)

    def notified(self, channel: str, provider: str, result: str, reason: str, seconds: float) -> None:
        """Count one finished attempt, why it failed if it did, and how long the provider took if it did not."""
        self.notifications.labels(channel, provider, result).inc()
        if result == "failed":
            known = reason if reason in set(DeliveryReason) else DeliveryReason.OTHER.value
            self.notifications_failed.labels(channel, provider, known).inc()
        elif result != "withdrawn":
            self.delivery_seconds.labels(channel, provider).observe(seconds)

    def committed(self, written: Committed) -> None:
        """Count what a transaction came to: late timers, broken promises, limited messages, muted alerts."""
        for kind, seconds in written.lateness:
            self.timer_lateness_seconds.labels(kind).observe(max(0.0, seconds))
        for _name in written.violations:
            self.invariant_violations.labels("next_step").inc()
        for channel, how in written.limited:
            self.pages_limited.labels(channel, how).inc()
        for mute in written.muted:
            self.alerts_suppressed.labels(mute.value).inc()
        for mute, count in written.held_back.items():
            self._suppressed.labels(mute.value).set(count)

    def channel_up(self, channel: str, provider: str, *, up: bool) -> None:
        """Show whether a channel's breaker lets messages through."""
        if (channel, provider) in self._lanes:
            self._channel_up.labels(channel, provider).set(up)

    def stands(self, *, degraded: bool) -> None:
        """Show whether pages go on from memory because the database is away, and count that it went."""
        if degraded:
            self.outages.inc()
        self._degraded.set(degraded)

    def template_fell_back(self, template: str) -> None:
        """Count a message that a template of the rules failed to word."""
        self.template_fallbacks.labels(template).inc()

    def show_open(self, rows: Iterable[OpenRow], now: datetime | None) -> None:
        """Tell how many incidents are open: (policy, severity, state, count, oldest un-acked opening) each."""
        self._open_shown = (tuple(rows), now)
        self._open.clear()
        self._oldest.clear()
        for policy in self._ruleset.policies if self._ruleset else ():
            for severity in Severity:
                self._oldest.labels(policy, severity.value)
                for state in OPEN_STATES:
                    self._open.labels(policy, severity.value, state)
        oldest: dict[Labels, datetime] = {}
        for policy, word, state, count, opened_at in self._open_shown[0]:
            self._open.labels(policy, word, state).inc(count)
            if opened_at is not None:
                oldest[policy, word] = min(opened_at, oldest.get((policy, word), opened_at))
        for labels, opened_at in oldest.items():
            if now is not None:
                self._oldest.labels(*labels).set(max(0.0, (now - opened_at).total_seconds()))

    def show_nodes(self, *, alive: int, lost: int) -> None:
        """Tell how many nodes share the database: those that give signs of life, and those that stopped doing so."""
        self._nodes.labels("alive").set(alive)
        self._nodes.labels("lost").set(lost)

    def show_people(self, readiness: Mapping[str, int]) -> None:
        """Tell how many people are ready, partly (some method is dead) or unreachable."""
        for word in READINESS:
            self._people.labels(word).set(readiness.get(word, 0))

    def reloaded(self, *, ok: bool, now: datetime) -> None:
        """Tell whether the last reading of the rules worked."""
        self._reload_ok.set(ok)
        if ok:
            self._reload_at.set(now.timestamp())

    def audited(self, now: datetime, *, overdue: int, broken: Sequence[str] = ()) -> None:
        """Tell that an audit ended at `now`, and what it found; `broken` are names of `INVARIANTS`."""
        self._audited_at.set(now.timestamp())
        self._overdue.set(overdue)
        self._journal_intact.set("journal_whole" not in broken)
        for invariant in broken:
            self.invariant_violations.labels(invariant).inc()

    def answer_not_taken(self, via: str, result: str) -> None:
        """Count an answer that changed no incident and is in no journal: `ambiguous` or `refused`."""
        self._incidents.not_taken[via, result] = self._incidents.not_taken.get((via, result), 0) + 1

    def http_request(self, handler: str, method: str, status: int, seconds: float) -> None:
        """Tell how long an HTTP request took; `handler` is the route as written, never a path with values in it."""
        _one(self._http, handler, method, STATUS_CLASSES[status // 100]).observe(seconds)

    # ------------------------------------------------------------------------------------------------ families

    def _make_ingest(self) -> None:
        self.alerts_received = self._counter("alerts_received", "Alerts in accepted bodies" + NODE, "source", "status")
        self.ingest_requests = self._counter("ingest_requests", "Webhook bodies by answer" + NODE, "source", "result")
        self.ingest_commit_seconds = self._histogram(
            "ingest_commit_seconds", "From a body read to its alerts committed" + NODE, COMMIT_BOUNDS, "source"
        )
        self._http = self._histogram(
            "http_request_duration_seconds", "HTTP requests" + NODE, HTTP_BOUNDS, "handler", "method", "code"
        )

    def _make_notify(self) -> None:
        lane = ("channel", "provider")
        self.notifications = self._counter("notifications", "Attempts by what became of them" + NODE, *lane, "result")
        self.notifications_failed = self._counter(
            "notifications_failed", "Failed attempts by reason" + NODE, *lane, "reason"
        )
        self.delivery_seconds = self._histogram(
            "delivery_seconds", "From the start of an attempt until the provider took it" + NODE, DELIVERY_BOUNDS, *lane
        )
        self.pages_limited = self._counter(
            "pages_limited",
            "Messages that did not go out as they were: bundled into one with others, put off until then, left out "
            "because they only said it again, or moved to a channel that costs nothing" + NODE,
            "channel",
            "how",
        )
        self.template_fallbacks = self._counter(
            "template_fallbacks",
            "Messages that a template failed to word, told in the built-in text" + NODE,
            "template",
        )
        self._channel_up = self._gauge("channel_up", "1 while a channel's breaker lets messages through" + NODE, *lane)

    def _make_engine(self) -> None:
        self.timer_lateness_seconds = self._histogram(
            "timer_lateness_seconds",
            "How long after its deadline a timer was worked off" + NODE,
            LATENESS_BOUNDS,
            "kind",
        )
        for kind in TimerKind:
            self.timer_lateness_seconds.labels(kind.value)
        self.invariant_violations = self._counter(
            "invariant_violations", "Things the auditor found that must never be" + NODE, "invariant"
        )
        for invariant in INVARIANTS:
            self.invariant_violations.labels(invariant)
        self.alerts_suppressed = self._counter(
            "alerts_suppressed", "Alerts that began to be muted, by what mutes them" + NODE, "kind"
        )
        self._suppressed = self._gauge(
            "suppressed_alerts", "Alerts that fire and are muted now, by what mutes them longest" + NODE, "kind"
        )
        for mute in MuteKind:
            self._suppressed.labels(mute.value)
        for way in MuteKind:
            self.alerts_suppressed.labels(way.value)
        self._open = self._gauge(
            "open_incidents", "Incidents that are not resolved" + CLUSTER, "policy", "severity", "state"
        )
        self._oldest = self._gauge(
            "oldest_unacknowledged_seconds", "Age of the oldest incident nobody acked" + CLUSTER, "policy", "severity"
        )
        self.schedule_next_gap_seconds = self._gauge(
            "schedule_next_gap_seconds", "How far away the next time is when nobody is on call" + CLUSTER, "schedule"
        )
        self._people = self._gauge("people", "People by whether their contact methods work" + CLUSTER, "readiness")
        self.show_people({})
        self.rules_review_overdue = self._gauge("rules_review_overdue", "Rules past their date of review" + CLUSTER)
        self._nodes = self._gauge(
            "nodes", "Nodes on this database: alive, or lost within the last day without a word" + CLUSTER, "state"
        )
        self.show_nodes(alive=1, lost=0)
        self._degraded = self._gauge("degraded", "1 while the database is away and pages go on from memory" + NODE)
        self.outages = self._counter("outages", "How often pages had to go on from memory" + NODE)
        self._audited_at = self._gauge("last_audit_timestamp_seconds", "When the last audit ended" + NODE)
        self.sign_of_life_at = self._gauge(
            "heartbeat_last_success_timestamp_seconds", "When the dead-man address outside took our last call" + NODE
        )
        self._overdue = self._gauge("timers_overdue", "Timers more than 15 s late at the last audit" + NODE)
        self._journal_intact = self._gauge("journal_intact", "1 while the hash chains checked so far hold" + NODE)
        self._journal_intact.set(1)
        self._reload_ok = self._gauge(
            "config_last_reload_successful", "1 when the last reading of the rules worked" + NODE
        )
        self._reload_at = self._gauge(
            "config_last_reload_success_timestamp_seconds", "When the rules in force were read" + NODE
        )
        self._config = Info("escalatord_config", "The rules in force" + NODE, registry=self.registry)

    def _counter(self, name: str, text: str, *labels: str) -> Counter:
        return Counter("escalatord_" + name, text, labels, registry=self.registry)

    def _gauge(self, name: str, text: str, *labels: str) -> Gauge:
        return Gauge("escalatord_" + name, text, labels, registry=self.registry)

    def _histogram(self, name: str, text: str, bounds: Sequence[float], *labels: str) -> Histogram:
        return Histogram("escalatord_" + name, text, labels, buckets=bounds, registry=self.registry)
