"""What can be asked of the engine, and what it answers.

A thing that happens is a command; its result is given only after the commit. Every command may raise
`StoreUnavailableError` (nothing was committed) from `Engine.submit`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import TypeAlias

from escalatord.core.alert import Alert, Severity
from escalatord.core.events import Ack, Note, PageNext, PassOn, Resolve, Snooze, Unack
from escalatord.core.incident import Attempt, Incident, Reason, Via
from escalatord.core.rules import Verdict
from escalatord.core.schedule import Override
from escalatord.store.rows import OutboxRow


@dataclass(frozen=True, slots=True, kw_only=True)
class Ingest:
    """Alerts of one webhook body, parsed. Answered with `Ingested`.

    `digest` tells the body from every other, so that its repeats can be known by it; b"" = it is not to be remembered.
    """

    source: str
    alerts: tuple[Alert, ...]
    digest: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """What became of one alert. `incident` 0 = pages nobody; `new` = this message opened an episode or incident."""

    fingerprint: str
    incident: int
    new: bool
    changed: bool
    verdict: Verdict | None
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Ingested:
    """Committed. `changed` is False when everything was known already and nothing was written.

    `repeatable` says more: whoever sends the same again has nothing to tell, not even to a rule that counts messages.
    """

    accepted: tuple[Accepted, ...]
    changed: bool
    repeatable: bool = False


HumanEvent: TypeAlias = Ack | Unack | PassOn | PageNext | Snooze | Note | Resolve


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A human says something about one incident. Answered with `Answered`."""

    incident: int
    event: HumanEvent


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """What it came to: the incident as it is now (None = no such incident), why, and the instant."""

    incident: Incident | None
    before: Incident | None
    reason: Reason
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class RaiseIncident:
    """A human opens an incident (the Andon cord). Empty `policy` = the service's, else `unmatched`'s. → `Answered`."""

    title: str
    person: str
    via: Via
    severity: Severity = Severity.CRITICAL
    service: str = ""
    policy: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """News of an attempt from its provider (status callback, poll, send result). → `Answered`.

    An unknown reference changes nothing (reason DELIVERY_STALE).
    """

    reference: str
    status: Attempt
    reason: str = ""
    provider_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Claimed:
    """An attempt that is now `sending`, with what its reader answers with.

    `code` and `link_token` are "" where no answer is asked for; `thread` is the provider's id of the incident's first
    message in that channel ("" = none yet).
    """

    row: OutboxRow
    incident: Incident
    code: str
    link_token: str
    thread: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """The sender asks for due attempts: at most `room[lane]` of each lane. → tuple of `Claimed`.

    Rows whose track was acked, moved on or closed meanwhile come back as withdrawn, never claimed.
    """

    room: Mapping[str, int]
    lease_seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Quarantine:
    """Keep a body nobody can use, and tell the catch-all at most once per source per hour. → None."""

    source: str
    body: bytes
    code: str
    at_pointer: str
    say: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Unreachable:
    """Mark a person's address as dead (STOP, a bounce) or alive again. → None."""

    person: str
    address_key: str
    why: str
    reachable: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Stranger:
    """Somebody unknown spoke; journaled, not answered. `who` is already masked (`…21`). → None."""

    via: Via
    who: str
    say: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PeopleGone:
    """People left the roster: whoever is being paged or holds an incident among them is gone on without. → None."""

    people: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Remark:
    """Something about the daemon itself for the journal (rules loaded, rules refused, a clock jump). → None.

    With `tell` it is a trouble that people must hear of (see `trouble`): that is its title, `advice` what to do.
    """

    kind: str
    body: Mapping[str, object]
    tell: str = ""
    advice: str = ""


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
class RememberFeed:
    """Keep what a schedule's calendar plans, for when it cannot be fetched; `body` is for the journal. → None."""

    schedule: str
    content: str
    body: Mapping[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Arm:
    """The engine's own, at a start and with new rules: see that every rule that makes alerts has its clock. → None."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Beat:
    """A source says that it is alive. → None; nothing happens when nobody waits for its heartbeat."""

    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """The engine's own: what a query came to, None when no number could be had. → None."""

    query: str
    value: float | None


Command: TypeAlias = (
    Ingest
    | Answer
    | RaiseIncident
    | Receipt
    | Claim
    | Quarantine
    | Unreachable
    | Stranger
    | PeopleGone
    | Remark
    | AddOverride
    | CancelOverride
    | SwapShifts
    | RememberFeed
    | Arm
    | Beat
    | Measured
)
Result: TypeAlias = Ingested | Answered | tuple[Claimed, ...] | Overridden | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Changed:
    """Told to subscribers after a commit: which incidents changed, and the last journal sequence.

    `outbox` says that there is something new to send, `retries` when attempts that failed are to be tried again.
    """

    incidents: tuple[int, ...] = ()
    seq: int = 0
    outbox: bool = False
    retries: tuple[datetime, ...] = ()
