"""Services from a catalog: Backstage's `catalog-info.yaml` or a table (CSV), merged into a file of `services`.

- What the catalog says of a service wins; what it does not speak of (mostly money) stays as it is in the file.
- A service that the catalog no longer has goes. Many at once are a mistake until somebody says otherwise: an export
  that was cut off must not take half the owners with it (DELETED_SHARE_MAX).
- A name that our language cannot have is skipped with a sentence, never bent into another name.

Source of the format: Backstage's documentation, "Descriptor Format of Catalog Entities".
"""

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import yaml

from escalatord.config.fields import NAME
from escalatord.config.strict_yaml import parse

CATALOG_BYTES_MAX = 5 * 1024 * 1024
SERVICES_MAX = 10_000
DELETED_SHARE_MAX = 0.3
KEYS = ("owner", "policy", "revenue_per_hour", "segments", "regulated", "depends_on", "runbook")
LISTS = frozenset({"segments", "regulated", "depends_on"})
KINDS = frozenset({"component", "resource", "system"})
ANNOTATION = "escalatord/"
OWNER_KINDS = {"group": "team", "user": "person", "": "team"}

ServiceMap: TypeAlias = dict[str, dict[str, Any]]


class CatalogError(ValueError):
    """Raised for a catalog that cannot be read; a sentence."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Catalog:
    """The services of a catalog, and what of it was left out and why."""

    services: ServiceMap
    skipped: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Merged:
    """A file's services as they would be: the whole, and what changes, one line each."""

    services: ServiceMap
    added: tuple[str, ...] = ()
    deleted: tuple[str, ...] = ()
    changed: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    before: int = 0

    @property
    def too_many_deleted(self) -> bool:
        """Return whether so many services go that it looks like a mistake."""
        return self.before > 0 and len(self.deleted) / self.before > DELETED_SHARE_MAX

    def lines(self) -> Iterator[str]:
        """Yield the difference as it is shown: `+` new, `-` gone, `~` changed."""
        yield from (f"+ {name}" for name in self.added)
        yield from (f"- {name}" for name in self.deleted)
        for name, changes in self.changed.items():
            yield from (f"~ {name}: {change}" for change in changes)


def read(name: str, raw: bytes) -> Catalog:
    """Return the services of a catalog file; a `.csv` is a table, everything else Backstage's YAML."""
    if len(raw) > CATALOG_BYTES_MAX:
        raise CatalogError(f"it is larger than {CATALOG_BYTES_MAX // 1024 // 1024} MiB")
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise CatalogError("it is not text in UTF-8") from None
    found = _table(text) if name.lower().endswith(".csv") else _backstage(text)
    if not found.services:
        raise CatalogError("there is no service in it: " + (found.skipped[0] if found.skipped else "it is empty"))
    if len(found.services) > SERVICES_MAX:
        raise CatalogError(f"it has more than {SERVICES_MAX} services")
    return found


def services_of(raw: bytes, file: str) -> ServiceMap:
    """Return the services that a file of rules has now; CatalogError when it holds anything else, or cannot be read."""
    document, findings = parse(raw, file)
    if findings or not document.whole:
        raise CatalogError(f"{file} cannot be read; escalatord check says why")
    others = sorted(document.value.keys() - {"services"})
    if others:
        raise CatalogError(f"{file} also holds {', '.join(others)}; name a file for services alone with --to")
    services: Any = document.value.get("services") or {}
    return {name: dict(service or {}) for name, service in services.items()}


def merge(present: ServiceMap, catalog: Catalog) -> Merged:
    """Return what a file's services become."""
    services: ServiceMap = {}
    changed: dict[str, tuple[str, ...]] = {}
    for name, told in catalog.services.items():
        known = present.get(name, {})
        whole = {**known, **told}
        services[name] = {key: whole[key] for key in KEYS if key in whole}
        changes = tuple(_change(key, known.get(key), value) for key, value in told.items() if known.get(key) != value)
        if name in present and changes:
            changed[name] = changes
    return Merged(
        services=services,
        added=tuple(name for name in services if name not in present),
        deleted=tuple(name for name in present if name not in services),
        changed=changed,
        before=len(present),
    )


