"""Validated parts to values of the core. Called only when nothing is wrong, so nothing here can fail."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from escalatord.config import build_noise
from escalatord.config.addresses import Wiring
from escalatord.config.build_rules import exception, heartbeat, prometheus, service, threshold
from escalatord.config.canonical import content_hash
from escalatord.config.fields import rotation
from escalatord.config.fields_hours import CalendarNamed
from escalatord.config.references import default_plan, fact_source
from escalatord.config.schema import PolicyPart, TierPart, TrackPart
from escalatord.config.schema_people import LayerPart, SchedulePart, StepPart
from escalatord.config.sections import Entry, Sections
from escalatord.config.suppressions import mute
from escalatord.config.templates import template
from escalatord.core.alert import SEVERITIES, Severity
from escalatord.core.away import Away
from escalatord.core.matchers import MatcherIndex
from escalatord.core.policy import (
    FAILED_AFTER_SECONDS_DEFAULT,
    LAST_RESORT_SECONDS_DEFAULT,
    Action,
    Compliance,
    ContactPlan,
    LastResort,
    Milestones,
    OfficeHours,
    PlanStep,
    Policy,
    Prefer,
    SeverityOverride,
    Tier,
    TrackKind,
    TrackPolicy,
)
from escalatord.core.roster import Person
from escalatord.core.ruleset import Ruleset, SourceSpec, Unmatched
from escalatord.core.schedule import Layer, Override, Schedule
from escalatord.core.wallclock import parse_when


def ruleset(sections: Sections, wiring: Wiring) -> Ruleset:
    """Return the rule set that `sections` describe, with content hashes."""
    plans = {entry.name: _plan(entry.name, entry.part) for entry in sections.valid("contact_plans")}
    policies = {entry.name: _policy(entry, plans) for entry in sections.valid("policies")}
    beats = [heartbeat(entry) for entry in sections.valid("sources")]
    thresholds = (
        *(threshold(entry.part) for entry in sections.valid("thresholds")),
        *(rule for rule in beats if rule is not None),
    )
    exceptions = tuple(exception(entry.part) for entry in sections.valid("exceptions"))
    mutes = tuple(mute(number, entry.part) for number, entry in enumerate(sections.valid("suppress"), start=1))
    unmatched = sections.valid("unmatched")[0].part
    built = Ruleset(
        hash="",
        unmatched=Unmatched(severity=Severity(unmatched.severity), policy=unmatched.policy),
        policies=policies,
        people={entry.name: _person(entry, wiring) for entry in sections.valid("people")},
        teams={entry.name: tuple(entry.part.members) for entry in sections.valid("teams")},
        roles={entry.name: tuple(entry.part.holders) for entry in sections.valid("roles")},
        schedules={entry.name: _schedule(entry, wiring) for entry in sections.valid("schedules")},
        calendars=wiring.calendars,
        channels=wiring.channels,
        contact_plans=plans,
        facts={entry.name: fact_source(entry) for entry in sections.valid("facts")},
        services={entry.name: service(entry) for entry in sections.valid("services")},
        thresholds=thresholds,
        exceptions=exceptions,
        suppress=mutes,
        regimes={entry.name: entry.part for entry in sections.valid("regimes")},
        prometheus=next((prometheus(entry.part, wiring.bearer) for entry in sections.valid("prometheus")), None),
        sources={entry.name: _source(entry, wiring) for entry in sections.valid("sources")},
        templates={entry.name: template(entry) for entry in sections.valid("templates")},
        groups=tuple(build_noise.group(entry) for entry in sections.valid("groups")),
        flap=build_noise.flap(sections),
        limits=build_noise.limits(sections),
        threshold_index=MatcherIndex([rule.match for rule in thresholds]),
        exception_index=MatcherIndex([rule.match for rule in exceptions]),
        suppress_index=MatcherIndex([each.match for each in mutes]),
    )
    return replace(built, hash=content_hash(built))


def track_kind(name: str, part: TrackPart) -> TrackKind | None:
    """Return whom a track serves: as given, else its name; None when neither says it."""
    if part.kind is not None:
        return TrackKind(part.kind)
    return TrackKind(name) if name in set(TrackKind) else None


def _text(value: object) -> str:
    return "" if value is None else str(value)


def _plan(name: str, parts: Sequence[StepPart]) -> ContactPlan:
    steps = tuple(
        PlanStep(
            by=step.by,
            after_seconds=step.after,
            if_failed=tuple(step.if_failed),
            failed_after_seconds=step.failed_after or FAILED_AFTER_SECONDS_DEFAULT,
        )
        for step in parts
    )
    return ContactPlan(name=name, steps=steps)


def _policy(entry: Entry, plans: Mapping[str, ContactPlan]) -> Policy:
    part: PolicyPart = entry.part
    resort = part.last_resort
    policy = Policy(
        name=entry.name,
        owner=part.owner,
        tracks=tuple(_track(name, track, plans) for name, track in part.tracks.items()),
        last_resort=LastResort(
            page=tuple(resort.page),
            plan=_plan_of(resort.plan, plans),
            every_seconds=resort.every or LAST_RESORT_SECONDS_DEFAULT,
        ),
        overrides=_overrides(part, plans),
        ack_hold_seconds=_ack_holds(part),
        compliance=_compliance(part),
        confidential=part.class_ == "confidential",
        stand_down=part.on_resolve == "stand_down",
        never=frozenset(part.never),
        milestones=_milestones(part),
        hours=_hours(part),
    )
    return replace(policy, hash=content_hash(policy))


def _plan_of(name: str | None, plans: Mapping[str, ContactPlan]) -> ContactPlan:
    return plans[name or default_plan(plans) or ""]


def _track(name: str, part: TrackPart, plans: Mapping[str, ContactPlan]) -> TrackPolicy:
    return TrackPolicy(
        name=name,
        kind=track_kind(name, part) or TrackKind.TECHNICAL,
        tiers=tuple(_tier(number, tier, plans) for number, tier in enumerate(part.tiers, start=1)),
        repeat=part.repeat,
        when=Severity(part.when) if part.when else None,
    )


def _tier(number: int, part: TierPart, plans: Mapping[str, ContactPlan]) -> Tier:
    return Tier(
        name=part.name or f"tier {number}",
        page=tuple(part.page),
        backup=tuple(part.backup),
        within_seconds=part.within,
        remind_seconds=tuple(sorted(part.remind)),
        plan=_plan_of(part.plan, plans),
        template=_text(part.template),
        need=part.need,
        prefer=Prefer(part.prefer) if part.prefer else None,
        pick=part.pick or max(part.need, 1),
        on_enter=tuple(dict.fromkeys(map(Action, part.on_enter))),
    )


def _overrides(part: PolicyPart, plans: Mapping[str, ContactPlan]) -> dict[Severity, SeverityOverride]:
    overrides: dict[Severity, SeverityOverride] = {}
    for severity in SEVERITIES:
        given = getattr(part.when, severity.value, None)
        if given is not None:
            plan = plans[given.plan] if given.plan else None
            overrides[severity] = SeverityOverride(within_seconds=given.within, plan=plan, skip_to=given.skip_to)
    return overrides


def _ack_holds(part: PolicyPart) -> dict[Severity, float]:
    """Return the holds that are given; `default` fills the other severities."""
    if part.ack_holds is None:
        return {}
    holds = {severity: getattr(part.ack_holds, severity.value) or part.ack_holds.default for severity in SEVERITIES}
    return {severity: seconds for severity, seconds in holds.items() if seconds is not None}


def _milestones(part: PolicyPart) -> Milestones | None:
    given = part.milestones
    if given is None:
        return None
    return Milestones(
        mitigate_by_seconds=given.mitigate_by,
        update_every_seconds=given.update_every,
        resolve_by_seconds=given.resolve_by,
    )


def _hours(part: PolicyPart) -> OfficeHours | None:
    given = part.hours
    if given is None:
        return None
    return OfficeHours(calendar=given.calendar, unless=Severity(given.unless) if given.unless else None)


def _compliance(part: PolicyPart) -> Compliance | None:
    given = part.compliance
    if given is None:
        return None
    return Compliance(
        regime=given.regime,
        clock_from=given.clock_from,
        due_seconds=given.due,
        remind_seconds=tuple(sorted(given.remind)),
    )


def _person(entry: Entry, wiring: Wiring) -> Person:
    part = entry.part
    return Person(
        id=entry.name,
        name=part.name or entry.name,
        addresses=wiring.addresses[entry.name],
        timezone=part.timezone,
        languages=tuple(part.languages),
        skills=tuple(part.skills),
        region=part.region,
        authority=tuple(part.authority),
        away=tuple(
            Away(
                person=entry.name,
                start=parse_when(span.from_, part.timezone),
                end=parse_when(span.to, part.timezone, later=True),
                why=span.why,
            )
            for span in part.away
        ),
        plans={name: _plan(name, steps) for name, steps in part.plans.items()},
    )


def _schedule(entry: Entry, wiring: Wiring) -> Schedule:
    part: SchedulePart = entry.part
    layers = tuple(_layer(number, layer, part, wiring) for number, layer in enumerate(part.layers, start=1))
    overrides = tuple(
        Override(
            schedule=entry.name,
            person=override.person,
            start=parse_when(override.from_, part.timezone),
            end=parse_when(override.to, part.timezone, later=True),
            why=override.why,
        )
        for override in part.overrides
    )
    return Schedule(
        name=entry.name,
        timezone=part.timezone,
        layers=layers,
        overrides=overrides,
        when_empty=tuple(part.when_empty),
        feed=wiring.feeds.get(entry.name),
    )


def _layer(number: int, part: LayerPart, schedule: SchedulePart, wiring: Wiring) -> Layer:
    turns = None if part.rotate is None or part.starts is None else rotation(part.rotate, part.handoff, part.starts)
    active = part.active
    named = active if isinstance(active, CalendarNamed) else None
    return Layer(
        name=part.name or f"layer {number}",
        timezone=part.timezone or schedule.timezone,
        rotation=turns,
        people=tuple(part.people),
        active=() if active is None or isinstance(active, CalendarNamed) else active,
        calendar=wiring.calendars[named.calendar] if named else None,
        off_hours=named is not None and named.off_hours,
        shadow=part.shadow,
    )


def _source(entry: Entry, wiring: Wiring) -> SourceSpec:
    part = entry.part
    field_map: dict[str, Any] = {}
    if part.map is not None:
        field_map = part.map.model_dump(by_alias=True, exclude_none=True, exclude_unset=True)
    return SourceSpec(
        name=entry.name,
        adapter=part.adapter,
        secret_hashes=wiring.token_hashes[entry.name],
        default_severity=Severity(part.default_severity),
        severities={word: Severity(meant) for word, meant in part.severities.items()},
        map=field_map,
    )
