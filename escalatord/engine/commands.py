"""What can be asked of the engine, and what it answers.

A thing that happens is a command; its result is given only after the commit. Every command may raise
`StoreUnavailableError` (nothing was committed) from `Engine.submit`.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple, TypeAlias

from escalatord.core.alert import Alert, Severity
from escalatord.core.events import Word
from escalatord.core.incident import Attempt, Incident, Reason, Via
from escalatord.core.rules import Verdict
from escalatord.engine.wishes import (
    Absence,
    AddAway,
    AddOverride,
    AddSilence,
    CancelAway,
    CancelOverride,
    ExpireSilence,
    Overridden,
    RememberFeed,
    Silenced,
    SwapShifts,
)
from escalatord.store.rows import OutboxRow


@dataclass(frozen=True, slots=True, kw_only=True)
class Ingest:
    """Alerts of one webhook body, parsed. Answered with `Ingested`.

    `digest` tells the body from every other, so that its repeats can be known by it; b"" = it is not to be remembered.
    """

    source: str
    alerts: tuple[Alert, ...]
    digest: bytes = b""


class Accepted(NamedTuple):
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


HumanEvent: TypeAlias = Word


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A human says something about one incident. Answered with `Answered`."""

    incident: int
    event: HumanEvent


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """What it came to: the incident as it is now (None = no such incident), why, and the instant.

    Not `on_record` = it counts from now on, and is written down when the database is back.
    """

    incident: Incident | None
    before: Incident | None
    reason: Reason
    at: datetime
    on_record: bool = True


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
class Move:
    """Somebody moves an incident onto the policies as the rules in force have them. → `Answered`."""

    incident: int
    person: str
    via: Via


@dataclass(frozen=True, slots=True, kw_only=True)
class MoveAll:
    """Somebody moves every open incident that is pinned to policies of other rules. → `Moved`."""

    person: str
    via: Via


@dataclass(frozen=True, slots=True, kw_only=True)
class Moved:
    """Which incidents were moved onto the rules in force."""

    incidents: tuple[int, ...]
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class LookAtRules:
    """The engine's own, at a start and with other rules: what waits for office hours looks when these begin now.

    Answered with how many open incidents are pinned to policies of other rules.
    """


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """News of an attempt from its provider (status callback, poll, send result). → `Answered`.

    An unknown reference changes nothing (reason DELIVERY_STALE), nor does the failure of a sender that has lost the
    attempt to another one: `claims` is the count that it claimed it with, 0 = it is the provider itself who says so.
    """

    reference: str
    status: Attempt
    reason: str = ""
    provider_id: str = ""
    claims: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """One attempt that goes out inside a digest."""

    row: OutboxRow
    incident: Incident


@dataclass(frozen=True, slots=True, kw_only=True)
class Claimed:
    """An attempt that is now `sending`, with what its reader answers with.

    `code` and `link_token` are "" where no answer is asked for; `thread` is the provider's id of the incident's first
    message in that channel ("" = none yet). `also` is everything that a digest tells of; `incident` is the worst of it.
    """

    row: OutboxRow
    incident: Incident
    code: str
    link_token: str
    thread: str
    also: tuple[Told, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """The sender asks for due attempts: at most `room[lane]` of each lane. → tuple of `Claimed`.

    Rows whose track was acked, moved on or closed meanwhile come back as withdrawn, never claimed. `held` are the
    references that this sender is not done with yet: they are not handed to it a second time.
    """

    room: Mapping[str, int]
    lease_seconds: float
    held: Collection[str] = ()


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
class Arm:
    """The engine's own, at a start and with new rules: see that every rule that makes alerts has its clock. → None.

    `beside_others` = other nodes were there all the time: nobody found us away, and no clock starts anew.
    """

    beside_others: bool = False


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
    | Move
    | MoveAll
    | LookAtRules
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
    | AddAway
    | CancelAway
    | RememberFeed
    | AddSilence
    | ExpireSilence
    | Arm
    | Beat
    | Measured
)
Result: TypeAlias = Ingested | Answered | Moved | tuple[Claimed, ...] | Overridden | Absence | Silenced | int | None


ANY_LANE = ""
"""Stands for the lanes of what somebody left behind, which nobody knows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Changed:
    """Told to subscribers after a commit: which incidents changed, and the last journal sequence.

    `outbox` are the lanes in which there is something new to send, `retries` when attempts that failed are to be tried
    again.
    """

    incidents: tuple[int, ...] = ()
    seq: int = 0
    outbox: frozenset[str] = frozenset()
    retries: tuple[datetime, ...] = ()
