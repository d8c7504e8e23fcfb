"""Who stands behind targets, as functions of time."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest

from escalatord.core.away import Away
from escalatord.core.policy import FilterKind, Target, TargetFilter, TargetKind
from escalatord.core.presence import (
    Presence,
    Stretch,
    _on_call,
    changed,
    named_by,
    overlay,
    people_behind,
    schedules_behind,
    stretches,
    value_at,
    watched,
)
from escalatord.core.proof import bare_world
from escalatord.core.roster import resolve
from escalatord.core.ruleset import Ruleset
from escalatord.core.schedule import Shift
from tests.fakes.rule_sets import GOOD, ruleset_of
from tests.fakes.world import PEOPLE, RULESET, WORLD

START = datetime(2026, 10, 24, tzinfo=UTC)
HOUR = timedelta(hours=1)
SPAN = Stretch(START, START + 72 * HOUR)
DUTY = """\
  cy: {sms: "+34600000003"}
  dee: {sms: "+34600000004"}
  eve: {email: eve@example.com}
teams: {pair: [ana, eve]}
roles: {lead: [oncall nights, role boss], boss: [person dee, role lead]}
schedules:
  days:
    timezone: Europe/Madrid
    layers:
      - {name: low, rotate: daily, handoff: "09:00", starts: "2026-10-05", people: [ana, bo]}
      - {name: high, rotate: 5 hours, handoff: "07:30", starts: "2026-10-05", people: [cy, eve], active: 22:00-04:00}
  nights:
    timezone: Australia/Lord_Howe
    layers: [{rotate: 8 hours, starts: "2026-10-05", people: [dee, bo], active: 20:00-08:00}]
    when_empty: [person cy]
