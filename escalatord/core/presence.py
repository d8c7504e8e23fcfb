"""Who stands behind targets, as a function of time over a span: what `check` proves is proved over these.

- A value that changes at instants is `Pieces`: (since, value) in order of time, the first at the start of the span,
  neighbours never equal. Nothing is sampled: between two pieces nothing changes, so every minute is looked at.
- People are looked up by `roster.resolve`, the engine's own, once for every distinct constellation of who is on call.
"""

from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from operator import itemgetter
from typing import NamedTuple, TypeAlias, TypeVar

from escalatord.core.away import Away, away_at
from escalatord.core.policy import FilterKind, Target, TargetFilter, TargetKind
from escalatord.core.roster import has_trait, resolve
from escalatord.core.ruleset import Ruleset, World
from escalatord.core.schedule import Shift, shifts
from escalatord.core.values import replace

T = TypeVar("T")
U = TypeVar("U")
Pieces: TypeAlias = tuple[tuple[datetime, T], ...]
People: TypeAlias = tuple[str, ...]
IS_AVAILABLE = TargetFilter(FilterKind.AVAILABLE)


class Stretch(NamedTuple):
    """From `start` (included) to `end` (excluded), instants in UTC."""

    start: datetime
    end: datetime


class Presence:
    """Who is on call and who stands behind targets between two instants; everything is computed once."""

    def __init__(self, world: World, span: Stretch) -> None:
        self.world = world
        self.span = span
        self._shifts: dict[str, tuple[Shift, ...]] = {}
        self._schedules: dict[str, Pieces[People]] = {}
        self._available: dict[str, Pieces[People]] = {}
        self._people: dict[tuple[tuple[Target, ...], tuple[str, ...]], Pieces[People]] = {}

    def shifts(self, name: str) -> tuple[Shift, ...]:
        """Return the shifts of a schedule over the span."""
        if name not in self._shifts:
            schedule = self.world.ruleset.schedules[name]
            self._shifts[name] = shifts(schedule, self.span.start, self.span.end, self.world.overrides)
        return self._shifts[name]

    def on_call(self, name: str) -> Pieces[People]:
        """Return who is on call in a schedule, in order of names."""
        if name not in self._schedules:
            self._schedules[name] = _on_call(self.shifts(name), self.span)
        return self._schedules[name]

    def availability(self, person: str) -> Pieces[People]:
        """Return when somebody is available, as far as the rules and the world know: themselves, else nobody."""
        if person not in self._available:
            own = self.world.ruleset.people[person].away
            self._available[person] = _available(person, (*own, *self.world.away), self.span)
        return self._available[person]

    def people(self, targets: tuple[Target, ...], channels: tuple[str, ...]) -> Pieces[People]:
        """Return whom a page of `targets` reaches by a plan of `channels`, as `roster.resolve` says."""
        known = self._people.get((targets, channels))
        if known is None:
            ruleset = self.world.ruleset
            changing = [self.on_call(name) for name in schedules_behind(targets, ruleset)]
            changing += [self.availability(name) for name in sorted(watched(targets, ruleset))]
            moments = overlay(changing, self.span)
            found: dict[tuple[People, ...], People] = {}
            for since, present in moments:
                if present not in found:
                    resolved = resolve(targets, self.world, since, channels)
                    found[present] = tuple(candidate.person for candidate in resolved.people)
            known = self._people[targets, channels] = changed(moments, found.__getitem__)
        return known


def schedules_behind(targets: Sequence[Target], ruleset: Ruleset) -> tuple[str, ...]:
    """Return the schedules that decide who stands behind `targets`, in order of names."""
    return tuple(sorted({target.name for target in _leaves(targets, ruleset) if target.kind is TargetKind.ONCALL}))


def people_behind(targets: Sequence[Target], ruleset: Ruleset) -> frozenset[str]:
    """Return everybody who could ever stand behind `targets`: those of their people who pass the filters."""
    return frozenset(
        name
        for target in _leaves(targets, ruleset)
        for name in named_by(target, ruleset)
        if all(has_trait(ruleset.people[name], asked) for asked in target.filters)
    )


