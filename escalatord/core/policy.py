"""Who is paged and when: policies are tracks of tiers, reached through contact plans.

Values only. A policy is pinned to an incident by `hash` when the incident opens; its contact plans are part of it.
People behind its targets are looked up when a tier is entered (see `roster`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from escalatord.core.alert import Severity

ACK_HOLD_SECONDS_DEFAULT = 24 * 3600.0
ACK_QUESTION_SECONDS = 600.0
LAST_RESORT_SECONDS_DEFAULT = 1800.0
FAILED_AFTER_SECONDS_DEFAULT = 60.0
KEPT_SECONDS = (8 * 3600.0, 24 * 3600.0)
"""Once an owner has kept an incident for that long, the question whether they still do comes no more often."""


class TargetKind(StrEnum):
    """What a target names."""

    PERSON = "person"
    TEAM = "team"
    ROLE = "role"
    ONCALL = "oncall"


class FilterKind(StrEnum):
    """What a filter of a target asks of a person."""

    SKILL = "skill"
    LANGUAGE = "language"
    REGION = "region"
    AVAILABLE = "available"


@dataclass(frozen=True, slots=True)
class TargetFilter:
    """What whoever a target names must have besides: `skill postgres`, `available` (which has no word)."""

    kind: FilterKind
    word: str = ""

    def __str__(self) -> str:
        word = f'"{self.word}"' if " " in self.word else self.word
        return f"{self.kind} {word}".strip()


@dataclass(frozen=True, slots=True)
class Target:
    """Whom a tier pages, by name; resolved to people late. Only those who pass every filter count."""

    kind: TargetKind
    name: str
    filters: tuple[TargetFilter, ...] = ()

    def __str__(self) -> str:
        return " & ".join((f"{self.kind} {self.name}", *map(str, self.filters)))


class Prefer(StrEnum):
    """By what a tier chooses among its people."""

    LEAST_PAGED_24H = "least_paged_24h"


class Action(StrEnum):
    """What a tier asks for when it is entered: a task on the incident, for a human; nothing is done by itself."""

    OPEN_RCA = "open_rca"
    FREEZE_CHANGES = "freeze_changes"


NEED_FIRST = 1
NEED_ALL = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanStep:
    """One way to reach a person, and what follows when delivery fails.

    `after_seconds` counts from the page and means *no ack yet*; 0 is at once. `if_failed` are channels tried in
    order when delivery failed or no receipt came within `failed_after_seconds`.
    """

    by: str
    after_seconds: float = 0.0
    if_failed: tuple[str, ...] = ()
    failed_after_seconds: float = FAILED_AFTER_SECONDS_DEFAULT


def channels_of(steps: Sequence[PlanStep]) -> tuple[str, ...]:
    """Return every channel that steps may use, in order, once."""
    return tuple(dict.fromkeys(channel for step in steps for channel in (step.by, *step.if_failed)))


@dataclass(frozen=True, slots=True, kw_only=True)
class ContactPlan:
    """How a person is reached: steps in order."""

    name: str
    steps: tuple[PlanStep, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tier:
    """One rung: whom, by which plan, and how long it has.

    `need` is how many different people have to ack before it is held (NEED_ALL: everybody who is paged). With `prefer`
    only the first `pick` people in that order are paged; the others stand in for those who cannot be reached.
    """

    name: str
    page: tuple[Target, ...]
    backup: tuple[Target, ...] = ()
    within_seconds: float
    remind_seconds: tuple[float, ...] = ()
    plan: ContactPlan
    template: str = ""
    need: int = NEED_FIRST
    prefer: Prefer | None = None
    pick: int = 1
    on_enter: tuple[Action, ...] = ()


class TrackKind(StrEnum):
    """Whom a track serves; compliance cannot be skipped, snoozed, bundled or suppressed."""

    TECHNICAL = "technical"
    STAKEHOLDER = "stakeholder"
    COMPLIANCE = "compliance"


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackPolicy:
    """A ladder of tiers. It starts when the incident's severity reaches `when` (None = always)."""

    name: str
    kind: TrackKind
    tiers: tuple[Tier, ...]
    repeat: int = 0
    when: Severity | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SeverityOverride:
    """What changes for one severity: a shorter window, another plan, a later first tier."""

    within_seconds: float | None = None
    plan: ContactPlan | None = None
    skip_to: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LastResort:
    """Who is paged again and again once every tier has failed."""

    page: tuple[Target, ...]
    plan: ContactPlan
    every_seconds: float = LAST_RESORT_SECONDS_DEFAULT


@dataclass(frozen=True, slots=True, kw_only=True)
class Compliance:
    """A statutory clock: due that long after the incident opened, with reminders; closing needs a decision."""

    regime: str
    clock_from: str
    due_seconds: float
    remind_seconds: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Milestones:
    """What the one who acked is held to, in seconds (None = nothing): see `milestones`."""

    mitigate_by_seconds: float | None = None
    update_every_seconds: float | None = None
    resolve_by_seconds: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OfficeHours:
    """Outside the hours of `calendar` (by name, looked up late) pages wait, but from the severity `unless` on."""

    calendar: str
    unless: Severity | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """Everything about who and when for one kind of trouble.

    `hash` is the hex SHA-256 prefix of its content (16 digits). `ack_hold_seconds` is by severity, with
    ACK_HOLD_SECONDS_DEFAULT where none is given.
    """

    name: str
    hash: str = ""
    owner: Target | None = None
    tracks: tuple[TrackPolicy, ...]
    last_resort: LastResort
    overrides: Mapping[Severity, SeverityOverride] = field(default_factory=dict)
    ack_hold_seconds: Mapping[Severity, float] = field(default_factory=dict)
    compliance: Compliance | None = None
    confidential: bool = False
    stand_down: bool = True
    never: frozenset[str] = frozenset()
    milestones: Milestones | None = None
    hours: OfficeHours | None = None

    def track(self, name: str) -> TrackPolicy:
        """Return the track called `name`; KeyError when there is none."""
        for track in self.tracks:
            if track.name == name:
                return track
        raise KeyError(name)

    def override(self, track: TrackPolicy, severity: Severity) -> SeverityOverride | None:
        """Return what changes for `severity` in `track`, None = nothing.

        Haste is for those who mend it: stakeholder and compliance tracks keep their own windows and plans.
        """
        return self.overrides.get(severity) if track.kind is TrackKind.TECHNICAL else None

    def ack_hold(self, severity: Severity) -> float:
        """Return for how many seconds an ack of an incident of `severity` holds."""
        return self.ack_hold_seconds.get(severity, ACK_HOLD_SECONDS_DEFAULT)

    def next_hold(self, severity: Severity, kept_seconds: float) -> float:
        """Return for how many seconds an ack holds once more that its owner has kept for `kept_seconds`.

        What is kept for long is asked about at growing distance: every 8 h after 8 h, daily after a day.
        """
        grown = max((step for step in KEPT_SECONDS if kept_seconds >= step), default=0.0)
        return max(self.ack_hold(severity), grown)

    def may_hold(self, track: TrackPolicy, severity: Severity) -> bool:
        """Return whether pages of a track wait for office hours at a severity; those of exceptions never do."""
        hours = self.hours
        if hours is None or track.kind is TrackKind.COMPLIANCE:
            return False
        return hours.unless is None or severity.rank < hours.unless.rank