def written(services: ServiceMap, source: str) -> bytes:
    """Return the file that holds these services."""
    head = f"# Services from {source}, by `escalatord catalog import`. What the catalog does not say may be added.\n"
    dumped: str = yaml.safe_dump({"services": services}, sort_keys=False, allow_unicode=True, width=120)
    return (head + dumped).encode()


# ----------------------------------------------------------------------------------------------------- backstage


def _backstage(text: str) -> Catalog:
    services: ServiceMap = {}
    skipped: list[str] = []
    try:
        for entity in yaml.safe_load_all(text):
            if isinstance(entity, dict) and str(entity.get("kind", "")).lower() in KINDS:
                _take(services, skipped, *_entity(entity))
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        place = getattr(error, "problem_mark", None)
        where = f" (line {place.line + 1})" if place is not None else ""
        raise CatalogError(f"it is not YAML{where}") from None
    return Catalog(services=services, skipped=tuple(skipped))


def _entity(entity: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    metadata, spec = _mapping(entity.get("metadata")), _mapping(entity.get("spec"))
    service: dict[str, Any] = {}
    owner = spec.get("owner")
    if isinstance(owner, str) and owner:
        kind, _, name = owner.rpartition(":")
        service["owner"] = f"{OWNER_KINDS.get(kind.lower(), 'team')} {name.rpartition('/')[2]}"
    depends_on = [_bare(one) for one in _texts(spec.get("dependsOn"))]
    if depends_on:
        service["depends_on"] = depends_on
    for link in metadata.get("links") or ():
        address = _mapping(link).get("url")
        if isinstance(address, str) and "runbook" in str(_mapping(link).get("title", "")).lower():
            service["runbook"] = address
    for key, value in _mapping(metadata.get("annotations")).items():
        name = str(key).removeprefix(ANNOTATION).replace("-", "_")
        if str(key).startswith(ANNOTATION) and name in KEYS:
            service[name] = _split(str(value)) if name in LISTS else str(value)
    return str(metadata.get("name", "")), service


def _bare(reference: str) -> str:
    """Return the name in a reference like `component:default/db-main`."""
    return reference.rpartition(":")[2].rpartition("/")[2]


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _texts(value: object) -> list[str]:
    return [one for one in value if isinstance(one, str)] if isinstance(value, list) else []


# --------------------------------------------------------------------------------------------------------- table


def _table(text: str) -> Catalog:
    services: ServiceMap = {}
    skipped: list[str] = []
    try:
        rows = list(csv.DictReader(io.StringIO(text), strict=True, restkey="more"))
    except csv.Error as error:
        raise CatalogError(f"it is no table: {error}") from None
    columns = list(rows[0]) if rows else []
    if "name" not in columns:
        raise CatalogError(f"the first line must name the columns: name, {', '.join(KEYS)}")
    unknown = [column for column in columns if column not in ("name", *KEYS)]
    if unknown:
        raise CatalogError(f'there is no column "{unknown[0]}"; known: name, {", ".join(KEYS)}')
    for row in rows:
        # an empty cell says nothing: what the file has stays
        service = {
            key: _split(row[key]) if key in LISTS else row[key].strip() for key in KEYS if (row.get(key) or "").strip()
        }
        _take(services, skipped, (row["name"] or "").strip(), service)
    return Catalog(services=services, skipped=tuple(skipped))


def _split(text: str) -> list[str]:
    return [part.strip() for part in text.replace(",", ";").split(";") if part.strip()]


def _take(services: ServiceMap, skipped: list[str], name: str, service: dict[str, Any]) -> None:
    if not NAME.fullmatch(name):
        skipped.append(f'"{name[:64]}" cannot be a name here')
    elif name in services:
        skipped.append(f'"{name}" stands twice; the first counts')
    else:
        services[name] = service


def _change(key: str, old: object, new: object) -> str:
    return f"{key} {_shown(old)} → {_shown(new)}"


def _shown(value: object) -> str:
    if value is None:
        return "nothing"
    return ", ".join(map(str, value)) if isinstance(value, Sequence) and not isinstance(value, str) else str(value)
