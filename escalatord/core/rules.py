"""Threshold and exception rules as values; `evaluate.evaluate` takes an alert and the instant to a verdict.

- Exceptions come first and are never suppressed. Then *every* threshold rule is evaluated and the highest severity
  wins, ties by file order; adding a rule can only raise a severity.
- A condition on time (`for`, `downtime`, accrued loss) names the exact instant at which it can change, as
  `Verdict.next_at`; nothing is polled.
- No rule matched: the `unmatched` policy. A rule matched but reached no severity: recorded, visible, pages nobody.
- A rule with `clear` keeps what it claimed until `clear` has held; one without keeps nothing, and what pages stays
  paged until its sender resolves it (decision 0003).
- An alert may be our own (source OWN_SOURCE): nothing came for too long (`absent`), more or fewer alerts than usual
  (`anomaly`). It is made by the rule of that name and judged like any other.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType
from typing import TypeAlias

from escalatord.core.alert import Alert, AlertStatus, Severity
from escalatord.core.incident import Cause
from escalatord.core.matchers import Matchers
from escalatord.core.mutes import SuppressedBy
from escalatord.core.queries import Query
from escalatord.core.units import Quantity

EPISODE_STARTS_MAX = 64
OWN_SOURCE = "escalatord"
"""The source of alerts that escalatord itself makes; no configured one can have this name."""


class Missing(StrEnum):
    """What a rule does when a fact cannot be had."""

    PAGE = "page"
    SKIP = "skip"
    ASSUME_ZERO = "assume 0"


@dataclass(frozen=True, slots=True, kw_only=True)
class FactSource:
    """Where a fact comes from: `kind` is label, annotation or value; `key` its name there; `unit` what it counts.

    `query` asks Prometheus where the alert does not say it; `kind` "" = it is always asked.
    """

    name: str
    kind: str
    key: str
    unit: str
    missing: Missing = Missing.PAGE
    query: Query | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """`fact op limit`, like `downtime >= 15m`, `text` as written; `window_seconds` is that of `occurrences in 30m`.

    `label` is the one whose values `distinct(label) in 2m` counts.
    """

    fact: str
    op: str
    limit: Quantity
    window_seconds: float = 0.0
    label: str = ""
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AllOf:
    """True when every part is."""

    parts: "tuple[Condition, ...]"


@dataclass(frozen=True, slots=True, kw_only=True)
class AnyOf:
    """True when one part is."""

    parts: "tuple[Condition, ...]"


Condition: TypeAlias = Comparison | AllOf | AnyOf


@dataclass(frozen=True, slots=True, kw_only=True)
class Level:
    """A severity and what must hold, for how long without a break, before a rule claims it. No condition: always."""

    severity: Severity
    condition: Condition | None = None
    for_seconds: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Unless:
    """What keeps a threshold rule quiet, and why: labels, an open incident of the rule or policy `open`, or both.

    The incident counts when an alert that fires in it agrees in the labels `same`; absent labels are "".
    """

    match: Matchers | None = None
    why: str
    open: str = ""
    same: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Clear:
    """What must hold, for how long without a break, before a rule gives up what it claimed."""

    condition: Condition
    for_seconds: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Absent:
    """Fires when nothing that matches came from `source` ("" = from anywhere) for so long.

    `heartbeat`: it is the source's own; what matches is a beat, and pages nobody unless a rule wants it.
    """

    match: Matchers
    for_seconds: float
    source: str = ""
    heartbeat: bool = False


def heartbeat_rule(source: str) -> str:
    """Return the name of the rule that misses a source's heartbeat; no written rule can have it."""
    return f"heartbeat:{source}"


class AnomalyKind(StrEnum):
    """Which departure from the usual a rule looks for."""

    STORM = "storm"
    SILENCE = "silence"


@dataclass(frozen=True, slots=True, kw_only=True)
class Anomaly:
    """Fires when a source's alerts of an hour are `factor` times more, or less, than in that hour of past weeks.

    `shadow`: journaled as what would have paged, and nothing else.
    """

    source: str
    kinds: tuple[AnomalyKind, ...]
    factor: float
    shadow: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class ThresholdRule:
    """Measurable criteria that set a severity. `group_by` are labels that split incidents (() = the sender's group).

    A rule with `absent` or `anomaly` judges the alerts that it makes itself, and no others.
    """

    name: str
    match: Matchers
    levels: tuple[Level, ...]
    unless: tuple[Unless, ...] = ()
    policy: str = ""
    owner: str = ""
    review_by: str = ""
    group_by: tuple[str, ...] = ()
    repage_on_new_alert: bool = True
    clear: Clear | None = None
    absent: Absent | None = None
    anomaly: Anomaly | None = None

    @property
    def makes_alerts(self) -> bool:
        """Return whether its alerts are our own."""
        return self.absent is not None or self.anomaly is not None

    @property
    def is_heartbeat(self) -> bool:
        """Return whether it misses the heartbeat of a source."""
        return self.absent is not None and self.absent.heartbeat

    @property
    def own_fingerprints(self) -> tuple[str, ...]:
        """Return the fingerprints of the alerts that it makes."""
        absent = (self.name,) if self.absent is not None else ()
        return absent + tuple(f"{self.name}/{kind}" for kind in (self.anomaly.kinds if self.anomaly else ()))


