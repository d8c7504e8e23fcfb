"""How late can the first human be told, and a second one, if nobody answers: the engine's own steps, for every minute.

- A climb is an incident that nobody acks (see `unanswered`).
- Who is there changes at hand-offs. What matters is who is there when each tier is entered, so incidents are opened at
  every instant at which that changes for some tier: just as a hand-off happens, and so long before it that a later tier
  is entered just as it does. Between these instants the outcome is the same, so no minute is left out.
- Climbs that differ only in names are run once: what counts is who has which addresses and contact plans of their own,
  and who comes twice.
- Whom a tier with `prefer` pages first is known only at night: each of its people is first in turn.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from itertools import islice
from operator import itemgetter
from typing import NamedTuple, TypeAlias

from escalatord.core.alert import SEVERITIES, Severity
from escalatord.core.escalation import step
from escalatord.core.incident import TrackState
from escalatord.core.paging import plan_channels
from escalatord.core.policy import ContactPlan, Policy, Target, Tier, TrackPolicy
from escalatord.core.presence import People, Pieces, Presence, changed, overlay
from escalatord.core.proof import held, waiting
from escalatord.core.roster import Person
from escalatord.core.ruleset import Ruleset, Unmatched, World
from escalatord.core.unanswered import (
    HASH,
    OPENED_AT,
    Climb,
    Climbed,
    Shape,
    TrackClimb,
    opening,
    shape_of,
    without_people,
    world_of,
)
from escalatord.core.values import replace

TURNS_MAX = 12
"""People of a choosing tier who are looked at as the first one; further ones come later in any case."""
DELAYS_MAX = 24
"""Entries of tiers, counted from the opening, before which hand-offs are looked for."""

Constellation: TypeAlias = tuple[People, ...]
"""Who stands behind each list of targets of a policy, in the order of `_lists`."""
Stages: TypeAlias = tuple[tuple[float, Constellation], ...]
"""The constellations of one climb, and how many seconds after the opening each begins."""


class Outage(NamedTuple):
    """What is dead: its name for a human (`channel "sms"`; "" = nothing), and the channels that fail by it."""

    name: str
    channels: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class WorstCase:
    """The worst of one track of a policy at some severities, with one thing dead (or nothing).

    `first_at` and `second_at` are instants at which an incident must open to get the worst of `first` and `second`;
    `within` and `tried` are those of the first of these climbs. All is counted from the first page, which waits for
    office hours for at most `held_seconds`.
    """

    policy: str
    track: str
    severities: tuple[Severity, ...]
    outage: Outage
    worst: TrackClimb
    first_at: datetime
    second_at: datetime
    held_seconds: float = 0.0


NOTHING_DEAD = Outage("", frozenset())


def outages(ruleset: Ruleset) -> tuple[Outage, ...]:
    """Return every single channel and every single provider that can die; simulated providers cannot."""
    specs = ruleset.channels.values()
    found = [Outage(f'channel "{spec.name}"', frozenset({spec.name})) for spec in specs]
    for provider in dict.fromkeys(spec.provider for spec in specs):
        served = frozenset(spec.name for spec in specs if spec.provider == provider)
        if len(served) > 1 and provider != "sim":
            found.append(Outage(f"provider {provider}", served))
    return tuple(found)


class WorstCases:
    """Climbs of policies over the span of a `Presence`; what was climbed once is remembered. `climbs` counts them."""

    def __init__(self, presence: Presence) -> None:
        self.presence = presence
        self.ruleset = presence.world.ruleset
        self.outages = outages(self.ruleset)
        self.climbs = 0
        self._known: dict[tuple[int, frozenset[str]], Climbed] = {}
        self._coding: list[_Coded] = []
        self._numbers: dict[_Coded, int] = {}
        self._shapes: dict[Shape, int] = {}
        keys = {spec.address_key for spec in self.ruleset.channels.values()} - {""}
        reached_by = {person.id: _kind(person, keys) for person in self.ruleset.people.values()}
        self._kinds = list(dict.fromkeys(sorted(reached_by.values(), key=lambda kind: sorted(kind.addresses))))
        self._kind_of = {name: self._kinds.index(kind) for name, kind in reached_by.items()}

    def of(self, policy: Policy) -> Iterator[WorstCase]:
        """Yield the worst cases of a policy: by track, severity (those it treats alike together), and what is dead."""
        for track in policy.tracks:
            lists = _lists(policy, track)
            people = overlay([self.presence.people(*each) for each in lists], self.presence.span)
            people = changed(people, {who: self._relevant(who) for who in {who for _, who in people}}.__getitem__)
            for alike in _alike(policy, track):
                if _runs(policy, track, alike[0]):
                    met, wait = self._met(policy, track, alike[0], people)
                    for case in self._of(shape_of(policy, track, alike[0]), met, (policy, track, alike)):
                        yield replace(case, held_seconds=wait)

    def _met(
        self, policy: Policy, track: TrackPolicy, severity: Severity, people: Pieces[Constellation]
    ) -> tuple[Pieces[Constellation], float]:
        """Return whom a page meets, and for how long it waits for office hours at most (seconds)."""
        calendar = self.ruleset.calendars.get(policy.hours.calendar) if policy.hours else None
        if calendar is None or not policy.may_hold(track, severity):
            return people, 0.0
        waits = waiting(calendar, self.presence.span)
        longest = max(((wait.end - wait.start).total_seconds() for wait in waits), default=0.0)
        return held(people, calendar, self.presence.span), longest

    def _of(
        self, shape: Shape, people: Pieces[Constellation], about: tuple[Policy, TrackPolicy, tuple[Severity, ...]]
    ) -> Iterator[WorstCase]:
        policy, track, severities = about
        different: dict[int, tuple[tuple[str, ...], datetime]] = {}
        ladder = self._shapes.setdefault(shape, len(self._shapes))  # once: to hash all of it is dear
        for turn in _turns(track, people):
            still = {self._coded(ladder, ((0.0, each),))[0] for each in {who for _, who in turn}}
            entries = {seconds for number in still for seconds in self._climb(shape, number, NOTHING_DEAD).entries}
            delays = sorted(seconds for seconds in entries if seconds)[:DELAYS_MAX]
            for at, stages in _openings(turn, (0.0, *delays)):
                number, names = self._coded(ladder, stages)
                different.setdefault(number, (names, at))
        for outage in (NOTHING_DEAD, *self.outages):
            climbs = [
                (self._climb(shape, number, outage).track, names, at) for number, (names, at) in different.items()
            ]
            yield _worst(
                climbs,
                WorstCase(
                    policy=policy.name,
                    track=track.name,
                    severities=severities,
                    outage=outage,
                    worst=climbs[0][0],
                    first_at=climbs[0][2],
                    second_at=climbs[0][2],
                ),
            )

    def _relevant(self, constellation: Constellation) -> Constellation:
        """Return a constellation without the stand-ins of those who are there, whatever the plan."""
        found: list[People] = []
        for number, people in enumerate(constellation):
            # lists come in pairs, what is paged and its stand-ins
            before = constellation[number - 1] if number % 2 else ()
            found.append(() if any(self._kinds[self._kind_of[one]].addresses for one in before) else people)
        return tuple(found)

    def _coded(self, shape: int, stages: Stages) -> "tuple[int, tuple[str, ...]]":
        """Return the number of a climb without its names, and the names in the order of theirs."""
        numbers: dict[str, int] = {}
        who = tuple(
            [numbers.setdefault(one, len(numbers)) for _, lists in stages for people in lists for one in people]
        )
        sizes = tuple([(after, tuple(map(len, lists))) for after, lists in stages])
        kinds = tuple([self._kind_of[name] for name in numbers])
        coded = _Coded(shape, sizes, who, kinds)
        number = self._numbers.setdefault(coded, len(self._coding))
        if number == len(self._coding):
            self._coding.append(coded)
        return number, tuple(numbers)

    def _climb(self, shape: Shape, number: int, outage: Outage) -> Climbed:
        """Climb, unless somebody with the same addresses climbed the same ladder already."""
        climbed = self._remembered(shape, number, frozenset())
        if outage.channels.isdisjoint(climbed.channels):
            return climbed
        return self._remembered(shape, number, outage.channels)

    def _remembered(self, shape: Shape, number: int, dead: frozenset[str]) -> Climbed:
        if (number, dead) not in self._known:
            coded = self._coding[number]
            people = {str(number): self._kinds[kind].person(str(number)) for number, kind in enumerate(coded.kinds)}
            ruleset = Ruleset(
                hash="",
                unmatched=Unmatched(severity=shape.severity, policy=""),
                policies={},
                people=people,
                channels=self.ruleset.channels,
            )
            who = iter(coded.who)
            worlds = [
                (after, world_of(ruleset, shape, [tuple(islice(who, size)) for size in sizes]))
                for after, sizes in coded.sizes
            ]
            self.climbs += 1
            self._known[number, dead] = Climb(worlds, shape.severity, dead).run()
        return self._known[number, dead]


class _Kind(NamedTuple):
    """What of a person decides how they are reached: which addresses they have, and their own contact plans."""

    addresses: frozenset[str]
    plans: tuple[tuple[str, ContactPlan], ...]

    def person(self, name: str) -> Person:
        """Return somebody of this kind."""
        return Person(id=name, name="", addresses=dict.fromkeys(self.addresses, "there"), plans=dict(self.plans))


def _kind(person: Person, keys: Collection[str]) -> _Kind:
    return _Kind(frozenset(key for key in keys if person.addresses.get(key)), tuple(person.plans.items()))


def _turns(track: TrackPolicy, people: Pieces[Constellation]) -> Iterator[Pieces[Constellation]]:
    """Yield who is there with each of the people of choosing tiers first, in turn; once where no tier chooses."""
    choosing = [2 * number + beside for number, tier in enumerate(track.tiers) if tier.prefer for beside in (0, 1)]
    if not choosing:
        yield people
        return
    most = max((len(who[place]) for _, who in people for place in choosing), default=1)

    def turned(who: Constellation, turn: int) -> Constellation:
        return tuple(
            (*names[turn % len(names) :], *names[: turn % len(names)]) if place in choosing and names else names
            for place, names in enumerate(who)
        )

    for turn in range(min(max(most, 1), TURNS_MAX)):
        yield changed(people, partial(turned, turn=turn))


class _Coded(NamedTuple):
    """A climb in numbers: its shape, how many stand in each list from when on, who, and their kinds of addresses."""

    shape: int
    sizes: tuple[tuple[float, tuple[int, ...]], ...]
    who: tuple[int, ...]
    kinds: tuple[int, ...]


def _alike(policy: Policy, track: TrackPolicy) -> list[tuple[Severity, ...]]:
    """Return the severities, those together that a track treats alike."""
    groups: dict[tuple[object, ...], tuple[Severity, ...]] = {}
    for severity in SEVERITIES:
        key = (policy.override(track, severity), _runs(policy, track, severity), policy.may_hold(track, severity))
        groups[key] = (*groups.get(key, ()), severity)
    return list(groups.values())


def _runs(policy: Policy, track: TrackPolicy, severity: Severity) -> bool:
    """Return whether an incident of a severity starts a track; the engine's word, on tiers without people."""
    bare = replace(
        policy, hash=HASH, hours=None, tracks=tuple(replace(one, tiers=without_people(one)) for one in policy.tracks)
    )
    ruleset = Ruleset(hash="", unmatched=Unmatched(severity=severity, policy=""), policies={})
    opened = step(None, opening(bare, severity), OPENED_AT, World(ruleset=ruleset, policies={HASH: bare})).incident
    state = opened.track(track.name) if opened else None
    return state is not None and state.state is not TrackState.WAITING


