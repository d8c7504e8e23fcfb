"""The field map of a generic source: which place of a foreign body means what.

`config` has validated its shape; what is wrong here all the same is told as E107, never guessed around.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

from escalatord.core.alert import Severity
from escalatord.core.ruleset import SourceSpec
from escalatord.errors import BadInputError
from escalatord.ingest.paths import Path, PathError, parse_path

RFC3339 = "rfc3339"
PER_SECOND = {"epoch": 1, "epoch_ms": 1000}


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldMap:
    """A compiled map. Paths are relative to the item; `labels` and `annotations` may also be one path to an object."""

    each: Path | None
    fingerprint: tuple[Path, ...]
    status: Path | None
    firing: frozenset[str]
    resolved: frozenset[str]
    severity: Path | None
    severities: Mapping[str, Severity]
    title: Path | None
    summary: Path | None
    started_at: Path | None
    per_second: int
    labels: Mapping[str, Path] | Path
    annotations: Mapping[str, Path] | Path
    facts: Mapping[str, tuple[Path, str]]
    links: Mapping[str, Path]


def field_map(spec: SourceSpec) -> FieldMap:
    """Return the map of a source, compiled; raise `BadInputError` E107 when it cannot be."""
    try:
        return _compiled(spec.map, spec.severities)
    except PathError as error:
        raise BadInputError(
            "E107", "", f'the map of source "{spec.name}" has a path that cannot be read: {error}'
        ) from None
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        say = f'the map of source "{spec.name}" is broken: {type(error).__name__} {error}'
        raise BadInputError("E107", "", say) from None


def _compiled(given: Mapping[str, object], own: Mapping[str, Severity]) -> FieldMap:
    status = _object(given.get("status"))
    severity = _object(given.get("severity"))
    started_at = _object(given.get("started_at"))
    form = started_at.get("format", RFC3339)
    keys = given["fingerprint"]
    values = cast("Mapping[object, object]", severity.get("values") or {})
    return FieldMap(
        each=_path(given.get("each")),
        fingerprint=tuple(parse_path(str(key)) for key in (keys if isinstance(keys, list | tuple) else [keys])),
        status=_path(status.get("path")),
        firing=_words(status.get("firing")),
        resolved=_words(status.get("resolved")),
        severity=_path(severity.get("path")),
        severities={**own, **{str(word): Severity(str(meant)) for word, meant in values.items()}},
        title=_path(given.get("title")),
        summary=_path(given.get("summary")),
        started_at=_path(started_at.get("path")),
        per_second=0 if form == RFC3339 else PER_SECOND[str(form)],
        labels=_paths(given.get("labels")),
        annotations=_paths(given.get("annotations")),
        facts={name: _fact(fact) for name, fact in _object(given.get("facts")).items()},
        links={name: parse_path(str(path)) for name, path in _object(given.get("links")).items()},
    )


def _object(value: object) -> Mapping[str, object]:
    """Return a part of the map; a plain path is short for `{path: …}`."""
    if value is None:
        return {}
    if isinstance(value, str):
        return {"path": value}
    if isinstance(value, Mapping):
        return value
    raise TypeError(f"{value!r} is neither a path nor an object")


def _path(value: object) -> Path | None:
    return None if value is None else parse_path(str(value))


def _paths(value: object) -> Mapping[str, Path] | Path:
    if isinstance(value, str):
        return parse_path(value)
    return {name: parse_path(str(path)) for name, path in _object(value).items()}


def _words(value: object) -> frozenset[str]:
    return frozenset(map(str, cast("list[object]", value or ())))


def _fact(value: object) -> tuple[Path, str]:
    fact = _object(value)
    return parse_path(str(fact["path"])), str(fact.get("unit", ""))
