"""A foreign body without a field map: read by the usual names, and only where they leave no doubt."""

from collections.abc import Mapping
from datetime import datetime

from escalatord.core.alert import Alert, AlertStatus, Severity
from escalatord.core.ruleset import SourceSpec
from escalatord.errors import BadInputError
from escalatord.ingest import fields
from escalatord.ingest.body import CONTAINERS, kind_of, pointer, shown
from escalatord.ingest.severity import severity_of

IDENTITIES = ("fingerprint", "dedup_key", "alias", "id")
STATUSES = ("status", "state", "action")
SEVERITIES = ("severity", "priority")
TEXTS = ("title", "summary", "message")
STARTS = ("started_at", "startsAt", "starts_at", "timestamp")
FIRING = frozenset(
    {"firing", "alerting", "active", "open", "problem", "trigger", "triggered", "fire", "failed", "down", "alarm"}
)
RESOLVED = frozenset(
    {"resolved", "resolve", "ok", "closed", "close", "recovered", "recovery", "cleared", "clear", "up"}
)
CANDIDATES_SHOWN_MAX = 20


def plain_alert(spec: SourceSpec, now: datetime, item: object, at: str) -> Alert:
    """Return one alert by the usual names; raise `BadInputError` E105 with the paths to choose from when in doubt."""
    if not isinstance(item, dict):
        raise BadInputError("E101", at, f"an alert must be an object, this is {kind_of(item)}")
    notes: list[str] = []
    fingerprint = _fingerprint(item, at)
    status = _status(item, at, notes)
    severity = _severity(spec, item, at, notes)
    starts_at = _starts_at(item, notes)
    labels = fields.limited(fields.text_map(item.get("labels"), at + "/labels"), "labels", notes)
    annotations = fields.limited(fields.text_map(item.get("annotations"), at + "/annotations"), "annotations", notes)
    texts = list(_words(item, TEXTS, at).values())
    if notes:
        annotations = {**annotations, fields.NOTE: "; ".join(notes)}
    return Alert(
        source=spec.name,
        fingerprint=fingerprint,
        status=status,
        starts_at=starts_at or now,
        title=fields.title_of(*texts, fingerprint),
        summary=next((text for text in texts[1:] if text != texts[0]), ""),
        severity=severity,
        labels=labels,
        annotations=annotations,
    )


def _fingerprint(item: Mapping[str, object], at: str) -> str:
    found = _words(item, IDENTITIES, at)
    if len(set(found.values())) == 1:
        return fields.identity(next(iter(found.values())))
    if found:
        say = f"which of {_paths(found)} tells alerts apart? Write a `map` with `fingerprint` for this source"
        raise BadInputError("E105", at, say)
    scalars = [name for name, value in item.items() if type(value) not in CONTAINERS][:CANDIDATES_SHOWN_MAX]
    names = f"{', '.join(IDENTITIES[:-1])} or {IDENTITIES[-1]}"
    say = f"there is no {names}. Write a `map` with `fingerprint` for this source"
    raise BadInputError("E102", at, f"{say}; candidates: {_paths(scalars)}" if scalars else say)


def _status(item: Mapping[str, object], at: str, notes: list[str]) -> AlertStatus:
    """Return what the status words agree on; words are compared whole."""
    found = _words(item, STATUSES, at)
    meant = {
        AlertStatus.RESOLVED if word.strip().casefold() in RESOLVED else AlertStatus.FIRING for word in found.values()
    }
    if len(meant) > 1:
        say = f"{_paths(found)} disagree about whether it fires. Write a `map` with `status` for this source"
        raise BadInputError("E105", at, say)
    unknown = [word for word in found.values() if word.strip().casefold() not in FIRING | RESOLVED]
    if unknown:
        notes.append(f'status "{shown(unknown[0])}" is unknown; taken as firing')
    return meant.pop() if meant else AlertStatus.FIRING


def _severity(spec: SourceSpec, item: Mapping[str, object], at: str, notes: list[str]) -> Severity | None:
    """Return the worst of what the severity words mean."""
    words = _words(item, SEVERITIES, at).values()
    known = [severity for word in words if (severity := severity_of(word, spec.severities)) is not None]
    if words and not known:
        notes.append(f'severity "{shown(next(iter(words)))}" is unknown')
    return max(known, key=lambda severity: severity.rank, default=None)


def _starts_at(item: Mapping[str, object], notes: list[str]) -> datetime | None:
    given = [item[name] for name in STARTS if item.get(name) is not None]
    if not given:
        return None
    at = next((at for value in given if (at := fields.instant(value)) is not None), None)
    if at is None:
        notes.append("the start time is not a time; the arrival stands in for it")
    return at


def _words(item: Mapping[str, object], names: tuple[str, ...], at: str) -> dict[str, str]:
    """Return those of the named members that hold a text or a number, as text; objects and lists are no words."""
    return {
        name: fields.as_text(item[name], pointer(at, name))
        for name in names
        if item.get(name) not in (None, "") and type(item[name]) not in CONTAINERS
    }


def _paths(names: Mapping[str, str] | list[str]) -> str:
    return ", ".join(f"$.{shown(name)}" for name in names)
