"""What can be proved about who stands behind a policy, over a span of time: holes, repetitions, falling authority.

Each proof returns facts (who, when, how often), never words: `config.coverage` makes findings of them.
"""

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeVar

from escalatord.core.alert import SEVERITIES
from escalatord.core.calendar import Calendar, next_start, outside
from escalatord.core.paging import plan_channels
from escalatord.core.policy import Policy, Tier, TrackPolicy
from escalatord.core.presence import People, Pieces, Presence, Stretch, changed, overlay, stretches, value_at
from escalatord.core.roster import ChannelKind
from escalatord.core.ruleset import Ruleset, World
from escalatord.core.schedule import PERIODS, Layer, RotationUnit, shifts

T = TypeVar("T")
MONTH = timedelta(days=31)
CYCLE_MAX = timedelta(days=731)
"""Rotations that take longer to come round are not waited for."""
LAYER_REASON = "layer "


@dataclass(frozen=True, slots=True, kw_only=True)
class Times:
    """When something is so: the `worst` (longest) stretch, how many stretches there are, whether it is always so."""

    worst: Stretch
    count: int
    always: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Lost:
    """A tier whose people may decide less than those of the tier `than`: what is lost, who was and is there."""

    tier: int
    than: int
    authority: tuple[str, ...]
    had: People
    have: People
    times: Times


@dataclass(frozen=True, slots=True, kw_only=True)
class Idle:
    """People of a layer whose turn never comes within `days`; `covers` false when the layer never covers at all."""

    layer: Layer
    people: tuple[str, ...]
    days: int
    covers: bool


def tier_people(presence: Presence, tier: Tier, ruleset: Ruleset) -> Pieces[People]:
    """Return the humans a tier reaches: those of `page`, else those of `backup`."""
    channels = _human(plan_channels(tier.plan), ruleset)
    page, backup = (presence.people(targets, channels) for targets in (tier.page, tier.backup))
    return changed(overlay((page, backup), presence.span), lambda both: both[0] or both[1])


def last_resort_people(presence: Presence, policy: Policy, ruleset: Ruleset) -> Pieces[People]:
    """Return the humans the last resort reaches."""
    return presence.people(policy.last_resort.page, _human(plan_channels(policy.last_resort.plan), ruleset))


def held(pieces: Pieces[T], calendar: Calendar, span: Stretch) -> Pieces[T]:
    """Return what a function says to a page that waits for a calendar: in between, what it says at the next start.

    Where the next start lies beyond the span, what it said last before the hours ended.
    """
    waits = waiting(calendar, span)
    if any(wait.start <= span.start and span.end <= wait.end for wait in waits):
        return pieces
    edges = sorted({span.start, *(since for since, _ in pieces), *(at for wait in waits for at in wait)})

    def seen_at(at: datetime) -> datetime:
        wait = next((one for one in waits if one.start <= at < one.end), None)
        if wait is None:
            return at
        return wait.end if wait.end < span.end else wait.start - datetime.resolution

    return changed(
        tuple((at, value_at(pieces, seen_at(at))) for at in edges if span.start <= at < span.end), lambda value: value
    )


def waiting(calendar: Calendar, span: Stretch) -> tuple[Stretch, ...]:
    """Return the stretches of a span in which pages wait for a calendar to start, in order; whole, not cut.

    For one that never starts again nothing waits.
    """
    if next_start(calendar, span.start) is None:
        return ()
    return tuple(Stretch(one.firm_start, one.firm_end) for one in outside(calendar, span.start, span.end))


def always_holds(policy: Policy, track: TrackPolicy, ruleset: Ruleset) -> bool:
    """Return whether no page of a track ever goes out outside the office hours of its policy."""
    hours = policy.hours
    if hours is None or hours.calendar not in ruleset.calendars:
        return False
    by_default = {service.policy for service in ruleset.services.values()} | {ruleset.unmatched.policy}
    for rule in ruleset.exceptions:
        may_bring = {rule.policy, *rule.also, *ruleset.regimes.values(), *(by_default if not rule.policy else ())}
        if policy.name in may_bring:
            return False
    return all(policy.may_hold(track, severity) for severity in SEVERITIES)


def nobody(people: Pieces[People], span: Stretch) -> Times | None:
    """Return when nobody is there, None when somebody always is."""
    return times(people, lambda present: not present, span)


