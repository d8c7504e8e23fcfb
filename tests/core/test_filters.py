"""Filters behind a target: who passes, who does not and why; and in which order a tier prefers people."""

from dataclasses import replace

import pytest

from escalatord.core.away import Away
from escalatord.core.policy import FilterKind, Prefer, Target, TargetFilter, TargetKind
from escalatord.core.roster import Candidate, preferred, resolve
from tests.fakes.world import T0, WORLD, at, person


def asked(text):
    """Return a filter written as in the rules: skill postgres."""
    kind, _, word = text.partition(" ")
    return TargetFilter(FilterKind(kind), word)


TALENTS = {
    "ana": {"skills": ("postgres",), "languages": ("es-MX", "en"), "region": "eu"},
    "bo": {"skills": ("postgres", "kubernetes"), "languages": ("en",), "region": "us"},
}


def gifted(away=(), **people):
    """Return a world in which people have traits; the team `all` is everybody."""
    known = {
        name: replace(WORLD.ruleset.people[name], **(TALENTS[name] | people.get(name, {}))) for name in ("ana", "bo")
    }
    ruleset = replace(WORLD.ruleset, people=known, teams={"all": ("ana", "bo")}, roles={"db": (skilled("postgres"),)})
    return replace(WORLD, ruleset=ruleset, away=tuple(away))


def skilled(word):
    """Return the team, those of it with a skill."""
    return Target(TargetKind.TEAM, "all", (asked(f"skill {word}"),))


@pytest.mark.parametrize(
    ("filters", "passes"),
    [
        ("skill postgres", ["ana", "bo"]),
        ("skill kubernetes", ["bo"]),
        ("skill Postgres", []),
        ("language es", ["ana"]),
        ("language es-MX", ["ana"]),
        ("language en-GB", []),
        ("region eu", ["ana"]),
        ("region ", []),
        ("available", ["ana", "bo"]),
        ("skill postgres & language en & region us", ["bo"]),
        ("region eu & region us", []),
    ],
)
def test_filters_let_through_who_passes_all_of_them(filters, passes):
    """Skills and regions equal, a language serves its regions; who does not pass is rejected with the reason."""
    target = Target(TargetKind.TEAM, "all", tuple(map(asked, filters.split(" & "))))
    found = resolve((target,), gifted(), T0, ("sms",))
    assert [candidate.person for candidate in found.people] == passes
    assert {who for who, _ in found.rejected} == {"ana", "bo"} - set(passes)


@pytest.mark.parametrize(
    ("filters", "why"),
    [
        ("skill mysql", "has no skill mysql"),
        ("language fr", "does not speak fr"),
        ("region us", "is not in region us"),
        ("region us & skill mysql", "is not in region us"),
        ("available", "is away until 2026-10-24 05:00:00 UTC (dentist)"),
    ],
)
def test_who_does_not_pass_is_told_with_the_first_reason(filters, why):
    """`explain` and the journal say it in these words."""
    away = Away(person="ana", start=T0, end=at(240), why="dentist")
    target = Target(TargetKind.PERSON, "ana", tuple(map(asked, filters.split(" & "))))
    assert resolve((target,), gifted((away,)), T0, ("sms",)).rejected == (("ana", why),)


def test_somebody_away_is_paged_where_nobody_asked_for_available_people():
    """The filter is explicit: being away alone silences no page."""
    world = gifted((Away(person="ana", start=T0, end=at(60)),))
    assert [c.person for c in resolve((person("ana"),), world, T0, ("sms",)).people] == ["ana"]


def test_an_absence_in_the_rules_counts_like_one_made_at_run_time():
    """From its start, until just before its end."""
    spans = (Away(person="ana", start=at(1), end=at(2)),)
    world = gifted(ana={"away": spans})
    target = Target(TargetKind.PERSON, "ana", (asked("available"),))
    present = [bool(resolve((target,), world, at(minute), ("sms",)).people) for minute in (0, 1, 1.99, 2)]
    assert present == [True, False, False, True]


def test_filters_inside_a_role_and_behind_it_both_count():
    """The role's holders are the team's postgres people; of these, those in the EU."""
    role = Target(TargetKind.ROLE, "db", (asked("region eu"),))
    found = resolve((role,), gifted(bo={"region": "eu", "skills": ()}), T0, ("sms",))
    assert [candidate.person for candidate in found.people] == ["ana"]
    assert found.rejected == (("bo", "has no skill postgres"),)


def test_a_target_says_how_it_was_written():
    """What `explain` calls it; a word with a blank stands in quotes."""
    target = Target(TargetKind.ONCALL, "db", (asked("skill site reliability"), asked("available")))
    assert str(target) == 'oncall db & skill "site reliability" & available'


def test_the_least_paged_come_first_and_the_order_of_the_rules_decides_between_equals():
    """Who is not counted was not paged."""
    people = [Candidate(person=name, target="", channels=("sms",)) for name in ("ana", "bo", "cy", "vp")]
    world = replace(WORLD, paged={"ana": 2, "cy": 1, "vp": 1})
    order = [one.person for one in preferred(people, Prefer.LEAST_PAGED_24H, world)]
    assert order == ["bo", "cy", "vp", "ana"]
    assert [one.person for one in preferred(people, None, world)] == ["ana", "bo", "cy", "vp"]
