"""What the effects of a step become: attempts to send, journal entries, and attempts that are taken back."""

from collections.abc import Mapping
from datetime import datetime

from escalatord.core.events import Notify, Record, Withdraw
from escalatord.core.incident import Incident, NoticeKind
from escalatord.core.roster import ChannelSpec
from escalatord.store.rows import JournalEntry, OutboxRow

PAGE_KINDS = frozenset({NoticeKind.PAGE, NoticeKind.REMIND, NoticeKind.LAST_RESORT, NoticeKind.ACK_QUESTION})


def attempt_of(incident: Incident, notify: Notify, channels: Mapping[str, ChannelSpec], now: datetime) -> OutboxRow:
    """Return the attempt that a step asks for, due at once."""
    spec = channels.get(notify.channel)
    provider = spec.provider if spec else "none"
    return OutboxRow(
        reference=notify.reference,
        incident=incident.number,
        track=notify.track,
        tier=notify.tier,
        epoch=notify.epoch,
        kind=notify.kind,
        person=notify.person,
        channel=notify.channel,
        lane=f"{notify.channel}/{provider}",
        rank=incident.severity.rank,
        late=notify.late,
        reason=notify.reason,
        actor=notify.actor,
        due_at=now,
    )


def entry_of(incident: Incident, record: Record, now: datetime) -> JournalEntry:
    """Return the journal entry that a step asks for."""
    return JournalEntry(
        incident=incident.number,
        at=now,
        actor=record.person or "escalatord",
        via=record.via,
        kind=record.kind,
        body=record.body,
        policy=incident.main.policy,
    )


def is_withdrawn(row: OutboxRow, incident: int, taken_back: Withdraw) -> bool:
    """Return whether an attempt is one of those that a step takes back."""
    meant = taken_back.track in ("", row.track) and taken_back.person in ("", row.person)
    return meant and row.incident == incident and row.kind in PAGE_KINDS
