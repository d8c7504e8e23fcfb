r"""Admission and keys: is this message news, and which incident does it belong to.

- While an episode is open, a firing message is an update of it; the earliest start stays, since the members of a
  redundant pair may disagree. What it repeats is no news: nothing is written.
- A resolve ends the open episode, unless it tells of an older one: a delayed copy must not end what began after it.
- For LATE_COPY_SECONDS after a resolve reached us, a firing message that starts no later than the ended episode is a
  late copy of it. Later it is a new episode: some senders resolve by mistake (an alert expires while its Prometheus
  is away) and then repeat the alert with its old start for ever; twice rather than never.
- Absence is nothing: an episode ends by its resolve only.
- An incident's key is `source|policy|service|group`; a backslash stands before `\` and `|` of the parts.
"""

import hashlib
from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from escalatord.core.alert import Alert, AlertStatus
from escalatord.core.rules import EPISODE_STARTS_MAX, AlertRecord, Verdict
from escalatord.core.values import replace

FINGERPRINT_GROUP = "fingerprint"
KEY_SEPARATOR = "|"
BUNDLE = "bundle"
KEY_CHARS_MAX = 400
KEY_CHARS_KEPT = 300
LATE_COPY_SECONDS = 120.0


class AdmissionKind(StrEnum):
    """What a message is to us."""

    NEW = "new"
    UPDATED = "updated"
    UNCHANGED = "unchanged"
    RESOLVED = "resolved"
    LATE_COPY = "late_copy"
    UNKNOWN_RESOLVE = "unknown_resolve"


class Admission(NamedTuple):
    """What a message is, and the alert as we now remember it.

    `record` is the very object that was given in when nothing is to be written (unchanged, late copy, unknown
    resolve); None when an alert never seen resolves.
    """

    record: AlertRecord | None
    kind: AdmissionKind


def admit(record: AlertRecord | None, alert: Alert, now: datetime) -> Admission:
    """Return what the message `alert`, which reached us at `now`, is beside what we remember of its fingerprint."""
    if alert.status is AlertStatus.RESOLVED:
        return _admit_resolve(record, alert, now)
    if record is None:
        return Admission(record=_episode(alert, None, now), kind=AdmissionKind.NEW)
    known = record.alert
    if known.status is AlertStatus.RESOLVED:
        is_recent = (now - record.last_seen_at).total_seconds() <= LATE_COPY_SECONDS
        if is_recent and alert.starts_at <= known.starts_at:
            return Admission(record=record, kind=AdmissionKind.LATE_COPY)
        return Admission(record=_episode(alert, record, now), kind=AdmissionKind.NEW)
    if _repeats(known, alert):
        return Admission(record=record, kind=AdmissionKind.UNCHANGED)
    told = replace(alert, starts_at=min(known.starts_at, alert.starts_at))
    return Admission(record=replace(record, alert=told, last_seen_at=now), kind=AdmissionKind.UPDATED)


def incident_key(verdict: Verdict, alert: Alert, policy: str) -> str:
    """Return the key of the incident an alert belongs to under `policy` (a name or a hash).

    The group is the values of the rule's `group_by` labels ("" when absent; `fingerprint` is the fingerprint), else
    the sender's group, else the fingerprint. A key beyond KEY_CHARS_MAX characters keeps its beginning and a digest.
    """
    group = group_of(verdict.group_by, alert) if verdict.group_by else (alert.group_key or alert.fingerprint,)
    return _key((alert.source, policy, verdict.service, *group))


def bundle_key(parts: Sequence[str]) -> str:
    """Return the key of the incident that holds a storm; where others have their policy it has nothing."""
    return _key((BUNDLE, "", *parts))


def group_of(names: Sequence[str], alert: Alert) -> tuple[str, ...]:
    """Return an alert's values of the labels that split incidents, "" where it has none."""
    return tuple(alert.fingerprint if name == FINGERPRINT_GROUP else alert.labels.get(name, "") for name in names)


def _admit_resolve(record: AlertRecord | None, alert: Alert, now: datetime) -> Admission:
    if record is None or not record.firing:
        return Admission(record=record, kind=AdmissionKind.UNKNOWN_RESOLVE)
    open_since = record.alert.starts_at
    # ending the wrong episode would call people off while it burns, and its next repeat may be hours away
    if alert.starts_at < open_since and alert.ends_at is not None and alert.ends_at < open_since:
        return Admission(record=record, kind=AdmissionKind.LATE_COPY)
    # what is known stays: many senders resolve with the key alone
    ended = replace(record.alert, status=AlertStatus.RESOLVED, ends_at=alert.ends_at or now)
    settled = replace(record, alert=ended, last_seen_at=now, held={}, due_at=None)
    return Admission(record=settled, kind=AdmissionKind.RESOLVED)


def _episode(alert: Alert, known: AlertRecord | None, now: datetime) -> AlertRecord:
    """Return the record of an episode that opens now; nothing that was held or decided before counts."""
    fresh = AlertRecord(alert=alert, opened_at=now, last_seen_at=now, starts=(now,))
    if known is None:
        return fresh
    starts = (*known.starts, now)[-EPISODE_STARTS_MAX:]
    if not known.incident:
        return replace(fresh, starts=starts, before=known.before, left_at=known.left_at)
    return replace(fresh, starts=starts, before=known.incident, left_at=known.last_seen_at)


def _repeats(known: Alert, alert: Alert) -> bool:
    """Return whether a firing message says nothing new of an open episode.

    `ends_at` is left out because some senders move it with every message, `group_key` because it is not identity.
    """
    return (
        known.annotations == alert.annotations
        and known.labels == alert.labels
        and known.values == alert.values
        and known.severity is alert.severity
        and known.title == alert.title
        and known.summary == alert.summary
        and known.truncated == alert.truncated
        and known.links == alert.links
        and alert.starts_at >= known.starts_at
    )


def _key(parts: Sequence[str]) -> str:
    key = KEY_SEPARATOR.join(parts)
    if "\\" in key or key.count(KEY_SEPARATOR) >= len(parts):
        key = KEY_SEPARATOR.join(map(_escaped, parts))
    if len(key) <= KEY_CHARS_MAX:
        return key
    digest = hashlib.sha256(key.encode(errors="surrogatepass")).hexdigest()
    return f"{key[:KEY_CHARS_KEPT]}{KEY_SEPARATOR}#{digest}"


def _escaped(part: str) -> str:
    return part.replace("\\", "\\\\").replace(KEY_SEPARATOR, "\\" + KEY_SEPARATOR)