"""


def at(hours: float) -> datetime:
    """Return an instant so many hours after the start."""
    return START + hours * HOUR


@pytest.fixture
def ruleset(tmp_path: Path) -> Ruleset:
    """Two schedules around a clock change, a team, and two roles in a circle."""
    return ruleset_of(tmp_path, GOOD + DUTY)


def targets(*words: str) -> tuple[Target, ...]:
    """Return targets written as in the rules."""
    return tuple(Target(TargetKind(kind), name) for kind, name in (word.split() for word in words))


@pytest.mark.parametrize(
    "page",
    [
        targets("oncall days"),
        targets("oncall nights", "team pair"),
        targets("role lead"),
        targets("oncall days", "oncall nights", "person eve"),
        targets("person eve"),
    ],
    ids=lambda page: ", ".join(map(str, page)),
)
def test_people_are_at_every_minute_whom_the_engine_would_page(ruleset: Ruleset, page: tuple[Target, ...]) -> None:
    """Three days with the end of summer time, minute by minute, against `resolve`."""
    presence = Presence(bare_world(ruleset), SPAN)
    pieces = presence.people(page, ("sms", "call"))
    assert pieces[0][0] == SPAN.start
    assert all(before[1] != after[1] for before, after in pairwise(pieces))
    for minute in range(0, 72 * 60, 7):
        now = START + timedelta(minutes=minute)
        found = resolve(page, presence.world, now, ("sms", "call")).people
        # two who are on call at once may come in another order
        assert {candidate.person for candidate in found} == set(value_at(pieces, now))


def test_the_same_question_is_answered_from_memory(ruleset: Ruleset) -> None:
    """Asked twice, computed once."""
    presence = Presence(bare_world(ruleset), SPAN)
    page = targets("oncall days")
    assert presence.people(page, ("sms",)) is presence.people(page, ("sms",))


def test_behind_targets_stand_the_leaves_of_roles(ruleset: Ruleset) -> None:
    """Roles are looked into, also those in a circle; teams and schedules give everybody they could ever name."""
    page = targets("role lead", "team pair")
    assert schedules_behind(page, ruleset) == ("nights",)
    assert people_behind(page, ruleset) == {"dee", "bo", "cy", "ana", "eve"}
    assert people_behind(targets("oncall days"), ruleset) == {"ana", "bo", "cy", "eve"}


def test_functions_are_laid_side_by_side() -> None:
    """A change in one of them begins a new piece of all; of none, nothing changes."""
    one = ((at(0), "a"), (at(2), "b"))
    two = ((at(0), 1), (at(1), 2), (at(2), 3))
    assert overlay((one, two), SPAN) == ((at(0), ("a", 1)), (at(1), ("a", 2)), (at(2), ("b", 3)))
    assert overlay((one,), SPAN) == ((at(0), ("a",)), (at(2), ("b",)))
    assert overlay((), SPAN) == ((at(0), ()),)


def test_a_change_that_is_none_is_left_out() -> None:
    """Pieces of a new function have different neighbours."""
    assert changed(((at(0), 1), (at(1), 3), (at(2), 4)), lambda number: number % 2) == ((at(0), 1), (at(2), 0))


def test_stretches_are_as_long_as_possible() -> None:
    """Wanted neighbours are one stretch; the last one ends with the span."""
    pieces = ((at(0), 1), (at(1), 3), (at(2), 4), (at(3), 5))
    odd = stretches(pieces, lambda number: number % 2 == 1, SPAN)
    assert odd == (Stretch(at(0), at(2)), Stretch(at(3), SPAN.end))
    assert stretches(pieces, lambda number: number == 4, SPAN) == (Stretch(at(2), at(3)),)
    assert stretches(pieces, lambda number: number > 9, SPAN) == ()


def test_a_value_holds_from_its_instant_on() -> None:
    """Before the span the first value is told."""
    pieces = ((at(0), 1), (at(2), 4))
    assert [value_at(pieces, at(hours)) for hours in (-1, 0, 1.9, 2, 99)] == [1, 1, 1, 4, 4]


def test_somebody_on_call_for_two_reasons_stays_until_both_have_ended() -> None:
    """Shifts of one person that overlap, as in an hour that happens twice."""
    told = [
        Shift(person=person, start=at(start), end=at(end), because=because)
        for person, start, end, because in (
            ("ana", 0, 2, "layer a"),
            ("ana", 1, 3, "layer b"),
            ("bo", 2, 72, "layer a"),
        )
    ]
    assert _on_call(told, SPAN) == ((at(0), ("ana",)), (at(2), ("ana", "bo")), (at(3), ("bo",)))


# ------------------------------------------------------------------------------------------------------ filters


def test_absences_count_to_the_minute_where_available_people_are_asked_for():
    """Somebody away is there for targets without the filter; a role's filter counts for whom it leads to."""
    start, end = SPAN
    spans = (Away(person="ana", start=at(20), end=at(40)), Away(person="ana", start=at(-9), end=at(10)))
    people = {**PEOPLE, "ana": replace(PEOPLE["ana"], away=spans)}
    available = (TargetFilter(FilterKind.AVAILABLE),)
    roles = {"there": (Target(TargetKind.TEAM, "all", available),)}
    ruleset = replace(RULESET, people=people, teams={"all": ("ana", "bo")}, roles=roles)
    world = replace(WORLD, ruleset=ruleset, away=(Away(person="bo", start=at(30), end=at(33)),))
    presence = Presence(world, Stretch(start, end))
    role = (Target(TargetKind.ROLE, "there"),)
    assert presence.people(role, ("sms",)) == (
        (start, ("bo",)),
        (at(10), ("ana", "bo")),
        (at(20), ("bo",)),
        (at(30), ()),
        (at(33), ("bo",)),
        (at(40), ("ana", "bo")),
    )
    assert presence.people((Target(TargetKind.TEAM, "all"),), ("sms",)) == ((start, ("ana", "bo")),)
    assert [who for _, who in presence.people(role, ("call",))] == [who for _, who in presence.people(role, ("sms",))]
    assert watched(role, ruleset) == {"ana", "bo"}
    assert watched((Target(TargetKind.TEAM, "all"),), ruleset) == frozenset()


def test_who_could_ever_be_there_are_those_who_pass():
    """A filter that the roster alone answers is known for all times."""
    people = {**PEOPLE, "ana": replace(PEOPLE["ana"], skills=("postgres",))}
    ruleset = replace(RULESET, people=people, teams={"all": ("ana", "bo")})
    skilled = Target(TargetKind.TEAM, "all", (TargetFilter(FilterKind.SKILL, "postgres"),))
    assert people_behind((skilled,), ruleset) == {"ana"}
    assert named_by(skilled, ruleset) == {"ana", "bo"}
