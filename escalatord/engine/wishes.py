"""What people change at run time, as commands: who stands in, who is away, what is muted; and what came of it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from escalatord.core.away import Away
from escalatord.core.incident import Via
from escalatord.core.mutes import Silence
from escalatord.core.schedule import Override


@dataclass(frozen=True, slots=True, kw_only=True)
class AddOverride:
    """Somebody stands in for a while, in force at once; what lies in the past stays as it was. → `Overridden`."""

    schedule: str
    person: str
    start: datetime
    end: datetime
    why: str
    by: str
    via: Via


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelOverride:
    """An override made at run time is taken back; one that has begun ends now. → `Overridden`."""

    id: int
    by: str
    via: Via


@dataclass(frozen=True, slots=True, kw_only=True)
class SwapShifts:
    """Two people exchange their next shifts (that start after `after`, None = now): both or neither. → `Overridden`."""

    schedule: str
    people: tuple[str, str]
    after: datetime | None
    why: str
    by: str
    via: Via


class OverrideReason(StrEnum):
    """What came of a wish about overrides."""

    ADDED = "added"
    CANCELLED = "cancelled"
    SWAPPED = "swapped"
    UNKNOWN_SCHEDULE = "unknown_schedule"
    UNKNOWN_PERSON = "unknown_person"
    UNKNOWN_OVERRIDE = "unknown_override"
    ENDS_FIRST = "ends_first"
    PAST = "past"
    TOO_LONG = "too_long"
    TOO_MANY = "too_many"
    SAME_PERSON = "same_person"
    NO_SHIFT = "no_shift"
    OVERLAP = "overlap"


@dataclass(frozen=True, slots=True, kw_only=True)
class Overridden:
    """What it came to: why, the overrides it is about (none when nothing changed), and the instant."""

    reason: OverrideReason
    overrides: tuple[Override, ...] = ()
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class AddAway:
    """Somebody is away for a while: targets that ask for `available` pass them over. → `Absence`."""

    person: str
    start: datetime
    end: datetime
    why: str
    by: str
    via: Via


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelAway:
    """Somebody is back: every absence of theirs that was made at run time ends now. → `Absence`."""

    person: str
    by: str
    via: Via


class AbsenceReason(StrEnum):
    """What came of a wish about absences."""

    ADDED = "added"
    CANCELLED = "cancelled"
    UNKNOWN_PERSON = "unknown_person"
    NOT_AWAY = "not_away"
    ENDS_FIRST = "ends_first"
    PAST = "past"
    TOO_LONG = "too_long"
    TOO_MANY = "too_many"


@dataclass(frozen=True, slots=True, kw_only=True)
class Absence:
    """What it came to: why, the spans it is about (none when nothing changed), and the instant."""

    reason: AbsenceReason
    spans: tuple[Away, ...] = ()
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class RememberFeed:
    """Keep what a schedule's calendar plans, for when it cannot be fetched; `body` is for the journal. → None."""

    schedule: str
    content: str
    body: Mapping[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class AddSilence:
    """What matches is quiet for a while, in force at once or later (`silence.start`). → `Silenced`."""

    silence: Silence
    via: Via


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpireSilence:
    """A silence ends now; what it held back is looked at at once. → `Silenced`."""

    id: int
    by: str
    via: Via


class SilenceReason(StrEnum):
    """What came of a wish about silences."""

    ADDED = "added"
    EXPIRED = "expired"
    UNKNOWN_SILENCE = "unknown_silence"
    NO_WHY = "no_why"
    ENDS_FIRST = "ends_first"
    PAST = "past"
    TOO_LONG = "too_long"
    TOO_FAR = "too_far"
    TOO_MANY = "too_many"
    MATCHES_ALL = "matches_all"


@dataclass(frozen=True, slots=True, kw_only=True)
class Silenced:
    """What it came to: why, the silence it is about (None when nothing changed), and the instant.

    `firing` counts the alerts that fire and match; of these `paging` are in an incident.
    """

    reason: SilenceReason
    silence: Silence | None = None
    firing: int = 0
    paging: int = 0
    at: datetime
