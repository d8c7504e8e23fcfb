"""Any JSON or form body: by the source's field map, or without one where the meaning is plain.

Rules:

- With a map: identity is every `fingerprint` path joined; an alert that lacks one of them is refused, because merging
  two troubles into one is worse than a dead letter somebody is told about.
- Words for status are compared whole and as written; one in neither list is firing, with a note.
- Without a map: the usual names are used when they leave no doubt. Two keys that could both be the identity, or two
  status words that disagree, are refused with the paths to choose from.
"""

import math
from collections.abc import Iterable, Mapping
from datetime import datetime
from functools import partial

from escalatord.core.alert import Alert, AlertStatus, Severity
from escalatord.core.ruleset import SourceSpec
from escalatord.core.units import Quantity, parse_quantity
from escalatord.errors import BadInputError
from escalatord.ingest import fields
from escalatord.ingest.body import CONTAINERS, FORM, deeper_than, kind_of, load_form, load_json, shown
from escalatord.ingest.field_map import FieldMap, field_map
from escalatord.ingest.parsed import Parsed, each
from escalatord.ingest.paths import Path
from escalatord.ingest.plain import plain_alert
from escalatord.ingest.severity import severity_of
from escalatord.limits import BODY_DEPTH_MAX


def parse(spec: SourceSpec, body: bytes, content_type: str, now: datetime) -> Parsed:
    """Return the alerts of one body; raise `BadInputError` when it has none that can be used."""
    kind = content_type.partition(";")[0].strip().lower()
    if kind.startswith("multipart/"):
        raise BadInputError("E106", "", "multipart bodies are not taken; send JSON or a URL-encoded form")
    tree: object = load_form(body) if kind == FORM else load_json(body)
    if deeper_than(tree, BODY_DEPTH_MAX):
        raise BadInputError("E103", "", f"the body nests more than {BODY_DEPTH_MAX} levels deep")
    if not spec.map:
        items = ((f"/{index}", item) for index, item in enumerate(tree)) if isinstance(tree, list) else (("", tree),)
        return each(items, partial(plain_alert, spec, now))
    mapping = field_map(spec)
    return each(_items(mapping, tree), partial(_mapped, spec, mapping, now))


def _items(mapping: FieldMap, tree: object) -> Iterable[tuple[str, object]]:
    """Return the (pointer, item) pairs that `each` names; a path to a list means its members."""
    if mapping.each is None:
        return (("", tree),)
    found = mapping.each.find(tree)
    if not found:
        if any(node == [] for _, node in mapping.each.parent.find(tree)):
            return ()
        raise BadInputError("E102", "", f"`each: {mapping.each.text}` finds nothing in the body")
    at, only = found[0]
    if isinstance(only, list) and not mapping.each.many:
        return ((f"{at}/{index}", item) for index, item in enumerate(only))
    return found


def _mapped(spec: SourceSpec, mapping: FieldMap, now: datetime, item: object, at: str) -> Alert:
    """Return one alert by the map; raise `BadInputError` when its identity cannot be read."""
    if type(item) not in CONTAINERS:
        raise BadInputError("E101", at, f"an alert must be an object, this is {kind_of(item)}")
    notes: list[str] = []
    fingerprint = _fingerprint(mapping, item, at)
    status = _status(mapping, item, at, notes)
    severity = _severity(mapping, item, at, notes)
    starts_at = _started_at(mapping, item, notes)
    values = _facts(mapping, item, notes)
    title, summary = _text(mapping.title, item, at), _text(mapping.summary, item, at)
    labels = fields.limited(_texts(mapping.labels, item, at), "labels", notes)
    annotations = fields.limited(_texts(mapping.annotations, item, at), "annotations", notes)
    links = {name: address for name, path in mapping.links.items() if (address := fields.link(_text(path, item, at)))}
    if notes:
        annotations = {**annotations, fields.NOTE: "; ".join(notes)}
    return Alert(
        source=spec.name,
        fingerprint=fingerprint,
        status=status,
        starts_at=starts_at or now,
        title=fields.title_of(title, summary, fingerprint),
        summary=summary,
        severity=severity,
        labels=labels,
        annotations=annotations,
        values=values,
        links=links,
    )


