"""What `check` proves about people, for every minute of the next 90 days: who is there, and how soon a human is told.

The proofs are `core.proof` and `core.worst_case`; here they become findings at their place and a table. Errors: E030 a
tier or last resort can be empty · E060 a track can end in nobody · E061 authority falls along tiers · E062 nobody is
told while one channel or provider is dead · E063 the first human is told when the first tier is over. Warnings: W040
a tier adds nobody · W047 a schedule has a gap · W060 somebody in a rotation is never on call · W090 a tier needs more
acks than it has people.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from typing import TypeAlias

from escalatord.config.load import Loaded, in_order
from escalatord.config.vain import vain
from escalatord.core.contradictions import hidden_exceptions
from escalatord.core.policy import Policy, Target, TrackPolicy
from escalatord.core.presence import People, Pieces, Presence, Stretch, schedules_behind
from escalatord.core.proof import (
    Times,
    always_holds,
    bare_world,
    held,
    idle,
    last_resort_people,
    lost_authority,
    nobody,
    nobody_anywhere,
    repeated,
    tier_people,
    waiting,
)
from escalatord.core.roster import resolve
from escalatord.core.unanswered import NEVER
from escalatord.core.units import format_duration
from escalatord.core.wallclock import Style, format_local
from escalatord.core.worst_case import WorstCase, WorstCases
from escalatord.errors import Finding

DAYS = 90
SHOWN_MAX = 3
EMPTY_CODES = frozenset({"E030", "E060"})
FIX_EMPTY = "page somebody who is there, add backup: […], or when_empty: […] to the schedule"
FIX_LAST = "name somebody in last_resort who always has a phone"
FIX_DEAD = "give the plan a step by a channel of another provider, and its people an address for it"
ZONE_DEFAULT = "UTC"
TO = "\N{EN DASH}"

Row: TypeAlias = tuple[str, str, str, str, str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """What was found, what holds instead (`claims`, in words), and how soon a human is told in the worst case.

    `table` is that for humans: track, severities, first and second human, last resort, the worst with one thing dead.
    """

    findings: tuple[Finding, ...]
    claims: tuple[str, ...]
    cases: tuple[WorstCase, ...]
    table: tuple[Row, ...]
    span: Stretch


def prove(loaded: Loaded, now: datetime) -> Proof:
    """Return what can be proved of rules for the 90 days from the instant `now` on."""
    scene = _Scene(loaded, now)
    worst = WorstCases(scene.presence)
    cases = [case for policy in loaded.ruleset.policies.values() for case in worst.of(policy)]
    hidden, shown = hidden_exceptions(loaded.ruleset)
    found = [*_ladders(scene), *_schedules(scene), *_late(scene, cases), *vain(loaded, hidden)]
    found.sort(key=in_order)
    claims = []
    if not any(finding.code in EMPTY_CODES for finding in found):
        tracks = sum(len(policy.tracks) for policy in loaded.ruleset.policies.values())
        where = "every tier of every track" if tracks > 1 else "every tier"
        claims.append(f"somebody is in {where} at every minute of {DAYS} days")
    if loaded.ruleset.exceptions and not hidden:
        count = len(loaded.ruleset.exceptions)
        claims.append(f"no rule hides an exception ({shown} of {count} tried by an alert)")
        if loaded.ruleset.suppress:
            claims.append("no silence, window or inhibition holds back an exception (each was tried under all of them)")
    claims += _held_claims(scene)
    claims.append(f"the times above, by {worst.climbs} simulated incidents that nobody acks")
    return Proof(
        findings=tuple(found),
        claims=tuple(claims),
        cases=tuple(cases),
        table=tuple(_rows(scene, cases)),
        span=scene.span,
    )


def _held_claims(scene: "_Scene") -> Iterator[str]:
    """Yield which pages wait for office hours, and for how long at most."""
    for policy in scene.ruleset.policies.values():
        hours = policy.hours
        calendar = scene.ruleset.calendars.get(hours.calendar) if hours else None
        waits = waiting(calendar, scene.span) if calendar else ()
        if hours is None or calendar is None or not waits:
            continue
        longest = max(waits, key=lambda wait: wait.end - wait.start)
        start, end = (format_local(at, calendar.timezone, Style.DATE) for at in longest)
        wait = format_duration((longest.end - longest.start).total_seconds())
        which = f" below {hours.unless}" if hours.unless else ""
        yield (
            f'incidents of "{policy.name}"{which} are held outside calendar {calendar.name}, for {wait} at most '
            f"({start}{TO}{end} {calendar.timezone})"
        )


class _Scene:
    """The rules, and who is there when."""

    def __init__(self, loaded: Loaded, now: datetime) -> None:
        self.loaded = loaded
        self.ruleset = loaded.ruleset
        self.span = Stretch(now, now + timedelta(days=DAYS))
        self.presence = Presence(bare_world(loaded.ruleset), self.span)
        self.told_empty: set[str] = set()
        self.by_day_only: set[str] = set()
        self.at_any_time: set[str] = set()

    def zone(self, targets: Iterable[Target]) -> str:
        """Return the zone in which to tell times about targets: that of the first schedule behind them."""
        names = schedules_behind(tuple(targets), self.ruleset)
        return self.ruleset.schedules[names[0]].timezone if names else ZONE_DEFAULT

    def when(self, times: Times, zone: str) -> str:
        """Return when something is so: the longest time, and how many there are."""
        if times.always:
            return f"for all of the next {DAYS} days"
        start = format_local(times.worst.start, zone, Style.DATE)
        if times.worst.end == self.span.end:
            return f"from {start} {zone} on"
        more = f" (the longest of {times.count} times in {DAYS} days)" if times.count > 1 else ""
        return f"{start}{TO}{format_local(times.worst.end, zone, Style.DATE)} {zone}{more}"

    def find(self, policy: Policy, code: str, say: str, at: tuple[str | int, ...], fix: str) -> Finding:
        """Return a finding about a place of a policy; one about a whole track points at its name."""
        entry = self.loaded.sections.entries["policies"][policy.name]
        return entry.find(code, say, *at, fix=fix, key=isinstance(at[-1], str) and at[0] == "tracks")


def _ladders(scene: _Scene) -> Iterator[Finding]:
    """Yield what is wrong with who stands behind tiers and last resorts."""
    for policy in scene.ruleset.policies.values():
        resort = policy.last_resort
        at_last = last_resort_people(scene.presence, policy, scene.ruleset)
        if policy.hours is not None and all(always_holds(policy, track, scene.ruleset) for track in policy.tracks):
            at_last = held(at_last, scene.ruleset.calendars[policy.hours.calendar], scene.span)
        empty = nobody(at_last, scene.span)
        if empty:
            what = f'the last resort of "{policy.name}"'
            yield _empty(scene, policy, what, ("last_resort",), (resort.page, empty, FIX_LAST))
        for track in policy.tracks:
            people = [tier_people(scene.presence, tier, scene.ruleset) for tier in track.tiers]
            last = at_last
            behind = schedules_behind(
                tuple(target for tier in track.tiers for target in (*tier.page, *tier.backup)), scene.ruleset
            )
            by_day = policy.hours is not None and always_holds(policy, track, scene.ruleset)
            (scene.by_day_only if by_day else scene.at_any_time).update(behind)
            if policy.hours is not None and by_day:
                calendar = scene.ruleset.calendars[policy.hours.calendar]
                *people, last = [held(one, calendar, scene.span) for one in (*people, at_last)]
            yield from _track(scene, policy, track, people)
            nowhere = nobody_anywhere([*people, last], scene.span)
            if nowhere:
                zone = scene.zone(target for tier in track.tiers for target in tier.page)
                say = f'"{policy.name}" {track.name} ends in nobody {scene.when(nowhere, zone)}'
                yield scene.find(policy, "E060", say, ("tracks", track.name), FIX_LAST)


def _track(scene: _Scene, policy: Policy, track: TrackPolicy, people: list[Pieces[People]]) -> Iterator[Finding]:
    for number, (tier, present) in enumerate(zip(track.tiers, people, strict=True), start=1):
        empty = nobody(present, scene.span)
        if empty:
            what, targets = _rung(policy, track, number), (*tier.page, *tier.backup)
            yield _empty(scene, policy, what, _at(track, number), (targets, empty, FIX_EMPTY))
    for number, (before, after) in enumerate(pairwise(people), start=2):
        # a tier that chooses has not paged all of its people: the next one may page the same ones
        twice = None if track.tiers[number - 2].prefer else repeated(before, after, scene.span)
        if twice:
            times, who = twice
            zone = scene.zone(track.tiers[number - 1].page)
            when = "" if times.always else f", {scene.when(times, zone)}"
            say = (
                f"{_rung(policy, track, number)} pages nobody whom tier {number - 1} has not paged already "
                f"({', '.join(sorted(who))}){when}"
            )
            yield scene.find(policy, "W040", say, _at(track, number), "page somebody else")
    yield from _quorums(scene, policy, track, people)
    for lost in lost_authority(people, scene.ruleset, scene.span):
        zone = scene.zone(track.tiers[lost.tier - 1].page)
        when = "" if lost.times.always else f", {scene.when(lost.times, zone)}"
        say = (
            f"{_rung(policy, track, lost.tier)} may not do what tier {lost.than} may: {', '.join(lost.authority)} "
            f"({_names(lost.had)}, then {_names(lost.have)}){when}"
        )
        fix = "page somebody who may, or give them the authority if they have it"
        yield scene.find(policy, "E061", say, _at(track, lost.tier), fix)


def _quorums(scene: _Scene, policy: Policy, track: TrackPolicy, people: list[Pieces[People]]) -> Iterator[Finding]:
    """Yield tiers that ask for more acks than they ever page people."""
    for number, (tier, present) in enumerate(zip(track.tiers, people, strict=True), start=1):
        most = max(len(who) for _, who in present)
        most = min(most, tier.pick) if tier.prefer else most
        if 0 < most < tier.need:
            say = f"{_rung(policy, track, number)} needs {tier.need} acks and never pages more than {most}"
            yield scene.find(policy, "W090", say, _at(track, number), "page more people, or need fewer")


def _empty(
    scene: _Scene, policy: Policy, what: str, at: tuple[str | int, ...], whom: tuple[tuple[Target, ...], Times, str]
) -> Finding:
    """Return the finding that targets reach nobody at some times, with who is rejected why at worst."""
    targets, times, fix = whom
    scene.told_empty.update(schedules_behind(targets, scene.ruleset))
    rejected = resolve(targets, scene.presence.world, times.worst.start, ()).rejected
    whys = "; ".join(f"{who} {why}" for who, why in rejected[:SHOWN_MAX])
    verb = "is" if times.always else "can be"
    say = f"{what} {verb} empty {scene.when(times, scene.zone(targets))}" + (f": {whys}" if whys else "")
    return scene.find(policy, "E030", say, at, fix)


def _schedules(scene: _Scene) -> Iterator[Finding]:
    """Yield gaps of schedules that somebody pages and that were not told already, and people who are never on call."""
    used = {reference.name for reference in scene.loaded.references if reference.section == "schedules"}
    for schedule in scene.ruleset.schedules.values():
        if schedule.name not in used:
            continue
        entry = scene.loaded.sections.entries["schedules"][schedule.name]
        gap = nobody(scene.presence.on_call(schedule.name), scene.span)
        if schedule.name in scene.by_day_only - scene.at_any_time:
            gap = None  # what it has to cover is proved of the tiers
        if gap and schedule.name not in scene.told_empty:
            say = f'nobody is on call in "{schedule.name}" {scene.when(gap, schedule.timezone)}; a backup stands in'
            yield entry.find("W047", say, fix="add when_empty: [person X] or a layer", key=True)
        for one in idle(scene.presence, schedule.name):
            at = ("layers", schedule.layers.index(one.layer))
            if not one.covers:
                say = f'layer "{one.layer.name}" of "{schedule.name}" covers no time of the next {one.days} days'
                fix = "later layers hide it, or it starts later: mend their hours, or delete it"
                yield entry.find("W060", say, *at, fix=fix)
            else:
                verb = "is" if len(one.people) == 1 else "are"
                say = f'{_names(one.people)} {verb} never on call in "{schedule.name}" in the next {one.days} days'
                fix = f'the turns of layer "{one.layer.name}" fall into hours that it does not cover: choose other ones'
                yield entry.find("W060", say, *at, "people", fix=fix)


def _late(scene: _Scene, cases: Iterable[WorstCase]) -> Iterator[Finding]:
    """Yield the tracks that tell nobody, or too late, with the worst severity and an example for each thing dead."""
    failed: dict[tuple[str, ...], WorstCase] = {}
    nobody_at_all: set[tuple[str, str]] = set()
    for case in cases:
        if case.worst.first == NEVER:
            if not case.outage.name:
                nobody_at_all.add((case.policy, case.track))  # that is E060
            code = "" if (case.policy, case.track) in nobody_at_all else "E062"
        else:
            code = "E063" if case.worst.first >= case.worst.within else ""
        if code:
            failed[code, case.policy, case.track, case.outage.name] = case
    for (code, name, track_name, dead), case in failed.items():
        if dead and ("E063", name, track_name, "") in failed:
            continue  # it is late anyway
        policy = scene.ruleset.policies[name]
        track = policy.track(track_name)
        zone = scene.zone(target for tier in track.tiers for target in tier.page)
        opened = f"{case.severities[-1]} at {format_local(case.first_at, zone, Style.DATE)} {zone}"
        ladder = f'"{name}" {track_name}'
        if code == "E062":
            say = f"with {dead} dead, {ladder} tells nobody: {opened} pages {_names(case.worst.tried)} in vain"
        else:
            with_dead = f" with {dead} dead" if dead else ""
            say = (
                f"{ladder} tells the first human after {format_duration(case.worst.first)}, when its first tier is "
                f"over: {opened}{with_dead}"
            )
        yield scene.find(policy, code, say, ("tracks", track_name), FIX_DEAD)


def _rows(scene: _Scene, cases: Iterable[WorstCase]) -> Iterator[Row]:
    """Yield the table, worst severities first, those with the same figures together."""
    figures: dict[tuple[str, str], dict[tuple[str, str, str, str], list[str]]] = {}
    for (policy, track, severities), alike in _together(cases).items():
        working = next(case for case in alike if not case.outage.name)
        worst = working.worst
        second = _seconds(worst.second)
        if working.second_at > scene.span.start and worst.second != NEVER:
            # not always so: say when, for the one who wants to see why
            zone = scene.zone(
                target for tier in scene.ruleset.policies[policy].track(track).tiers for target in tier.page
            )
            second += f" ({format_local(working.second_at, zone, Style.DATE)})"
        first = _seconds(worst.first)
        if working.held_seconds:
            first += f", held up to {format_duration(working.held_seconds)}"
        row = (first, second, _seconds(worst.last_resort), _dead(alike))
        figures.setdefault((policy, track), {}).setdefault(row, []).extend(severities)
    for (policy, track), rows in figures.items():
        for row, words in reversed(rows.items()):
            yield (f"{policy} {track}", ", ".join(reversed(words)), *row)


def as_mapping(proof: Proof) -> Mapping[str, object]:
    """Return the proof for programs: the table with seconds (null = never) and the instants of the worst cases."""
    return {
        "from": proof.span.start.isoformat(),
        "to": proof.span.end.isoformat(),
        "claims": list(proof.claims),
        "worst_cases": [
            {
                "policy": case.policy,
                "track": case.track,
                "severities": [severity.value for severity in case.severities],
                "dead": case.outage.name or None,
                "held_seconds_max": case.held_seconds,
                "first_human_seconds": _number(case.worst.first),
                "first_human_opened_at": case.first_at.isoformat(),
                "second_human_seconds": _number(case.worst.second),
                "second_human_opened_at": case.second_at.isoformat(),
                "last_resort_seconds": _number(case.worst.last_resort),
                "tried": list(case.worst.tried),
            }
            for case in proof.cases
        ],
    }


def _together(cases: Iterable[WorstCase]) -> dict[tuple[str, str, tuple[str, ...]], list[WorstCase]]:
    """Return the cases of each track and severity, whatever is dead."""
    found: dict[tuple[str, str, tuple[str, ...]], list[WorstCase]] = {}
    for case in cases:
        severities = tuple(severity.value for severity in case.severities)
        found.setdefault((case.policy, case.track, severities), []).append(case)
    return found


def _dead(alike: list[WorstCase]) -> str:
    """Return the worst that one dead thing does: first and second human, and what it is."""
    working, *others = (
        (case.worst.first, case.worst.second, case.outage.name)
        for case in sorted(alike, key=lambda case: bool(case.outage.name))
    )
    worst = max(others, key=lambda one: one[:2], default=working)
    if worst[:2] <= working[:2]:
        return "the same"
    return f"{_seconds(worst[0])}, {_seconds(worst[1])} ({worst[2]})"


def _seconds(seconds: float) -> str:
    return "never" if seconds == NEVER else format_duration(seconds)


def _number(seconds: float) -> float | None:
    return None if seconds == NEVER else seconds


def _rung(policy: Policy, track: TrackPolicy, number: int) -> str:
    return f'tier {number} of "{policy.name}" {track.name}'


def _at(track: TrackPolicy, number: int) -> tuple[str | int, ...]:
    return "tracks", track.name, "tiers", number - 1


def _names(people: People) -> str:
    shown = ", ".join(people[:SHOWN_MAX])
    return f"{shown} and {len(people) - SHOWN_MAX} more" if len(people) > SHOWN_MAX else shown or "nobody"
