"""A recorded body told as if it had just happened: now, perhaps with other labels, perhaps resolved.

For simulations and tests of rules. A body is told in its own wire format, so that it takes the way of a real one
through its adapter. Keys of changes are `NAME` or `label.NAME`, `annotation.NAME` and `value.NAME`, as in facts.
"""

from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, TypeAlias

from escalatord.core.alert import AlertStatus, fingerprint_of
from escalatord.core.ruleset import SourceSpec
from escalatord.errors import BadInputError
from escalatord.ingest.field_map import FieldMap, field_map
from escalatord.ingest.paths import Every, Path

NO_END = "0001-01-01T00:00:00Z"
PLACES = ("label", "annotation", "value")
CHANGES_MAX = 100
RESOLVED, FIRING = AlertStatus.RESOLVED, AlertStatus.FIRING

Json: TypeAlias = Any  # whatever JSON holds; what is taken out of it is looked at first
Began: TypeAlias = Callable[[str, AlertStatus], datetime]
"""Says when the condition of that identity began, given what is said of it now."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Retelling:
    """How to tell a body: at the instant `now`, with `changes`; `status` None leaves what each alert says of itself."""

    now: datetime
    began: Began
    status: AlertStatus | None = None
    changes: Mapping[str, str] = field(default_factory=dict)


def retell(spec: SourceSpec, content: Json, how: Retelling) -> Json:
    """Return the parsed body `content` of the source `spec`, told anew.

    Raise BadInputError when a change names a place that such a body does not have.
    """
    fresh = deepcopy(content)
    if isinstance(fresh, dict) and isinstance(fresh.get("alerts"), list):
        _tell_alertmanagers(fresh, how)
    elif spec.map:
        _tell_mapped(spec, fresh, how)
    elif how.changes or how.status is not None:
        say = f'source "{spec.name}" has no map that says where labels and status stand'
        raise BadInputError("E104", "", say)
    return fresh


def placed(key: str) -> tuple[str, str]:
    """Return the place and the name that the key of a change means."""
    place, dot, name = key.partition(".")
    return (place, name) if dot and name and place in PLACES else ("label", key)


# --------------------------------------------------------------------------------------------------- Alertmanager


def _tell_alertmanagers(body: dict[str, Any], how: Retelling) -> None:
    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}
    for key, value in how.changes.items():
        place, name = placed(key)
        if place == "value":
            raise BadInputError("E102", "", f"an Alertmanager's body has no value.{name}; use annotation.{name}")
        (labels if place == "label" else annotations)[name] = value
    _update(body, "commonLabels", labels)
    _update(body, "commonAnnotations", annotations)
    group = body.get("groupLabels")
    if isinstance(group, dict) and not labels.keys().isdisjoint(group):
        # what a group is grouped by stays the same set of names
        group.update({name: value for name, value in labels.items() if name in group})
        body["groupKey"] = "{}:{" + ", ".join(f'{name}="{group[name]}"' for name in sorted(group)) + "}"
    alerts = [alert for alert in body["alerts"] if isinstance(alert, dict)]
    for alert in alerts:
        _update(alert, "labels", labels)
        _update(alert, "annotations", annotations)
        _tell_alert(alert, how)
    firing = any(alert.get("status") != RESOLVED for alert in alerts)
    body["status"] = (FIRING if firing else RESOLVED).value


def _tell_alert(alert: dict[str, Any], how: Retelling) -> None:
    known = alert.get("labels")
    alert["fingerprint"] = fingerprint_of(known if isinstance(known, dict) else {})
    status = how.status or (RESOLVED if alert.get("status") == RESOLVED else FIRING)
    alert["status"] = status.value
    alert["startsAt"] = _rfc3339(how.began(alert["fingerprint"], status))
    alert["endsAt"] = _rfc3339(how.now) if status is RESOLVED else NO_END


def _update(part: dict[str, Any], key: str, changes: Mapping[str, str]) -> None:
    if changes and isinstance(part.setdefault(key, {}), dict):
        part[key].update(changes)


# ---------------------------------------------------------------------------------------------- by the field map


def _tell_mapped(spec: SourceSpec, body: Json, how: Retelling) -> None:
    mapping = field_map(spec)
    for item in _items(mapping, body):
        for key, value in how.changes.items():
            _put(item, _place_of(spec, mapping, key), value)
        word = _status_word(spec, mapping, how.status)
        if word is not None and mapping.status is not None:
            _put(item, mapping.status, word)
        if mapping.started_at is not None and mapping.started_at.find(item):
            identity = "/".join(str(found[0][1]) for path in mapping.fingerprint if (found := path.find(item)))
            began = how.began(identity, how.status or FIRING)
            told = round(began.timestamp() * mapping.per_second) if mapping.per_second else _rfc3339(began)
            _put(item, mapping.started_at, told)


def _items(mapping: FieldMap, body: Json) -> list[Json]:
    if mapping.each is None:
        return [body]
    found = [node for _, node in mapping.each.find(body)]
    return found[0] if len(found) == 1 and isinstance(found[0], list) else found


def _place_of(spec: SourceSpec, mapping: FieldMap, key: str) -> Path:
    place, name = placed(key)
    if place == "value":
        known: Mapping[str, Path] | Path = {fact: path for fact, (path, _unit) in mapping.facts.items()}
    else:
        known = mapping.labels if place == "label" else mapping.annotations
    if isinstance(known, Path):
        return Path(f"{known.text}.{name}", (*known.steps, name))
    if name not in known:
        raise BadInputError("E102", "", f'source "{spec.name}" has no {place} "{name}"; it has {_listed(known)}')
    return known[name]


def _status_word(spec: SourceSpec, mapping: FieldMap, status: AlertStatus | None) -> str | None:
    if status is None:
        return None
    words = sorted(mapping.firing if status is FIRING else mapping.resolved)
    if mapping.status is None or not words:
        raise BadInputError("E102", "", f'the map of source "{spec.name}" has no word for {status}')
    return words[0]


def _put(item: Json, path: Path, value: object) -> None:
    """Put a value where a path leads; what lies between and is not there is made."""
    node = item
    for step, following in zip(path.steps, (*path.steps[1:], None), strict=True):
        if isinstance(step, Every):
            raise BadInputError("E105", "", f"`{path.text}` names many places")
        if isinstance(node, dict) and isinstance(step, str):
            if following is None:
                node[step] = value
            node = node.setdefault(step, {})
        elif isinstance(node, list) and isinstance(step, int) and step < len(node):
            if following is None:
                node[step] = value
            node = node[step]
        else:
            raise BadInputError("E102", "", f"the body has no `{path.text}`")


def _listed(names: Mapping[str, object]) -> str:
    return ", ".join(sorted(names)) or "none"


def _rfc3339(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
