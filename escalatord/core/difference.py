"""What differs between two rule sets, in what they mean and not in how they are written.

A rule set is flattened into named facts ("policy payments · technical · tier 2 · within" → "10m"), whatever its classes
grow; two are compared fact by fact, and what comes or goes as a whole is told as a whole. Addresses and settings of
channels are told as changed, never shown.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from datetime import datetime, timedelta
from enum import Enum
from typing import NamedTuple, TypeAlias

from escalatord.core.matchers import Matchers
from escalatord.core.mutes import Template
from escalatord.core.policy import NEED_ALL, NEED_FIRST, ContactPlan, Policy, Target
from escalatord.core.rules import AllOf, AnyOf, Comparison
from escalatord.core.ruleset import Ruleset
from escalatord.core.schedule import Schedule, on_call
from escalatord.core.units import Quantity, format_duration

SECONDS = "_seconds"
HIDDEN = frozenset({"addresses", "settings", "secret_hashes", "url", "bearer"})
LEFT_OUT = frozenset({"hash", "name", "id", "text"})
SHOWN_CHARACTERS_MAX = 120
DUTY_DAYS = 28
ADDED = "added"
REMOVED = "removed"
HOUR = timedelta(hours=1)
SINGULAR: Mapping[str, str] = {
    "policies": "policy",
    "people": "person",
    "teams": "team",
    "roles": "role",
    "schedules": "schedule",
    "calendars": "calendar",
    "channels": "channel",
    "contact_plans": "contact plan",
    "facts": "fact",
    "services": "service",
    "thresholds": "threshold",
    "exceptions": "exception",
    "suppress": "suppression",
    "regimes": "regime",
    "sources": "source",
    "templates": "template",
    "tiers": "tier",
    "layers": "layer",
    "levels": "level",
    "steps": "step",
    "overrides": "override",
}
TRANSPARENT = frozenset({"tracks"})
"""Fields whose name says nothing beside the names of what they hold."""

Path: TypeAlias = tuple[str, ...]


class Change(NamedTuple):
    """One difference: of what, what it was and what it is; "" where there was or is nothing.

    Where a thing came or went with all that belongs to it, `after` is ADDED or REMOVED and `before` "".
    """

    what: str
    before: str
    after: str


class _Fact(NamedTuple):
    """What is compared, and what is shown of it."""

    value: str
    shown: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Duty:
    """A schedule that names other people at so many `hours` of the next DUTY_DAYS days.

    The first of them is `at`, when `after` has duty instead of `before`.
    """

    schedule: str
    hours: int
    at: datetime
    before: tuple[str, ...]
    after: tuple[str, ...]


def changes(old: Ruleset, new: Ruleset) -> tuple[Change, ...]:
    """Return every difference in meaning, in the order of the rules; what was added or dropped whole is one change."""
    return _compared(dict(_facts_of(old)), dict(_facts_of(new)))


def policy_changes(old: Policy, new: Policy) -> tuple[Change, ...]:
    """Return every difference in meaning of two policies of one name; of their contact plans only the names count."""
    before, after = (dict(_flat(("policies", old.name), each, hidden=False)) for each in (old, new))
    return _compared(before, after)


def _compared(before: Mapping[Path, _Fact], after: Mapping[Path, _Fact]) -> tuple[Change, ...]:
    told: dict[Path, Change] = {}
    for path in dict.fromkeys((*before, *after)):
        was, is_ = before.get(path), after.get(path)
        if was is not None and is_ is not None:
            if was.value != is_.value:
                told[path] = Change(_words(path), was.shown, is_.shown)
            continue
        root = _root(path, after if was is not None else before)
        if root == path:
            told[path] = Change(_words(path), was.shown if was else "", is_.shown if is_ else "")
        else:
            told.setdefault(root, Change(_words(root), "", REMOVED if was else ADDED))
    return tuple(told.values())


def duties(old: Ruleset, new: Ruleset, now: datetime) -> tuple[Duty, ...]:
    """Return the schedules of both that name other people at some full hour of the days to come."""
    found = []
    for name, schedule in old.schedules.items():
        other = new.schedules.get(name)
        if other is None or other == schedule:
            continue
        hours = [(at, was, is_) for at, was, is_ in _hours(schedule, other, now) if was != is_]
        if hours:
            at, was, is_ = hours[0]
            found.append(Duty(schedule=name, hours=len(hours), at=at, before=was, after=is_))
    return tuple(found)


def _hours(
    schedule: Schedule, other: Schedule, now: datetime
) -> Iterator[tuple[datetime, tuple[str, ...], tuple[str, ...]]]:
    for hour in range(DUTY_DAYS * 24):
        at = now + hour * HOUR
        yield at, tuple(one.person for one in on_call(schedule, at)), tuple(one.person for one in on_call(other, at))


# ------------------------------------------------------------------------------------------------------ flattening


def _facts_of(ruleset: Ruleset) -> Iterator[tuple[Path, _Fact]]:
    for field in fields(ruleset):
        if field.compare and field.name not in LEFT_OUT:
            yield from _flat((field.name,), getattr(ruleset, field.name), hidden=False)


def _flat(path: Path, value: object, *, hidden: bool) -> Iterator[tuple[Path, _Fact]]:
    """Yield the facts below a value; what is empty is none."""
    text = _leaf(path, value)
    if text is not None:
        if text:
            shown = "…" if hidden else text[:SHOWN_CHARACTERS_MAX]
            yield path, _Fact(text, shown)
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _flat((*path, str(key)), inner, hidden=hidden)
    elif isinstance(value, Sequence):
        for number, inner in enumerate(value, start=1):
            yield from _flat((*path, _name_of(inner, number, path)), inner, hidden=hidden)
    else:
        assert is_dataclass(value)  # noqa: S101 - what has parts and is neither of these is one of our own values
        for field in fields(value):
            # the name of a rung is told: its number is what it is found by
            if field.compare and (field.name not in LEFT_OUT or (field.name == "name" and path[-2:-1] == ("tiers",))):
                is_hidden = hidden or field.name in HIDDEN
                yield from _flat((*path, field.name), getattr(value, field.name), hidden=is_hidden)


def _leaf(path: Path, value: object) -> str | None:
    """Return a value as one text, "" for nothing; None when it has parts worth telling apart."""
    match value:
        case None | "" | () | [] | False:
            return ""
        case Target() | Quantity():
            return str(value)
        case Matchers() | Comparison() | Template():
            return value.text
        case AnyOf() | AllOf():
            joint = " or " if isinstance(value, AnyOf) else " and "
            return joint.join(str(_leaf(path, part)) for part in value.parts)
        case ContactPlan() if path[0] == "policies":
            return value.name  # its steps are told once, where it stands
        case Enum():
            return str(value.value)
        case bool():
            return "yes"
        case float() | int() if any(part.endswith(SECONDS) for part in path):
            return format_duration(float(value))
        case str() | int() | float() | bytes():
            return value.hex() if isinstance(value, bytes) else _spelled(path, value)
        case frozenset() | set():
            return ", ".join(sorted(str(_leaf(path, item)) for item in value))
        case tuple() | list() if all(_leaf(path, item) is not None for item in value):
            return ", ".join(str(_leaf(path, item)) for item in value)
        case _:
            return None if isinstance(value, Mapping | Sequence) or is_dataclass(value) else str(value)


def _spelled(path: Path, value: str | float) -> str:
    """Return a plain value as the rules spell it."""
    words: Mapping[str | float, str] = {NEED_FIRST: "first", NEED_ALL: "all"} if path[-1] == "need" else {}
    return words.get(value, str(value))


def _name_of(value: object, number: int, path: Path) -> str:
    if path[-1] == "tiers":
        return str(number)
    for name in ("name", "severity"):
        found = getattr(value, name, None)
        if isinstance(found, str) and found:
            return str(found)
    return str(number)


# --------------------------------------------------------------------------------------------------------- telling


def _root(path: Path, others: Mapping[Path, _Fact]) -> Path:
    """Return the shortest path above (or at) `path` of which the other rule set knows nothing at all."""
    for length in range(2, len(path)):
        if not any(other[:length] == path[:length] for other in others):
            return path[:length]
    return path


def _words(path: Path) -> str:
    """Return a path for a reader: `policy payments · technical · tier 2 · within`."""
    told: list[str] = []
    kind = ""
    for place, part in enumerate(path):
        if kind:
            told.append(f"{kind} {part}")
            kind = ""
        elif part in SINGULAR and place + 1 < len(path):
            kind = SINGULAR[part]
        elif part not in TRANSPARENT:
            told.append(part.removesuffix(SECONDS).replace("_", " "))
    return " · ".join(told)
