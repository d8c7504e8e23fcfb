"""What can happen to an incident, and what follows.

`escalation.step` takes an incident and an event to an `Outcome`; nothing here decides anything.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from escalatord.core.alert import Severity
from escalatord.core.incident import Attempt, Cause, Incident, NoticeKind, Reason, Via
from escalatord.core.noise import Group
from escalatord.core.policy import Action, Policy

# ------------------------------------------------------------------------------------------------------ events


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """What a storm's bundle has to know of an alert that opens or joins it.

    `cause` is what the alert's service depends on and is in trouble itself ("" = nothing), `cause_label` that trouble's
    incident.
    """

    group: Group
    labels: Mapping[str, str]
    cause: str = ""
    cause_label: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertFired:
    """An alert that rules want paged for: opens an incident or joins the one that is open.

    `previous` is the severity this alert had in this incident before, None when its fingerprint is new to it.
    `policies` are the main policy and the `also` policies, in that order; `start_at` the first tier, 0 = all at once;
    `repage` says that a new fingerprint in an acked incident pages its owner again, `again` that this one was in the
    incident a moment ago and is nothing new. `member` is what a storm's bundle has to know of it (None = in no bundle).
    """

    number: int
    key: str
    source: str
    fingerprint: str
    title: str
    summary: str
    links: Mapping[str, str]
    service: str
    severity: Severity
    previous: Severity | None = None
    cause: Cause
    rule: str
    policies: tuple[Policy, ...]
    start_at: int = 1
    repage: bool = True
    again: bool = False
    member: Member | None = None
    truncated: int = 0
    actor: str = ""
    via: Via = Via.SOURCE
    why: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertSettled:
    """An alert of the incident no longer asks for a page: its sender resolved it, its rules cleared, or it is muted.

    `why` says how its rules cleared, `muted_by` what mutes it; both "" = its sender says so.
    """

    fingerprint: str
    severity: Severity
    why: str = ""
    muted_by: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class TimersDue:
    """A deadline has passed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ack:
    """A human says: mine. `epoch` is that of the message answered (None = unknown); `take_over` replaces an owner."""

    person: str
    via: Via
    track: str = ""
    epoch: int | None = None
    take_over: bool = False
    join: bool = False
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unack:
    """A human takes an ack back."""

    person: str
    via: Via
    track: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PassOn:
    """The one who was paged says: not me, next tier now. With a stale `epoch` it changes nothing."""

    person: str
    via: Via
    track: str = ""
    epoch: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PageNext:
    """Somebody enters the next tier by hand."""

    person: str
    via: Via
    track: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Snooze:
    """Ack until then, and page again when it ends."""

    person: str
    via: Via
    seconds: float
    track: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """Somebody writes something down; `done` names the tasks of the incident that this says are done."""

    person: str
    via: Via
    text: str
    done: tuple[Action, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Mitigated:
    """Somebody says that the harm is stopped, though it is not over; `text` says how."""

    person: str
    via: Via
    text: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rebase:
    """Somebody moves a running incident onto the policies as they are now; `policies` are all that are in force."""

    person: str
    via: Via
    policies: tuple[Policy, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class HoursChanged:
    """Calendars may have changed: what waits for office hours looks again when these begin."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolve:
    """A human says that it is over. A compliance track needs a `decision` (what was decided and why)."""

    person: str
    via: Via
    decision: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """News of an attempt: its new state, why, and how long after the attempt began (seconds)."""

    reference: str
    status: Attempt
    reason: str = ""
    channel: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonGone:
    """A paged person can no longer be reached at all: removed from the roster, or opted out everywhere."""

    person: str


Word: TypeAlias = Ack | Unack | PassOn | PageNext | Snooze | Note | Mitigated | Resolve
"""What a human says in answer."""
Event: TypeAlias = AlertFired | AlertSettled | TimersDue | HoursChanged | Word | Rebase | Delivery | PersonGone

# ----------------------------------------------------------------------------------------------------- effects


@dataclass(frozen=True, slots=True, kw_only=True)
class Notify:
    """Send this to that person by that channel: becomes one outbox row.

    `reference` is unique for ever and computed from (incident, track, epoch, person, step, try), so a row lost with a
    disk can be written again. `person` "" means the channel's room.
    """

    reference: str
    kind: NoticeKind
    track: str
    tier: int
    epoch: int
    person: str
    channel: str
    late: bool = False
    reason: Reason = Reason.OPENED
    actor: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Withdraw:
    """Take back every unsent page of this track ("" = all tracks), to one person where one is named.

    Answers and stand-downs stay.
    """

    track: str
    person: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One journal entry; `body` holds JSON values only and no secrets."""

    kind: str
    reason: Reason
    track: str = ""
    tier: int = 0
    person: str = ""
    via: Via = Via.CLOCK
    body: Mapping[str, object] = field(default_factory=dict)


Effect: TypeAlias = Notify | Withdraw | Record


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a step came to. `incident` is None only when there was none and the event opens none."""

    incident: Incident | None
    effects: tuple[Effect, ...]
    reason: Reason
