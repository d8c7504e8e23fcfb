"""Threshold and exception rules as values; `evaluate.evaluate` takes an alert and the instant to a verdict.

- Exceptions come first and are never suppressed. Then *every* threshold rule is evaluated and the highest severity
  wins, ties by file order; adding a rule can only raise a severity.
- A condition on time (`for`, `downtime`, accrued loss) names the exact instant at which it can change, as
  `Verdict.next_at`; nothing is polled.
- No rule matched: the `unmatched` policy. A rule matched but reached no severity: recorded, visible, pages nobody.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import TypeAlias

from escalatord.core.alert import Alert, AlertStatus, Severity
from escalatord.core.incident import Cause
from escalatord.core.matchers import Matchers
from escalatord.core.units import Quantity

EPISODE_STARTS_MAX = 64


class Missing(StrEnum):
    """What a rule does when a fact cannot be had."""

    PAGE = "page"
    SKIP = "skip"
    ASSUME_ZERO = "assume 0"


@dataclass(frozen=True, slots=True, kw_only=True)
class FactSource:
    """Where a fact comes from: `kind` is label, annotation or value; `key` its name there; `unit` what it counts."""

    name: str
    kind: str
    key: str
    unit: str
    missing: Missing = Missing.PAGE


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """`fact op limit`, like `downtime >= 15m`, `text` as written; `window_seconds` is that of `occurrences in 30m`."""

    fact: str
    op: str
    limit: Quantity
    window_seconds: float = 0.0
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
    """What keeps a threshold rule quiet, and why."""

    match: Matchers
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ThresholdRule:
    """Measurable criteria that set a severity. `group_by` are labels that split incidents (() = the sender's group)."""

    name: str
    match: Matchers
    levels: tuple[Level, ...]
    unless: tuple[Unless, ...] = ()
    policy: str = ""
    owner: str = ""
    review_by: str = ""
    group_by: tuple[str, ...] = ()
    repage_on_new_alert: bool = True


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


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertRecord:
    """An alert as we remember it; one row in the store, unique by (source, fingerprint).

    `opened_at` is when this episode reached us; `starts` the instants at which recent episodes reached us (newest
    last, at most EPISODE_STARTS_MAX). `held` maps `rule/severity` to the instant since when its condition has been
    true. `incident` is 0 when it pages nobody; `severity` is what the rules made of it. `due_at` is when the rules
    look again.
    """

    alert: Alert
    opened_at: datetime
    last_seen_at: datetime
    starts: tuple[datetime, ...] = ()
    held: Mapping[str, datetime] = field(default_factory=dict)
    incident: int = 0
    severity: Severity | None = None
    due_at: datetime | None = None

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

    `repage` says that the alert, new in an incident that somebody holds, pages them again.
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
