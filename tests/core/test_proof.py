"""Holes, repetitions, falling authority, idle people and tiers in vain."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from escalatord.core.policy import ContactPlan, Tier, TrackKind, TrackPolicy
from escalatord.core.presence import People, Pieces, Presence, Stretch
from escalatord.core.proof import (
    Idle,
    Times,
    bare_world,
    idle,
    last_resort_people,
    lost_authority,
    never_entered,
    nobody,
    nobody_anywhere,
    repeated,
    tier_people,
    times,
)
from escalatord.core.ruleset import Ruleset
from tests.fakes.rule_sets import GOOD, ruleset_of

START = datetime(2026, 11, 21, 12, tzinfo=UTC)
SPAN = Stretch(START, START + timedelta(days=10))


def at(days: float) -> datetime:
    """Return an instant so many days after the start."""
    return START + timedelta(days=days)


def people(*pieces: tuple[float, str]) -> Pieces[People]:
    """Return who is there from which day on; names separated by blanks."""
    return tuple((at(day), tuple(names.split())) for day, names in pieces)


ALWAYS = people((0, "ana"))
HOLES = people((0, "ana"), (1, ""), (2, "bo"), (3, ""), (5, "ana"), (9, ""))


def test_the_longest_hole_is_told_and_how_many_there_are() -> None:
    """Of three holes the one of two days."""
    assert nobody(HOLES, SPAN) == Times(worst=Stretch(at(3), at(5)), count=3, always=False)
    assert nobody(ALWAYS, SPAN) is None
    assert nobody(people((0, "")), SPAN) == Times(worst=SPAN, count=1, always=True)


def test_nobody_anywhere_is_where_all_are_empty() -> None:
    """A hole that somebody else fills is none."""
    assert nobody_anywhere([HOLES, ALWAYS], SPAN) is None
    found = nobody_anywhere([HOLES, people((0, ""), (4, "bo"))], SPAN)
    assert found == Times(worst=Stretch(at(1), at(2)), count=2, always=False)


def test_a_tier_that_adds_nobody_is_told_with_its_people() -> None:
    """Those paged are all among those of the tier before; an empty tier repeats nobody."""
    before = people((0, "ana bo"), (6, "cy"))
    after = people((0, "cy"), (1, "ana"), (2, ""), (3, "bo ana"), (4, "ana cy"), (8, "cy"))
    found = repeated(before, after, SPAN)
    assert found is not None
    assert found == (Times(worst=Stretch(at(8), SPAN.end), count=3, always=False), ("cy",))
    assert repeated(before, people((0, "dee")), SPAN) is None


RANKS = """\
people:
  ana: {sms: "+34600000001", authority: [look, rollback]}
  bo: {sms: "+34600000002"}
  cy: {sms: "+34600000003", authority: [look]}
  dee: {sms: "+34600000004", authority: [rollback]}
