"""What is wrong or doubtful about rules that can be loaded, as they are written; `coverage` adds what time makes of it.

Errors: E031 a plan step never runs · E032 a reminder comes too late · E033 a person cannot be reached at all · E034
there is no such tier · E036 a role names itself. Warnings: W041 a source without credentials · W042 a review is due ·
W043 nothing uses it · W046 a plan that does not reach somebody · W092 to W095 milestones and office hours (`holding`).
(W044 a secret in the rules and W045 an unlikely number are found while loading; filters, personal plans and owners of
reviews by `choices`, suppressions by `suppressions`.)
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from escalatord.config import suppressions
from escalatord.config.choices import choices
from escalatord.config.criteria import compared
from escalatord.config.holding import holding
from escalatord.config.load import Loaded, in_order
from escalatord.config.references import default_plan
from escalatord.core.alert import SEVERITIES
from escalatord.core.policy import ContactPlan, Policy, TargetKind, Tier, TrackPolicy, channels_of
from escalatord.core.presence import people_behind
from escalatord.core.roster import ChannelKind, ChannelSpec, Person, usable_channels
from escalatord.core.ruleset import Ruleset
from escalatord.core.units import format_duration
from escalatord.errors import Finding

USED_SECTIONS = (
    *("contact_plans", "policies", "people", "teams", "roles"),
    *("schedules", "calendars", "channels", "facts", "templates"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Rung:
    """A tier and where it stands."""

    policy: Policy
    track: TrackPolicy
    number: int
    tier: Tier

    @property
    def at(self) -> tuple[str | int, ...]:
        """Return the path of the tier in its policy."""
        return "tracks", self.track.name, "tiers", self.number - 1

    def __str__(self) -> str:
        return f'tier {self.number} of "{self.policy.name}" {self.track.name}'


def lint(loaded: Loaded, now: datetime) -> tuple[Finding, ...]:
    """Return what is wrong or doubtful at the instant `now`, in order of place, with the warnings of loading."""
    found = [
        *loaded.findings,
        *_windows(loaded),
        *_people(loaded),
        *_missing_tiers(loaded),
        *_roles(loaded),
        *_sources(loaded),
        *_reviews(loaded, now.date()),
        *_unused(loaded),
        *suppressions.doubts(loaded.sections, loaded.ruleset, now),
        *choices(loaded),
        *holding(loaded, now),
    ]
    return tuple(sorted(found, key=in_order))


def _rungs(ruleset: Ruleset) -> Iterator[_Rung]:
    for policy in ruleset.policies.values():
        for track in policy.tracks:
            for number, tier in enumerate(track.tiers, start=1):
                yield _Rung(policy=policy, track=track, number=number, tier=tier)


def _windows(loaded: Loaded) -> Iterator[Finding]:
    """Yield plan steps and reminders that a tier's window cuts off."""
    for rung in _rungs(loaded.ruleset):
        entry = loaded.sections.entries["policies"][rung.policy.name]
        tier = rung.tier
        yield from (
            entry.find("E031", say, *rung.at, fix="give the tier more time, or the step less")
            for say in _cut_off(str(rung), tier.plan, tier.within_seconds)
        )
        for index, seconds in enumerate(tier.remind_seconds):
            if seconds >= tier.within_seconds:
                say = (
                    f"the reminder of {rung} after {format_duration(seconds)} never comes: "
                    f"the tier ends after {format_duration(tier.within_seconds)}"
                )
                yield entry.find("E032", say, *rung.at, "remind", index, fix="remind earlier")
    for policy in loaded.ruleset.policies.values():
        entry = loaded.sections.entries["policies"][policy.name]
        for severity in SEVERITIES:
            override = policy.overrides.get(severity)
            if override is None:
                continue
            tiers = [tier for track in policy.tracks if policy.override(track, severity) for tier in track.tiers]
            says = dict.fromkeys(
                say
                for tier in tiers
                for say in _cut_off(
                    f'"{policy.name}" when {severity}',
                    override.plan or tier.plan,
                    override.within_seconds or tier.within_seconds,
                )
            )
            for say in says:
                yield entry.find("E031", say, "when", severity.value, fix="give it more time, or the step less")


def _cut_off(what: str, plan: ContactPlan, within_seconds: float) -> Iterator[str]:
    for number, step in enumerate(plan.steps, start=1):
        if step.after_seconds >= within_seconds:
            yield (
                f'step {number} of plan "{plan.name}" ({step.by} after {format_duration(step.after_seconds)}) '
                f"never runs: {what} ends after {format_duration(within_seconds)}"
            )


