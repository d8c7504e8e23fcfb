"""Rows that are not core values: what the store hands out beside incidents and alerts."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from escalatord.core.incident import Attempt, NoticeKind, Reason, Via


@dataclass(frozen=True, slots=True, kw_only=True)
class OutboxRow:
    """One attempt to tell one person one thing. `reference` is unique for ever.

    `lane` is `channel/provider`; `rank` orders a lane (severity rank, higher first). `lease_until` and `claims` fence a
    sender: a write with an older `claims` count changes nothing.
    """

    reference: str
    incident: int
    track: str
    tier: int
    epoch: int
    kind: NoticeKind
    person: str
    channel: str
    lane: str
    rank: int
    late: bool
    reason: Reason
    actor: str
    due_at: datetime
    state: Attempt = Attempt.PENDING
    lease_until: datetime | None = None
    claims: int = 0
    provider_id: str = ""
    result: str = ""
    sent_at: datetime | None = None
    settled_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalEntry:
    """A fact to be appended: of an incident (0 = of the daemon itself). `body` holds JSON values only."""

    incident: int
    at: datetime
    actor: str
    via: Via
    kind: str
    body: Mapping[str, object] = field(default_factory=dict)
    policy: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalRow:
    """A journal entry as stored; `hash` chains over `prev_hash` and the entry, one chain per incident."""

    seq: int
    entry: JournalEntry
    prev_hash: str
    hash: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeRow:
    """A reply code of one person: it stands for one incident until 24 h after that closed."""

    person: str
    code: str
    incident: int
    track: str
    released_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """A message that a provider was given for somebody, and when."""

    channel: str
    kind: NoticeKind
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class DigestRow:
    """A message that tells one person of several things; `reference` is its attempt, `code` answers for all of them."""

    reference: str
    person: str
    code: str
    made_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberRow:
    """An attempt that went out inside a digest, with the incident and track it is about, and what it says."""

    reference: str
    incident: int
    track: str
    kind: NoticeKind


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkRow:
    """An ack link: bound to one incident, person, channel and track; the token itself is not stored."""

    token_hash: str
    incident: int
    person: str
    channel: str
    track: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetter:
    """A body nobody could use, kept as it came."""

    id: int
    at: datetime
    source: str
    code: str
    at_pointer: str
    say: str
    body: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenRow:
    """An API token: name, role (viewer, responder, admin), hash."""

    name: str
    role: str
    token_hash: str
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeRow:
    """A daemon that shares the database: `place` tells its host and process, `lease_until` until when it may send.

    `lateness_seconds` is how late it worked a deadline lately; `chain` is the journal's chain of the node itself.
    """

    id: str
    place: str
    version: str
    started_at: datetime
    heartbeat_at: datetime
    lease_until: datetime
    lateness_seconds: float = 0.0
    chain: int = 0