"""


@pytest.fixture
def ranked(tmp_path: Path) -> Ruleset:
    """Four people, of whom one declares nothing."""
    return ruleset_of(
        tmp_path,
        GOOD[: GOOD.index("people:")].replace("  call: {provider: sim}\n", "").replace(", {by: call, after: 2m}", "")
        + RANKS,
    )


FALLS = [
    ("ana / cy", [(2, 1, "rollback", False)]),
    ("ana / bo", []),
    ("bo / cy", []),
    ("cy / ana", []),
    ("ana / cy dee", []),
    ("ana / bo / cy", [(3, 1, "rollback", False)]),
    ("ana / cy / cy", [(2, 1, "rollback", False)]),
    ("ana / cy / dee", [(2, 1, "rollback", False), (3, 2, "look", False)]),
    ("bo / bo / ana", []),
]


@pytest.mark.parametrize(("ladder", "expected"), FALLS)
def test_authority_that_falls_is_told_against_the_nearest_tier_that_declares_any(
    ranked: Ruleset, ladder: str, expected: list[tuple]
) -> None:
    """Tiers may do what their people may together; people who declare nothing are passed over."""
    tiers = [people((0, names)) for names in ladder.split(" / ")]
    found = list(lost_authority(tiers, ranked, SPAN))
    assert expected == [(one.tier, one.than, " ".join(one.authority), not one.times.always) for one in found]


def test_authority_falls_only_while_those_people_are_there(ranked: Ruleset) -> None:
    """The longest time, who was there and who is."""
    (lost,) = lost_authority([people((0, "ana"), (4, "cy")), people((0, "ana"), (3, "cy"))], ranked, SPAN)
    assert (lost.had, lost.have, lost.times.worst) == (("ana",), ("cy",), Stretch(at(3), at(4)))


def test_a_tier_reaches_its_backup_only_where_it_reaches_nobody_else(tmp_path: Path) -> None:
    """By day those on call, by night the backup; machines do not count."""
    text = GOOD.replace("page: [person ana]", "page: [oncall s], backup: [person bo]").replace(
        "[{by: sms}, {by: call, after: 2m}]", "[{by: hook}, {by: sms}]"
    )
    text = text.replace(
        "channels:\n", "channels:\n  hook: {provider: webhook, kind: webhook, url: 'https://x.example.com'}\n"
    )
    text += (
        'schedules: {s: {timezone: UTC, layers: [{rotate: daily, starts: "2026-10-05", people: [ana], '
        "active: 08:00-20:00}]}}\n"
    )
    ruleset = ruleset_of(tmp_path, text)
    presence = Presence(bare_world(ruleset), Stretch(START, START + timedelta(days=1)))
    (policy,) = ruleset.policies.values()
    assert tier_people(presence, policy.tracks[0].tiers[0], ruleset) == (
        (START, ("ana",)),
        (START + timedelta(hours=8), ("bo",)),
        (START + timedelta(hours=20), ("ana",)),
    )
    assert last_resort_people(presence, policy, ruleset) == ((START, ("bo",)),)


DAY_AND_NIGHT = "{rotate: 12 hours, handoff: '08:00', starts: '2026-10-05', people: [ana, bo]"
DAILY = "{rotate: daily, starts: '2026-10-05', people: "
IDLE = [
    (f"{DAY_AND_NIGHT}, active: 08:00-20:00}}", ["bo"], 90),
    (f"{DAY_AND_NIGHT}}}", None, 90),
    (f"{DAY_AND_NIGHT}, active: 08:00-20:00}}, {DAILY}[bo], active: 01:00-02:00}}", None, 90),
    (f"{DAILY}[ana]}}, {DAILY}[bo]}}", ["ana"], 90),
    ("{rotate: daily, starts: '2027-06-01', people: [ana]}", ["ana"], 90),
    ("{all: true, people: [ana, bo]}", None, 90),
    ("{rotate: monthly, starts: '2026-10-05', people: [ana, bo, ana, ana, ana]}", None, 90),
    ("{rotate: 52 weeks, starts: '2026-10-05', people: [ana, bo, ana, ana]}", None, 731),
    ("{rotate: 52 weeks, starts: '2026-10-05', people: [ana, ana, ana, bo]}", ["bo"], 731),
]


@pytest.mark.parametrize(("layers", "missing", "days"), IDLE)
def test_people_whose_turn_never_comes_are_told(
    tmp_path: Path, layers: str, missing: list[str] | None, days: int
) -> None:
    """Who is in a rotation and never on call by any layer; a rotation may take its time to come round."""
    text = GOOD.replace("person ana", "oncall s") + f"schedules: {{s: {{timezone: UTC, layers: [{layers}]}}}}\n"
    presence = Presence(bare_world(ruleset_of(tmp_path, text)), Stretch(START, START + timedelta(days=90)))
    found: list[Idle] = list(idle(presence, "s"))
    assert ([*found[0].people] if found else None) == missing
    if found:
        assert (found[0].days, found[0].covers) == (days, missing == ["bo"])


def test_a_shadow_layer_is_meant_to_be_idle(tmp_path: Path) -> None:
    """Who watches and learns is never on call."""
    layers = f"{DAILY}[ana]}}, {DAILY}[bo], shadow: true}}"
    text = GOOD.replace("person ana", "oncall s") + f"schedules: {{s: {{timezone: UTC, layers: [{layers}]}}}}\n"
    presence = Presence(bare_world(ruleset_of(tmp_path, text)), SPAN)
    assert list(idle(presence, "s")) == []


def ladder(count: int, repeat: int = 0) -> TrackPolicy:
    """Return a track of so many tiers."""
    tier = Tier(name="", page=(), within_seconds=300.0, plan=ContactPlan(name="", steps=()))
    return TrackPolicy(name="technical", kind=TrackKind.TECHNICAL, tiers=(tier,) * count, repeat=repeat)


@pytest.mark.parametrize(
    ("starts", "repeat", "expected"),
    [
        ({2, 3}, 0, (1,)),
        ({3}, 0, (1, 2)),
        ({9}, 0, (1, 2)),
        ({1, 3}, 0, ()),
        ({0, 3}, 0, ()),
        ({2}, 1, ()),
    ],
)
def test_tiers_before_every_start_are_never_entered(starts: set[int], repeat: int, expected: tuple[int, ...]) -> None:
    """Unless all tiers start at once, or the ladder is climbed again from below; a start past the end is the last."""
    assert expected == never_entered(ladder(3, repeat), starts)


def test_times_of_nothing_are_none() -> None:
    """What is never wanted has no times."""
    assert times(ALWAYS, lambda who: "bo" in who, SPAN) is None
