"""Example alerts: finding them, and writing them as if they had just happened.

Examples are bodies as monitoring systems post them, kept in `payloads/` beside the rules. Pure functions of values; the
instant and the source of chance are given.
"""

import json
from collections.abc import Callable, Mapping
from copy import deepcopy
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeAlias

PAYLOAD_BYTES_MAX = 5 * 1024 * 1024
ALERTMANAGER = "alertmanager"
NO_END = "0001-01-01T00:00:00Z"
EPOCHS: Mapping[str, int] = {"epoch": 1, "epoch_ms": 1000}
LABELLED = ("labels", "commonLabels", "groupLabels")

Json: TypeAlias = Any  # whatever JSON holds; every reader below looks before it takes


class PayloadError(Exception):
    """An example that cannot be used, in a sentence."""


def names(rules: Path) -> list[str]:
    """Return the names of the examples beside the rules."""
    folder = _folder(rules)
    return sorted(path.stem for path in folder.glob("*.json")) if folder.is_dir() else []


def read(example: str, rules: Path) -> Json:
    """Return the parsed example of that name, or the file of that path; PayloadError when there is none."""
    path = _folder(rules) / f"{example}.json"
    if not example.replace("-", "").replace("_", "").isalnum() or not path.is_file():
        path = Path(example)
    try:
        with path.open("rb") as file:
            raw = file.read(PAYLOAD_BYTES_MAX + 1)
    except OSError:
        known = ", ".join(names(rules)) or f"none in {_folder(rules)}"
        raise PayloadError(f'there is no example and no file "{example}"; examples: {known}') from None
    if len(raw) > PAYLOAD_BYTES_MAX:
        raise PayloadError(f"{path} is larger than {PAYLOAD_BYTES_MAX // 1024 // 1024} MiB")
    try:
        return json.loads(raw)
    except ValueError as error:
        raise PayloadError(f"{path} is not JSON: {error}") from None


def is_alertmanagers(content: Json) -> bool:
    """Return whether this is an Alertmanager's body (or Grafana's, which is alike)."""
    return isinstance(content, dict) and isinstance(content.get("alerts"), list)


def freshen(content: Json, now: datetime, chance: Callable[[int], str], labels: Mapping[str, str]) -> Json:
    """Return an Alertmanager's body as of `now` with new fingerprints, and with `labels` set on every alert.

    `chance` gives a random hex text of so many bytes.
    """
    fresh = deepcopy(content)
    parts = [fresh, *(alert for alert in fresh["alerts"] if isinstance(alert, dict))]
    for part in parts:
        _label(part, labels)
    for alert in parts[1:]:
        alert["startsAt"] = _rfc3339(now)
        alert["endsAt"] = _rfc3339(now) if alert.get("status") == "resolved" else NO_END
        alert["fingerprint"] = chance(8)
    return fresh


def freshen_mapped(content: Json, field_map: Mapping[str, Any], now: datetime, labels: Mapping[str, str]) -> Json:
    """Return a body of a generic source as of `now`, by its field map; PayloadError for a label it does not map."""
    fresh = deepcopy(content)
    started = field_map.get("started_at")
    time_key = _key(started)
    form = str(started.get("format")) if isinstance(started, Mapping) else ""
    mapped = field_map.get("labels")
    mapped = mapped if isinstance(mapped, Mapping) else {}
    for item in _items(fresh, field_map):
        if time_key in item:
            item[time_key] = round(now.timestamp() * EPOCHS[form]) if form in EPOCHS else _rfc3339(now)
        for label, value in labels.items():
            key = _key(mapped.get(label))
            if not key:
                raise PayloadError(f'this source has no label "{label}"; labels: {", ".join(mapped) or "none"}')
            item[key] = value
    return fresh


def fits(content: Json, field_map: Mapping[str, Any]) -> bool:
    """Return whether a generic source of that field map would find something in the body."""
    return bool(_items(content, field_map))


def _items(content: Json, field_map: Mapping[str, Any]) -> list[dict[str, Any]]:
    each = _key(field_map.get("each"))
    found = (content.get(each) if isinstance(content, dict) else None) if each else content
    return [item for item in (found if isinstance(found, list) else [found]) if isinstance(item, dict)]


def _key(path: object) -> str:
    """Return the key of a path of one step, `$.key` or `$.key[*]`; "" for deeper ones, which stay as they are."""
    path = path.get("path") if isinstance(path, Mapping) else path
    name = str(path or "").removeprefix("$.").removesuffix("[*]")
    return name if name.replace("_", "").isalnum() else ""


def _label(part: dict[str, Any], labels: Mapping[str, str]) -> None:
    for place in LABELLED:
        known = part.get(place)
        if isinstance(known, dict):
            # what a group is grouped by stays the same set of names
            known.update({k: v for k, v in labels.items() if place != "groupLabels" or k in known})


def _folder(rules: Path) -> Path:
    return (rules if rules.is_dir() else rules.parent) / "payloads"


def _rfc3339(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
