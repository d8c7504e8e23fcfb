"""Who is first at every moment, drawn; every gap is seen, on the days when clocks change too."""

from datetime import timedelta

import pytest

from escalatord.core.values import replace
from escalatord.core.wallclock import parse_when
from escalatord.sim.heatmap import drawn, every, gaps, slots
from escalatord.sim.story import play
from tests.sim.test_story import RULESET, given, story

ZONE = "Europe/Madrid"
START = parse_when("2026-10-24 00:00 Europe/Madrid", "UTC")


def opened(rules=RULESET, body="disk-full"):
    """Return an incident as the rules open it."""
    return play(story(given(body), until_seconds=1), rules).incidents[0]


def asked(rules=RULESET, *, minutes=30, days=3, start_at=1):
    """Return the slots of some days."""
    return slots(rules, opened(rules), start_at, every(START, minutes * 60, days * 86400))


def without_nights():
    """Return rules in which nobody is first for the platform at night."""
    one = RULESET.schedules["platform-primary"]
    other = RULESET.schedules["platform-secondary"]
    bare = replace(one, layers=tuple(layer for layer in one.layers if layer.name == "europe"), when_empty=())
    second = replace(other, layers=tuple(layer for layer in other.layers if layer.name == "europe"), when_empty=())
    schedules = {**RULESET.schedules, "platform-primary": bare, "platform-secondary": second}
    return replace(RULESET, schedules=schedules)


def test_every_day_is_a_row_and_every_half_hour_a_column():
    """The letters are those of the people, and the legend says which."""
    lines = drawn(asked(), ZONE, 100)
    assert lines[0].split() == ["00", "03", "06", "09", "12", "15", "18", "21"]
    assert lines[1] == "Sat 24 Oct  " + "k" * 16 + "s" * 24 + "k" * 8
    assert lines[-1] == "k kai   s sam   c cy   n noa   no gap   (a column is 30m, times in Europe/Madrid)"
    assert all(len(line) <= 100 for line in lines)


def test_the_hour_that_comes_twice_is_one_hour_wide():
    """Twenty-five hours fit the same row; the day after is not shifted."""
    lines = drawn(asked(days=3), ZONE, 100)
    assert [len(line) for line in lines[1:4]] == [60, 60, 12 + 46]
    assert lines[2] == "Sun 25 Oct  " + "k" * 16 + "s" * 24 + "k" * 8


def test_more_instants_than_columns_share_one():
    """Five minutes do not fit a row of a hundred, so a column stands for several; what is worst shows."""
    lines = drawn(asked(minutes=5, days=1), ZONE, 100)
    assert max(map(len, lines)) <= 100
    assert "a column is 20m" in lines[-1]


def test_gaps_are_marked_and_listed_with_their_times():
    """Where the first tier is empty an exclamation mark stands, and below since when, until when, and who instead."""
    found = asked(without_nights())
    lines = drawn(found, ZONE, 100)
    assert lines[1] == "Sat 24 Oct  " + "!" * 16 + "s" * 24 + "!" * 8
    assert "! gap" in lines[-1]
    told = gaps(found, ZONE)
    assert told[0].startswith("! Sat 24 Oct 00:00 to Sat 24 Oct 08:00: nobody in tier 1, 2, so ")
    assert len(told) == 4
    assert told[-1].startswith("! Mon 26 Oct 20:00 to ") or told[-1].startswith("! Sun 25 Oct 20:00 to ")


def test_many_gaps_are_counted(monkeypatch):
    """A list of gaps has its limit too."""
    monkeypatch.setattr("escalatord.sim.heatmap.GAPS_SHOWN_MAX", 1)
    told = gaps(asked(without_nights()), ZONE)
    assert told[1:] == ["… and 3 more gaps"]


def test_several_at_once_have_a_mark_of_their_own():
    """A rule that starts every tier at once pages several first."""
    lines = drawn(asked(days=1, start_at=0), ZONE, 100)
    assert set(lines[1].removeprefix("Sat 24 Oct  ")) == {"*"}
    assert "* several at once" in lines[-1]


def test_letters_run_out_politely():
    """People with the same letters get others, and none gets a mark."""
    people = [f"a{number}" for number in range(60)]
    found = [replace(slot, first=(people[number],)) for number, slot in enumerate(asked(days=2)[:60])]
    legend = drawn(found, ZONE, 400)[-1]
    assert "a a0" in legend
    assert "? a59" in legend


def test_too_many_instants_are_refused():
    """Asking for every second of a year is answered with a sentence."""
    many = every(START, 1, 365 * 86400)
    with pytest.raises(ValueError, match="ask less often"):
        slots(RULESET, opened(), 1, many)
    assert every(START, 0, 86400) == []
    assert every(START, 3600, 7200) == [START, START + timedelta(hours=1)]