def _people(loaded: Loaded) -> Iterator[Finding]:
    """Yield people whom a tier could page and no channel (or none of its plan) reaches."""
    ruleset = loaded.ruleset
    human = [spec for spec in ruleset.channels.values() if spec.kind is not ChannelKind.WEBHOOK]
    unreachable: set[str] = set()
    told: set[tuple[str, str]] = set()
    paged = [(rung.policy.name, rung.at, rung.tier.page + rung.tier.backup, rung.tier.plan) for rung in _rungs(ruleset)]
    paged += [
        (policy.name, ("last_resort",), policy.last_resort.page, policy.last_resort.plan)
        for policy in ruleset.policies.values()
    ]
    for policy, at, targets, plan in paged:
        planned = [ruleset.channels[name] for name in channels_of(plan.steps)]
        for person in sorted(people_behind(targets, ruleset)):
            if not usable_channels(ruleset.people[person], human, ()):
                unreachable.add(person)
            elif not _reached(ruleset, person, plan, planned) and (plan.name, person) not in told:
                told.add((plan.name, person))
                entry = loaded.sections.entries["policies"][policy]
                say = f'plan "{plan.name}" reaches {person} by none of its channels; any other would be used'
                yield entry.find("W046", say, *at, fix=_addresses_wanted(ruleset.people[person], planned))
    for name in sorted(unreachable):
        entry = loaded.sections.entries["people"][name]
        say = f"{name} can be paged, and no channel reaches them"
        yield entry.find("E033", say, fix=_addresses_wanted(ruleset.people[name], human), key=True)


def _reached(ruleset: Ruleset, person: str, plan: ContactPlan, planned: Sequence[ChannelSpec]) -> bool:
    """Return whether a plan, or the person's own beside it, has a channel that reaches them."""
    who = ruleset.people[person]
    own = who.plans.get(plan.name)
    added = [ruleset.channels[name] for name in channels_of(own.steps)] if own else []
    return bool(usable_channels(who, (*planned, *added), ()))


def _addresses_wanted(person: Person, channels: Sequence[ChannelSpec]) -> str:
    keys = sorted({spec.address_key for spec in channels if spec.address_key} - person.addresses.keys())
    return f"give {person.id} one of: {', '.join(keys)}" if keys else "add a channel"


def _missing_tiers(loaded: Loaded) -> Iterator[Finding]:
    """Yield overrides and exceptions that start at a tier their policy does not have."""
    ruleset = loaded.ruleset
    for policy in ruleset.policies.values():
        entry = loaded.sections.entries["policies"][policy.name]
        count = len(policy.tracks[0].tiers)
        for severity, override in policy.overrides.items():
            if (override.skip_to or 0) > count:
                say = f'the main track of "{policy.name}" has {count} tiers'
                yield entry.find("E034", say, "when", severity.value, "skip_to", fix=f"skip to {count} at most")
    for rule in ruleset.exceptions:
        if rule.policy and rule.start_at > (count := len(ruleset.policies[rule.policy].tracks[0].tiers)):
            say = f'the main track of "{rule.policy}" has {count} tiers'
            entry = loaded.sections.entries["exceptions"][rule.name]
            yield entry.find("E034", say, "start_at", fix=f"start at {count} at most")


def _roles(loaded: Loaded) -> Iterator[Finding]:
    """Yield roles that lead back to themselves."""
    roles = loaded.ruleset.roles
    for name in roles:
        seen: set[str] = set()
        waiting = [name]
        while waiting:
            held = {target.name for target in roles[waiting.pop()] if target.kind is TargetKind.ROLE}
            waiting.extend(held - seen)
            seen |= held
        if name in seen:
            entry = loaded.sections.entries["roles"][name]
            yield entry.find("E036", f'role "{name}" names itself', fix="name people, teams or schedules")


def _sources(loaded: Loaded) -> Iterator[Finding]:
    for entry in loaded.sections.valid("sources"):
        if entry.part.auth is None:
            say = f'source "{entry.name}" has no credentials: only this machine may post'
            fix = "add auth: {bearer: file:NAME}, or auth: loopback if that is meant"
            yield entry.find("W041", say, fix=fix, key=True)


def _reviews(loaded: Loaded, today: date) -> Iterator[Finding]:
    for entry in loaded.sections.valid("thresholds"):
        if entry.part.review_by is not None and entry.part.review_by <= today:
            say = f'"{entry.name}" was to be reviewed by {entry.part.review_by}'
            yield entry.find("W042", say, "review_by", fix="look at its figures, then set the next date")


def _unused(loaded: Loaded) -> Iterator[Finding]:
    """Yield named things that nothing names."""
    # a plan that somebody makes stricter for themselves is not used by that
    told = [one for one in loaded.references if (one.entry.section, one.section) != ("people", "contact_plans")]
    used = {(reference.section, reference.name) for reference in told}
    plan = default_plan(loaded.ruleset.contact_plans)
    if plan is not None:
        used.add(("contact_plans", plan))
    used.update(("facts", name) for name in _compared(loaded))
    for section in USED_SECTIONS:
        for entry in loaded.sections.valid(section):
            if (section, entry.name) not in used:
                say = f'nothing uses "{entry.name}" of {section}'
                yield entry.find("W043", say, fix="use it or delete it", key=True)


def _compared(loaded: Loaded) -> Iterator[str]:
    for entry in loaded.sections.valid("thresholds"):
        for _, comparison in compared(entry):
            yield comparison.fact
