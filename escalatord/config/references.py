"""Who names whom: every reference from one entry to another, and those that lead nowhere."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from escalatord.config.fields_hours import CalendarNamed
from escalatord.config.schema_rules import LevelPart, LevelsPart
from escalatord.config.sections import Entry, Sections, unknown
from escalatord.core.policy import Target, TargetKind
from escalatord.core.rules import Comparison, FactSource, Missing
from escalatord.errors import Finding

USUAL_PLAN = "usual"
SECTION_OF_TARGET: Mapping[TargetKind, str] = {
    TargetKind.PERSON: "people",
    TargetKind.TEAM: "teams",
    TargetKind.ROLE: "roles",
    TargetKind.ONCALL: "schedules",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """A name in `entry` at `at` that must stand in `section`."""

    entry: Entry
    at: tuple[str | int, ...]
    section: str
    name: str


def references(sections: Sections) -> list[Reference]:
    """Return every reference of every valid entry."""
    found: list[Reference] = []
    for section, entries in sections.entries.items():
        reader = READERS_OF_REFERENCES.get(section)
        for entry in entries.values() if reader else ():
            if entry.part is not None and reader is not None:
                found += [
                    Reference(entry=entry, at=at, section=where, name=name) for at, where, name in reader(entry.part)
                ]
    return found


def check(sections: Sections, found: list[Reference]) -> Iterator[Finding]:
    """Yield a finding for every reference that leads nowhere, and every tier without a plan."""
    for reference in found:
        known = sections.entries[reference.section]
        if reference.name not in known and not sections.broken:
            say, fix = unknown(reference.section, reference.name, list(known))
            yield reference.entry.find("E020", say, *reference.at, fix=fix)
    if default_plan(sections.entries["contact_plans"]) is None and not sections.broken:
        for entry in sections.valid("policies"):
            yield from _without_plan(entry)


def default_plan(plans: Mapping[str, object]) -> str | None:
    """Return the plan of a tier that names none: the only one, else the one called `usual`."""
    if len(plans) == 1:
        return next(iter(plans))
    return USUAL_PLAN if USUAL_PLAN in plans else None


def conditions_of(level: LevelPart) -> Iterator[tuple[tuple[str | int, ...], Comparison]]:
    """Yield the comparisons of a level with their places below it."""
    if level.when is not None:
        yield ("when",), level.when
    for key, conditions in (("any", level.any_), ("all", level.all_)):
        for index, condition in enumerate(conditions):
            yield (key, index), condition


def levels_of(levels: LevelsPart) -> Iterator[tuple[str, LevelPart]]:
    """Yield the levels that are given, worst first."""
    for word in ("critical", "error", "warning", "info"):
        level = getattr(levels, word)
        if level is not None:
            yield word, level


_Found = Iterator[tuple[tuple[str | int, ...], str, str]]


def _target(target: Target | None, *at: str | int) -> _Found:
    if target is not None:
        yield at, SECTION_OF_TARGET[target.kind], target.name


def _targets(targets: list[Target], *at: str | int) -> _Found:
    for index, target in enumerate(targets):
        yield from _target(target, *at, index)


def _named(name: str | None, section: str, *at: str | int) -> _Found:
    if name is not None:
        yield at, section, name


def _service(part: Any) -> _Found:
    yield from _target(part.owner, "owner")
    yield from _named(part.policy, "policies", "policy")
    for index, name in enumerate(part.depends_on):
        yield ("depends_on", index), "services", name


def _rule(part: Any) -> _Found:
    yield from _named(part.policy, "policies", "policy")
    yield from _target(part.owner, "owner")
    for index, name in enumerate(getattr(part, "also", ())):
        yield ("also", index), "policies", name
    for key in ("absent", "anomaly"):
        own = getattr(part, key, None)
        yield from _named(own.source if own else None, "sources", key, "source")


def _mute(part: Any) -> _Found:
    yield from _target(part.by, "by")


def _source(part: Any) -> _Found:
    if part.heartbeat is not None:
        yield from _named(part.heartbeat.policy, "policies", "heartbeat", "policy")


def _regime(part: Any) -> _Found:
    yield (), "policies", part


def _unmatched(part: Any) -> _Found:
    yield ("policy",), "policies", part.policy


def _policy(part: Any) -> _Found:
    yield from _target(part.owner, "owner")
    for track_name, track in part.tracks.items():
        for index, tier in enumerate(track.tiers):
            at = ("tracks", track_name, "tiers", index)
            yield from _targets(tier.page, *at, "page")
            yield from _targets(tier.backup, *at, "backup")
            yield from _named(tier.plan, "contact_plans", *at, "plan")
            yield from _named(tier.template, "templates", *at, "template")
    for word in part.when.model_fields_set if part.when else ():
        yield from _named(getattr(part.when, word).plan, "contact_plans", "when", word, "plan")
    yield from _named(part.hours.calendar if part.hours else None, "calendars", "hours", "calendar")
    yield from _targets(part.last_resort.page, "last_resort", "page")
    yield from _named(part.last_resort.plan, "contact_plans", "last_resort", "plan")


def _plan(part: Any) -> _Found:
    for index, step in enumerate(part):
        yield (index, "by"), "channels", step.by
        for other, name in enumerate(step.if_failed):
            yield (index, "if_failed", other), "channels", name


def _person(part: Any) -> _Found:
    for name, steps in part.plans.items():
        yield ("plans", name), "contact_plans", name
        for at, section, channel in _plan(steps):
            yield ("plans", name, *at), section, channel


def _team(part: Any) -> _Found:
    for index, name in enumerate(part.members):
        yield ("members", index), "people", name


def _role(part: Any) -> _Found:
    yield from _targets(part.holders, "holders")


def _schedule(part: Any) -> _Found:
    for layer_index, layer in enumerate(part.layers):
        for index, name in enumerate(layer.people):
            yield ("layers", layer_index, "people", index), "people", name
        if isinstance(layer.active, CalendarNamed):
            yield ("layers", layer_index, "active"), "calendars", layer.active.calendar
    for index, override in enumerate(part.overrides):
        yield ("overrides", index, "person"), "people", override.person
    for index, name in enumerate(part.when_empty):
        yield ("when_empty", index), "people", name


READERS_OF_REFERENCES = {
    "services": _service,
    "thresholds": _rule,
    "exceptions": _rule,
    "suppress": _mute,
    "regimes": _regime,
    "sources": _source,
    "unmatched": _unmatched,
    "policies": _policy,
    "contact_plans": _plan,
    "people": _person,
    "teams": _team,
    "roles": _role,
    "schedules": _schedule,
}


def _without_plan(entry: Entry) -> Iterator[Finding]:
    """Yield a finding for every tier and last resort that names no plan, when there is no default."""
    say = f"no plan is named, and there is neither a single contact plan nor one called `{USUAL_PLAN}`"
    for name, track in entry.part.tracks.items():
        for index, tier in enumerate(track.tiers):
            if tier.plan is None:
                yield entry.find("E012", say, "tracks", name, "tiers", index, fix="add plan: NAME")
    if entry.part.last_resort.plan is None:
        yield entry.find("E012", say, "last_resort", fix="add plan: NAME")


def fact_source(entry: Entry) -> FactSource:
    """Return the fact that an entry of `facts` describes."""
    part = entry.part
    kind, key = part.from_ or ("", "")
    query = part.query or part.or_query
    return FactSource(name=entry.name, kind=kind, key=key, unit=part.unit, missing=Missing(part.missing), query=query)