def nobody_anywhere(several: Sequence[Pieces[People]], span: Stretch) -> Times | None:
    """Return when nobody is there in any of several places, None when somebody always is."""
    return times(overlay(several, span), lambda present: not any(present), span)


def repeated(before: Pieces[People], after: Pieces[People], span: Stretch) -> tuple[Times, People] | None:
    """Return when a tier pages nobody whom the tier before has not paged, and who that is at worst; else None."""

    def adds_nobody(both: tuple[People, ...]) -> bool:
        return bool(both[1]) and set(both[1]) <= set(both[0])

    found = times(overlay((before, after), span), adds_nobody, span)
    return (found, value_at(after, found.worst.start)) if found else None


def lost_authority(tiers: Sequence[Pieces[People]], ruleset: Ruleset, span: Stretch) -> Iterator[Lost]:
    """Yield each tier that may at some time decide less than the nearest tier before it that declares anything.

    A tier may decide what its people may, taken together; one whose people declare nothing is passed over.
    """

    def authority(people: People) -> frozenset[str]:
        return frozenset(word for person in people for word in ruleset.people[person].authority)

    may = [changed(people, authority) for people in tiers]
    for number in range(1, len(tiers)):
        whole = overlay(may[: number + 1], span)
        for before in range(number - 1, -1, -1):

            def falls(now: tuple[frozenset[str], ...], before: int = before) -> bool:
                *between, here = now[before + 1 :]
                return bool(here) and not any(between) and not now[before] <= here

            found = times(whole, falls, span)
            if found:
                at = found.worst.start
                yield Lost(
                    tier=number + 1,
                    than=before + 1,
                    authority=tuple(sorted(value_at(may[before], at) - value_at(may[number], at))),
                    had=value_at(tiers[before], at),
                    have=value_at(tiers[number], at),
                    times=found,
                )


def idle(presence: Presence, name: str) -> Iterator[Idle]:
    """Yield the layers of a schedule some of whose people are never on call by any layer, or that never cover.

    Looked at over the span, or for as long as the layer takes to come round to everybody, if that is longer.
    """
    schedule, (start, end) = presence.world.ruleset.schedules[name], presence.span
    for layer in schedule.layers:
        if layer.shadow:
            continue
        until = max(end, start + min(_cycle(layer), CYCLE_MAX))
        told = presence.shifts(name) if until == end else shifts(schedule, start, until)
        on_call = {shift.person for shift in told if shift.because.startswith(LAYER_REASON)}
        covers = any(shift.because == f"{LAYER_REASON}{layer.name}" for shift in told)
        missing = tuple(dict.fromkeys(person for person in layer.people if person not in on_call))
        if missing or not covers:
            yield Idle(layer=layer, people=missing, days=(until - start).days, covers=covers)


def never_entered(track: TrackPolicy, starts: Collection[int]) -> tuple[int, ...]:
    """Return the tiers of a track that no incident enters, given the tiers at which it may start (0: all at once)."""
    if 0 in starts or track.repeat:
        return ()
    return tuple(range(1, min(*starts, len(track.tiers))))


def times(pieces: Pieces[T], wanted: Callable[[T], bool], span: Stretch) -> Times | None:
    """Return when a function says something `wanted`; None when it never does."""
    found = stretches(pieces, wanted, span)
    if not found:
        return None
    worst = max(found, key=lambda stretch: stretch.end - stretch.start)
    return Times(worst=worst, count=len(found), always=worst == span)


def bare_world(ruleset: Ruleset) -> World:
    """Return the world as the files alone say it: no overrides made at run time, nobody marked unreachable."""
    return World(ruleset=ruleset, policies={policy.hash: policy for policy in ruleset.policies.values()})


def _human(channels: Sequence[str], ruleset: Ruleset) -> tuple[str, ...]:
    """Return the channels that end at a human: a webhook wakes nobody."""
    return tuple(name for name in channels if ruleset.channels[name].kind is not ChannelKind.WEBHOOK)


def _cycle(layer: Layer) -> timedelta:
    """Return how long a layer takes to come round to everybody."""
    rotation = layer.rotation
    if rotation is None:
        return timedelta(0)
    period = MONTH if rotation.unit is RotationUnit.MONTHLY else PERIODS[rotation.unit]
    return rotation.every * period * len(layer.people)