@dataclass(frozen=True, slots=True, kw_only=True)
class ExceptionRule:
    """Immediate escalation regardless of thresholds. `start_at` is the first tier, 0 = every tier at once."""

    name: str
    match: Matchers
    severity: Severity
    policy: str = ""
    start_at: int = 1
    also: tuple[str, ...] = ()
    why: str = ""
    owner: str = ""
    group_by: tuple[str, ...] = ()


NO_TRAITS: Mapping[str, tuple[str, ...]] = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """Something that breaks, who owns it, and what its breaking costs."""

    name: str
    owner: str = ""
    policy: str = ""
    revenue_per_hour: Quantity | None = None
    segments: tuple[str, ...] = ()
    regulated: tuple[str, ...] = ()
    depends_on: tuple[str, ...] = ()
    runbook: str = ""

    @property
    def traits(self) -> Mapping[str, tuple[str, ...]]:
        """Return what can be matched of it like labels of its alerts, each with several values."""
        if not (self.segments or self.regulated or self.depends_on):
            return NO_TRAITS
        return {"segment": self.segments, "regulated": self.regulated, "depends_on": self.depends_on}


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertRecord:
    """An alert as we remember it; one row in the store, unique by (source, fingerprint).

    `opened_at` is when this episode reached us; `starts` the instants at which recent episodes reached us (newest
    last, at most EPISODE_STARTS_MAX). `held` says since when: by `rule/severity` a condition has been true, by
    `rule/clear` a claim may be given up, by `rule!severity` a severity has been claimed, by `?fact` Prometheus is being
    asked. `incident` is 0 when it pages nobody; `severity` is what the rules made of it. `due_at` is when the rules
    look again. `suppressed` is what mutes it, or did last in this episode (`ended_at`). `before` is the incident that
    an earlier episode was in (0 = none), `left_at` when that episode ended.
    """

    alert: Alert
    opened_at: datetime
    last_seen_at: datetime
    starts: tuple[datetime, ...] = ()
    held: Mapping[str, datetime] = field(default_factory=dict)
    incident: int = 0
    severity: Severity | None = None
    due_at: datetime | None = None
    suppressed: SuppressedBy | None = None
    before: int = 0
    left_at: datetime | None = None

    @property
    def firing(self) -> bool:
        """Return whether its sender last said that it fires."""
        return self.alert.status is AlertStatus.FIRING


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleReason:
    """What one rule made of an alert: every predicate as (text, observed, outcome), and the verdict in words."""

    rule: str
    kind: str
    severity: Severity | None
    say: str
    predicates: tuple[tuple[str, str, bool], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What the rules make of an alert now. `severity` None = pages nobody. `policies` names the main policy first.

    `suppressed` says what mutes it: it pages nobody then, and `severity` is what it would be.

    `repage` says that the alert, new in an incident that somebody holds, pages them again. `cleared` says why no rule
    claims it any more ("" = none that claimed it has let go). `asks` are queries to which an answer is wanted,
    `quiet_for` the rules and policies whose open incidents keep a rule quiet, or mute the alert; `touched_by` those
    whose next incident may mute it although it paged already.
    """

    severity: Severity | None
    cause: Cause
    rule: str
    service: str
    policies: tuple[str, ...] = ()
    start_at: int = 1
    repage: bool = True
    group_by: tuple[str, ...] = ()
    reasons: tuple[RuleReason, ...] = ()
    held: Mapping[str, datetime] = field(default_factory=dict)
    next_at: datetime | None = None
    cleared: str = ""
    asks: tuple[str, ...] = ()
    quiet_for: tuple[str, ...] = ()
    suppressed: SuppressedBy | None = None
    touched_by: tuple[str, ...] = ()

    @property
    def pages(self) -> Severity | None:
        """Return the severity with which it pages, None when it pages nobody."""
        return self.severity if self.suppressed is None else None
