"""People and how they can be reached; who stands behind a target at an instant.

A person is *reachable* by a channel when they have an address for it and it has not been marked unreachable (STOP, a
dead number). Looking people up happens when a tier is entered, so an override made at 03:00 counts at 03:01.
Nobody is lost in silence: whoever a target names and cannot be paged comes back as rejected, with the reason; so does
who does not pass the target's filters (`oncall db & skill postgres`).
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, assert_never

from escalatord.core.away import Away, away_at
from escalatord.core.policy import ContactPlan, FilterKind, PlanStep, Prefer, Target, TargetFilter, TargetKind
from escalatord.core.schedule import on_call
from escalatord.core.units import Quantity
from escalatord.core.wallclock import Style, format_local

if TYPE_CHECKING:
    from escalatord.core.ruleset import World  # the rule set is made of people, so it imports this file


UNFIT: Mapping[FilterKind, str] = {
    FilterKind.SKILL: "has no skill {word}",
    FilterKind.LANGUAGE: "does not speak {word}",
    FilterKind.REGION: "is not in region {word}",
}


class ChannelKind(StrEnum):
    """What a channel is to the one who gets its messages."""

    SMS = "sms"
    CALL = "call"
    CHAT = "chat"
    MAIL = "mail"
    WEBHOOK = "webhook"


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelSpec:
    """A configured channel: what the core must know of it, and the provider's own settings.

    `address_key` names the field of a person that holds the address ("" = the channel needs none, such as a webhook).
    `receipts` says that the provider reports delivery; without them `accepted` is as good as delivered. `cost` is that
    of one message, None = nothing.
    """

    name: str
    kind: ChannelKind
    provider: str
    address_key: str
    receipts: bool
    settings: Mapping[str, object] = field(default_factory=dict)
    cost: Quantity | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Somebody who can be paged. `addresses` maps address keys (sms, call, slack, email …) to addresses.

    `away` are times known to the rules. `plans` are their own contact plans, by the name of the company's plan that
    they make stricter (see `personal_plan`).
    """

    id: str
    name: str
    addresses: Mapping[str, str] = field(default_factory=dict)
    timezone: str = "UTC"
    languages: tuple[str, ...] = ()
    skills: tuple[str, ...] = ()
    region: str = ""
    authority: tuple[str, ...] = ()
    away: tuple[Away, ...] = ()
    plans: Mapping[str, ContactPlan] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A person who can be paged: the target that named them, and the channels that reach them, best first.

    `plan` are the steps of their own contact plan and the tier's together, () = the tier's as they are.
    """

    person: str
    target: str
    channels: tuple[str, ...]
    plan: tuple[PlanStep, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolved:
    """Who stands behind some targets, in order and once each; `rejected` are (person or target, why) pairs."""

    people: tuple[Candidate, ...]
    rejected: tuple[tuple[str, str], ...] = ()


def resolve(targets: Sequence[Target], world: "World", at: datetime, channels: Sequence[str]) -> Resolved:
    """Return the people behind `targets` at the instant `at` whom a message can reach.

    `channels` are the names in the contact plan, fallbacks included. A candidate's channels are the plan's usable ones;
    when the plan has none, every other configured channel for which the person has an address. A room or webhook
    outside the plan does not count: it would reach somebody, but not this person.
    """
    specs = world.ruleset.channels
    planned = [specs[name] for name in dict.fromkeys(channels) if name in specs]
    personal = [spec for spec in specs.values() if spec.address_key]
    people: dict[str, Candidate] = {}
    rejected: dict[tuple[str, str], None] = {}
    for target in targets:
        for name, why in _named(target, world, at, frozenset()):
            person = world.ruleset.people.get(name)
            if why or person is None:
                rejected[name, why or "is not in the roster"] = None
                continue
            if unfit := _unfit(person, target.filters, world, at):
                rejected[name, unfit] = None
                continue
            usable = usable_channels(person, planned, world.unreachable)
            usable = usable or usable_channels(person, personal, world.unreachable)
            if usable:
                people.setdefault(name, Candidate(person=name, target=str(target), channels=usable))
            else:
                rejected[name, "has no usable contact method"] = None
    return Resolved(people=tuple(people.values()), rejected=tuple(rejected))


def preferred(people: Sequence[Candidate], prefer: Prefer | None, world: "World") -> tuple[Candidate, ...]:
    """Return people in the order in which a tier prefers them; the order of its targets decides between equals."""
    match prefer:
        case None:
            return tuple(people)
        case Prefer.LEAST_PAGED_24H:
            return tuple(sorted(people, key=lambda candidate: world.paged.get(candidate.person, 0)))
        case _:
            assert_never(prefer)


def has_trait(person: Person, asked: TargetFilter) -> bool:
    """Return whether a person passes a filter as far as the roster alone says; `available` is a matter of time."""
    match asked.kind:
        case FilterKind.SKILL:
            return asked.word in person.skills
        case FilterKind.LANGUAGE:
            return any(spoken == asked.word or spoken.startswith(f"{asked.word}-") for spoken in person.languages)
        case FilterKind.REGION:
            return asked.word == person.region
        case FilterKind.AVAILABLE:
            return True
        case _:
            assert_never(asked.kind)


def reachable(person: Person, channels: Iterable[ChannelSpec], unreachable: Collection[tuple[str, str]]) -> bool:
    """Return whether one of `channels` reaches the person."""
    return bool(usable_channels(person, channels, unreachable))


def usable_channels(
    person: Person, channels: Iterable[ChannelSpec], unreachable: Collection[tuple[str, str]]
) -> tuple[str, ...]:
    """Return the names of those `channels` that reach the person, in their order.

    `unreachable` holds (person, address key) pairs. A channel that needs no address is always usable.
    """
    return tuple(
        spec.name
        for spec in channels
        if not spec.address_key
        or (person.addresses.get(spec.address_key) and (person.id, spec.address_key) not in unreachable)
    )


def _unfit(person: Person, filters: Iterable[TargetFilter], world: "World", at: datetime) -> str:
    """Return the first filter that a person does not pass, in words; "" when they pass all."""
    for asked in filters:
        if asked.kind is FilterKind.AVAILABLE:
            gone = away_at(person.id, (*person.away, *world.away), at)
            if gone is not None:
                why = f" ({gone.why})" if gone.why else ""
                return f"is away until {format_local(gone.end, person.timezone, Style.FULL)}{why}"
        elif not has_trait(person, asked):
            return UNFIT[asked.kind].format(word=asked.word)
    return ""


def _named(target: Target, world: "World", at: datetime, above: frozenset[str]) -> Iterator[tuple[str, str]]:
    """Yield (person, "") for everyone a target names, (target, why) where it leads nowhere.

    `above` are the roles being looked into: one that names itself adds nobody, and does not loop. Filters that stand
    beside the holders of a role reject here, those of `target` itself do not.
    """
    ruleset, name = world.ruleset, target.name
    match target.kind:
        case TargetKind.PERSON:
            yield name, ""
        case TargetKind.TEAM:
            members = ruleset.teams.get(name, ())
            yield from ((member, "") for member in members) if members else [(str(target), "has no members")]
        case TargetKind.ROLE:
            if name in above:
                return
            holders = ruleset.roles.get(name, ())
            if not holders:
                yield str(target), "is held by nobody"
            for holder in holders:
                for who, why in _named(holder, world, at, above | {name}):
                    person = world.ruleset.people.get(who)
                    unfit = _unfit(person, holder.filters, world, at) if person is not None and not why else ""
                    yield who, why or unfit
        case TargetKind.ONCALL:
            schedule = ruleset.schedules.get(name)
            present = on_call(schedule, at, world.overrides) if schedule else ()
            yield from ((one.person, "") for one in present) if present else [(str(target), "has nobody on call")]
        case _:
            assert_never(target.kind)