def _lists(policy: Policy, track: TrackPolicy) -> list[tuple[tuple[Target, ...], tuple[str, ...]]]:
    """Return the lists of targets of a track, in pairs (whom to page, who stands in), with the channels to page by."""
    by_severity = [plan_channels(each.plan) for each in policy.overrides.values() if each.plan is not None]

    def planned(tier: Tier) -> tuple[str, ...]:
        return tuple(dict.fromkeys(name for names in (plan_channels(tier.plan), *by_severity) for name in names))

    paged = [(targets, planned(tier)) for tier in track.tiers for targets in (tier.page, tier.backup)]
    channels = plan_channels(policy.last_resort.plan)
    return [*paged, (policy.last_resort.page, channels), ((policy.owner,) if policy.owner else (), channels)]


def _openings(people: Pieces[Constellation], delays: Sequence[float]) -> list[tuple[datetime, Stages]]:
    """Return every way in which constellations can follow one another in a climb that enters tiers at `delays`.

    Each with an instant at which an incident must open to meet it, in order of time.
    """
    since = [at for at, _ in people]
    numbers: dict[Constellation, int] = {}
    told = [numbers.setdefault(who, len(numbers)) for _, who in people]
    names = list(numbers)
    after = [timedelta(seconds=seconds) for seconds in delays]
    found: dict[tuple[int, ...], datetime] = {}
    seen: set[tuple[object, ...]] = set()
    for edge in since:
        low, high = bisect_left(since, edge - after[-1]), bisect_right(since, edge + after[-1])
        around = (told[max(0, low - 1)], *(at - edge for at in since[low:high]), *told[low:high])
        if around in seen:
            continue
        seen.add(around)
        for opens in [edge - delay for delay in after if edge - delay >= since[0]]:
            met = tuple([told[bisect_right(since, opens + later) - 1] for later in after])
            found[met] = min(opens, found.get(met, opens))
    return [
        (
            opens,
            tuple(
                (seconds, names[who])
                for number, (seconds, who) in enumerate(zip(delays, met, strict=True))
                if not number or who != met[number - 1]
            ),
        )
        for met, opens in sorted(found.items(), key=itemgetter(1))
    ]


def _worst(climbs: Sequence[tuple[TrackClimb, tuple[str, ...], datetime]], case: WorstCase) -> WorstCase:
    """Return the case with the worst of several climbs; the people of a climb are numbers into its names."""
    first, names, first_at = max(climbs, key=lambda one: one[0].first)
    second, _, second_at = max(climbs, key=lambda one: one[0].second)
    worst = replace(
        first,
        second=second.second,
        last_resort=max(climbed.last_resort for climbed, _, _ in climbs),
        tried=tuple(names[int(number)] for number in first.tried),
    )
    return replace(case, worst=worst, first_at=first_at, second_at=second_at)
