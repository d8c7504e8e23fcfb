"""Alerts as we remember them, each with what the rules last made of it."""

import json
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, TypeAlias

from sqlalchemy import Connection, bindparam, select, update

from escalatord.core.rules import AlertRecord, Verdict
from escalatord.store.codec import alert_codec, from_micros, to_micros, verdict_codec
from escalatord.store.sql import Row, chunks, fetch, insert_many, insert_or_replace, select_in
from escalatord.store.tables import alert_has_incident, alert_is_due, alerts

Judged: TypeAlias = tuple[AlertRecord, Verdict | None]

_record = select(alerts.c.last_seen_at, alerts.c.body)
_by_fingerprint = _record.add_columns(alerts.c.fingerprint).where(
    alerts.c.source == bindparam("source"), alerts.c.fingerprint.in_(bindparam("fingerprints", expanding=True))
)
_of_incident = (
    _record.where(alerts.c.incident == bindparam("incident"), alert_has_incident)
    .order_by(alerts.c.firing.desc(), alerts.c.opened_at.desc(), alerts.c.source, alerts.c.fingerprint)
    .limit(bindparam("limit"))
)
_due = (
    _record.where(alerts.c.due_at <= bindparam("now"), alert_is_due).order_by(alerts.c.due_at).limit(bindparam("limit"))
)
_take_due = _due.with_for_update(skip_locked=True)
_since = (
    _record.where(alerts.c.firing | (alerts.c.last_seen_at >= bindparam("since")))
    .order_by(alerts.c.opened_at.desc())
    .limit(bindparam("limit"))
)
_firing = _record.where(alerts.c.firing).order_by(alerts.c.opened_at.desc()).limit(bindparam("limit"))
_of_source = _record.where(alerts.c.source == bindparam("from_source")).limit(bindparam("limit"))
_recent = _record.order_by(alerts.c.opened_at.desc()).limit(bindparam("limit"))
_verdict = select(alerts.c.verdict).where(
    alerts.c.source == bindparam("source"), alerts.c.fingerprint == bindparam("fingerprint")
)
_touch = (
    update(alerts)
    .where(
        alerts.c.source == bindparam("from_source"),
        alerts.c.fingerprint.in_(bindparam("fingerprints", expanding=True)),
        alerts.c.last_seen_at < bindparam("at"),
    )
    .values(last_seen_at=bindparam("at"))
)


def load(connection: Connection, source: str, fingerprints: Iterable[str]) -> dict[str, AlertRecord]:
    """Return what is known of a source's alerts, by fingerprint."""
    found: dict[str, AlertRecord] = {}
    wanted = list(dict.fromkeys(fingerprints))
    rows = select_in(connection, _by_fingerprint, "fingerprints", wanted, source=source)
    for last_seen_at, body, fingerprint in rows:
        found[fingerprint] = _alert(last_seen_at, body)
    return found


def of_incident(connection: Connection, incident: int, limit: int) -> list[AlertRecord]:
    """Return an incident's alerts: those that fire first, then the newest."""
    return [_alert(*row) for row in connection.execute(_of_incident, {"incident": incident, "limit": limit})]


def due(connection: Connection, now: datetime, limit: int, *, take: bool = False) -> list[AlertRecord]:
    """Return alerts that the rules asked to see again by `now`, the longest overdue first; `take` as for incidents."""
    rows = fetch(connection, _take_due if take else _due, now=to_micros(now), limit=limit)
    return [_alert(*row) for row in rows]


def since(connection: Connection, at: datetime, limit: int) -> list[AlertRecord]:
    """Return alerts that fire, or were heard of since `at`, the newest episodes first."""
    return [_alert(*row) for row in connection.execute(_since, {"since": to_micros(at), "limit": limit})]


def firing(connection: Connection, limit: int) -> list[AlertRecord]:
    """Return alerts that fire, the newest episodes first."""
    return [_alert(*row) for row in connection.execute(_firing, {"limit": limit})]


def of_source(connection: Connection, source: str, limit: int) -> list[AlertRecord]:
    """Return what is known of a source's alerts."""
    return [_alert(*row) for row in connection.execute(_of_source, {"from_source": source, "limit": limit})]


def recent(connection: Connection, limit: int) -> list[AlertRecord]:
    """Return the alerts whose episodes reached us last, newest first."""
    return [_alert(*row) for row in connection.execute(_recent, {"limit": limit})]


def save(connection: Connection, items: Sequence[Judged]) -> None:
    """Write alerts, new or known; without a verdict the one written before stays."""
    if items:
        statement = insert_or_replace(connection, alerts, keep=("verdict",))
        # In one order everywhere, as for incidents.
        ordered = sorted(items, key=lambda item: (item[0].alert.source, item[0].alert.fingerprint))
        insert_many(connection, statement, [_row(record, verdict) for record, verdict in ordered])


def touch(connection: Connection, source: str, fingerprints: Iterable[str], at: datetime) -> None:
    """Remember that these alerts were told again at `at`; never moves backwards."""
    for chunk in chunks(list(dict.fromkeys(fingerprints))):
        connection.execute(_touch, {"from_source": source, "fingerprints": chunk, "at": to_micros(at)})


def verdict_of(connection: Connection, source: str, fingerprint: str) -> dict[str, Any] | None:
    """Return the last verdict on an alert as JSON values, reasons included; None when there is none."""
    text = connection.execute(_verdict, {"source": source, "fingerprint": fingerprint}).scalar()
    if text is None:
        return None
    verdict: dict[str, Any] = json.loads(text)
    return verdict


def _alert(last_seen_at: int, body: str) -> AlertRecord:
    return alert_codec.decode(body, f'"last_seen_at":"{from_micros(last_seen_at).isoformat()}",')


def _row(record: AlertRecord, verdict: Verdict | None) -> Row:
    return {
        "source": record.alert.source,
        "fingerprint": record.alert.fingerprint,
        "incident": record.incident,
        "firing": record.firing,
        "opened_at": to_micros(record.opened_at),
        "last_seen_at": to_micros(record.last_seen_at),
        "due_at": to_micros(record.due_at),
        "body": alert_codec.encode(record),
        "verdict": None if verdict is None else verdict_codec.encode(verdict),
    }