def named_by(target: Target, ruleset: Ruleset) -> frozenset[str]:
    """Return everybody whom a target other than a role could ever name, whatever its filters say."""
    if target.kind is TargetKind.PERSON:
        return frozenset((target.name,))
    if target.kind is TargetKind.TEAM:
        return frozenset(ruleset.teams[target.name])
    schedule = ruleset.schedules[target.name]
    people = {person for layer in schedule.layers if not layer.shadow for person in layer.people}
    people.update(schedule.when_empty)
    people.update(override.person for override in schedule.overrides)
    people.update(shift.person for shift in schedule.booked)
    return frozenset(people)


def watched(targets: Sequence[Target], ruleset: Ruleset) -> frozenset[str]:
    """Return those who could stand behind `targets` and whose absences count there."""
    asking = [target for target in _leaves(targets, ruleset) if IS_AVAILABLE in target.filters]
    return people_behind(asking, ruleset)


def overlay(several: Sequence[Pieces[T]], span: Stretch) -> Pieces[tuple[T, ...]]:
    """Return the values of several functions side by side; of none, the empty tuple for the whole span."""
    if len(several) == 1:
        return tuple((since, (value,)) for since, value in several[0])
    upcoming = [0] * len(several)
    values: list[T] = [pieces[0][1] for pieces in several]
    found: list[tuple[datetime, tuple[T, ...]]] = []
    for since in sorted({span.start, *(since for pieces in several for since, _ in pieces)}):
        for number, pieces in enumerate(several):
            at = upcoming[number]
            if at < len(pieces) and pieces[at][0] == since:
                values[number] = pieces[at][1]
                upcoming[number] = at + 1
        found.append((since, tuple(values)))
    return tuple(found)


def changed(pieces: Pieces[T], make: Callable[[T], U]) -> Pieces[U]:
    """Return another function of what a function says."""
    found: list[tuple[datetime, U]] = []
    for since, value in pieces:
        made = make(value)
        if not found or found[-1][1] != made:
            found.append((since, made))
    return tuple(found)


def stretches(pieces: Pieces[T], wanted: Callable[[T], bool], span: Stretch) -> tuple[Stretch, ...]:
    """Return the longest possible stretches in which a function says something `wanted`, in order of time."""
    found: list[Stretch] = []
    for since, is_wanted in changed(pieces, wanted):
        if found and found[-1].end == span.end:
            found[-1] = Stretch(found[-1].start, since)
        if is_wanted:
            found.append(Stretch(since, span.end))
    return tuple(found)


def value_at(pieces: Pieces[T], at: datetime) -> T:
    """Return what a function says at an instant; before its span what it says first, after it what it says last."""
    return pieces[max(0, bisect_right(pieces, at, key=itemgetter(0)) - 1)][1]


def _on_call(told: Sequence[Shift], span: Stretch) -> Pieces[People]:
    """Return who is on call, from the shifts of a schedule."""
    edges: dict[datetime, list[tuple[bool, str]]] = {span.start: []}
    for shift in told:
        edges.setdefault(shift.start, []).append((True, shift.person))
        edges.setdefault(shift.end, []).append((False, shift.person))
    edges.pop(span.end, None)
    present: dict[str, int] = {}
    found: list[tuple[datetime, People]] = []
    for since in sorted(edges):
        for comes, person in edges[since]:
            # somebody on call for two reasons stays until both have ended
            present[person] = present.get(person, 0) + (1 if comes else -1)
        who = tuple(sorted(person for person, reasons in present.items() if reasons))
        if not found or found[-1][1] != who:
            found.append((since, who))
    return tuple(found)


def _available(person: str, spans: Sequence[Away], span: Stretch) -> Pieces[People]:
    edges = {span.start, *(edge for one in spans if one.person == person for edge in (one.start, one.end))}
    pieces = [(at, () if away_at(person, spans, at) else (person,)) for at in sorted(edges) if at >= span.start]
    return changed(tuple((at, who) for at, who in pieces if at < span.end), lambda who: who)


def _leaves(targets: Sequence[Target], ruleset: Ruleset) -> Iterator[Target]:
    """Yield what targets come to once roles are looked into, each once, with every filter on the way to it."""
    seen: set[Target] = set()
    waiting = list(targets)
    while waiting:
        target = waiting.pop()
        if target in seen:
            continue
        seen.add(target)
        if target.kind is TargetKind.ROLE:
            waiting.extend(
                replace(holder, filters=tuple(dict.fromkeys((*target.filters, *holder.filters))))
                for holder in ruleset.roles.get(target.name, ())  # a pinned policy may know roles that are gone
            )
        else:
            yield target