def _fingerprint(mapping: FieldMap, item: object, at: str) -> str:
    """Return the key paths' values joined by `/`, each escaped so that no two sets of values join alike."""
    parts = []
    for path in mapping.fingerprint:
        found = path.find(item, at)
        if not found or found[0][1] is None or found[0][1] == "":
            raise BadInputError("E102", at, f"`{path.text}` is part of the fingerprint and is missing")
        where, value = found[0]
        if type(value) in CONTAINERS:
            raise BadInputError(
                "E101", where, f"a part of the fingerprint must be a text or a number, this is {kind_of(value)}"
            )
        parts.append(fields.as_text(value, where))
    if len(parts) == 1:
        return fields.identity(parts[0])
    return fields.identity("/".join(part.replace("\\", "\\\\").replace("/", "\\/") for part in parts))


def _status(mapping: FieldMap, item: object, at: str, notes: list[str]) -> AlertStatus:
    if mapping.status is None:
        return AlertStatus.FIRING
    word = _text(mapping.status, item, at)
    if word in mapping.resolved:
        return AlertStatus.RESOLVED
    if word not in mapping.firing:
        notes.append(
            f'status "{shown(word)}" is unknown; taken as firing' if word else "status is missing; taken as firing"
        )
    return AlertStatus.FIRING


def _severity(mapping: FieldMap, item: object, at: str, notes: list[str]) -> Severity | None:
    word = _text(mapping.severity, item, at)
    if not word:
        return None
    known = severity_of(word, mapping.severities)
    if known is None:
        notes.append(f'severity "{shown(word)}" is unknown')
    return known


def _started_at(mapping: FieldMap, item: object, notes: list[str]) -> datetime | None:
    if mapping.started_at is None:
        return None
    found = mapping.started_at.find(item)
    value = found[0][1] if found else None
    at = fields.epoch_instant(value, mapping.per_second) if mapping.per_second else fields.instant(value)
    if at is None:
        notes.append(f"`{mapping.started_at.text}` is missing or not a time; the arrival stands in for it")
    return at


def _facts(mapping: FieldMap, item: object, notes: list[str]) -> dict[str, Quantity]:
    values = {}
    for name, (path, unit) in mapping.facts.items():
        found = path.find(item)
        if not found or found[0][1] is None:
            continue
        quantity = _quantity(found[0][1], unit)
        if quantity is None:
            notes.append(f"fact {name} is not a number")
        else:
            values[name] = quantity
    return values


def _quantity(value: object, unit: str) -> Quantity | None:
    """Return a number in the map's unit, or with the unit that a text carries itself (`8.2%`)."""
    try:
        if isinstance(value, str):
            written = parse_quantity(value)
            quantity = written if written.unit else Quantity(written.value, unit)
        elif isinstance(value, int | float) and not isinstance(value, bool):
            quantity = Quantity(float(value), unit)
        else:
            return None
    except (ValueError, OverflowError):
        return None
    return quantity if math.isfinite(quantity.value) else None


def _text(path: Path | None, item: object, at: str) -> str:
    """Return what a path names as text, several places joined by commas; "" when it names nothing."""
    if path is None:
        return ""
    return ",".join(fields.as_text(value, where) for where, value in path.find(item, at) if value is not None)


def _texts(paths: Mapping[str, Path] | Path, item: object, at: str) -> Mapping[str, str]:
    if isinstance(paths, Path):
        found = paths.find(item, at)
        return fields.text_map(found[0][1], found[0][0]) if found else {}
    named = {}
    for name, path in paths.items():
        found = [(where, value) for where, value in path.find(item, at) if value is not None]
        if found:
            named[name] = ",".join(fields.as_text(value, where) for where, value in found)
    return named
