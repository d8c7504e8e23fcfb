"""Calendars and hours in YAML: what each spelling becomes, and what is said of those that mean nothing."""

from datetime import UTC, date, datetime, time
from pathlib import Path

import pytest

from escalatord.config import calendars as subject
from escalatord.config.load import load
from escalatord.core.calendar import EVERY_DAY, Calendar, Hours
from escalatord.core.schedule import Layer, on_call
from escalatord.errors import ConfigError
from tests.fakes.rule_sets import GOOD, findings_of, told, written

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
WEEKDAYS = frozenset(range(5))
WORK = "calendars:\n  work: {timezone: Europe/Madrid, hours: 09:00-18:00}\n"


def layers(*texts: str) -> str:
    """Return rules with one schedule of these layers, in which only what is asked about differs."""
    lines = "".join(f"      - {{people: [ana, bo], {text}}}\n" for text in texts)
    return f"{GOOD}{WORK}schedules:\n  first:\n    timezone: UTC\n    layers:\n{lines}"


def calendar(folder: Path, text: str) -> Calendar:
    """Return the calendar that a text describes."""
    rules = written(folder, rules=f"{GOOD}calendars:\n  work: {{timezone: Europe/Madrid, {text}}}\n")
    return load(rules, environ={}, now=NOW).ruleset.calendars["work"]


def layer(folder: Path, text: str) -> Layer:
    """Return the layer that a text describes."""
    rules = written(folder, rules=layers(text))
    return load(rules, environ={}, now=NOW).ruleset.schedules["first"].layers[0]


def hours(days: frozenset[int], start: int, end: int) -> Hours:
    """Return hours between two whole ones."""
    return Hours(days=days, start=time(start), end=time(end))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("hours: 09:00-18:00", (hours(WEEKDAYS, 9, 18),)),
        ("days: mon-sun, hours: 09:00-18:00", (hours(EVERY_DAY, 9, 18),)),
        ('days: "sat, mon-tue", hours: 20:00-24:00', (hours(frozenset({5, 0, 1}), 20, 0),)),
        ("hours: {mon-thu: 09:00-18:00, Fri: [09:00-12:00, 13:00-15:00]}", (
            hours(frozenset(range(4)), 9, 18),
            hours(frozenset({4}), 9, 12),
            hours(frozenset({4}), 13, 15),
        )),
        ("hours: {sat-mon: 00:00-24:00}", (hours(frozenset({5, 6, 0}), 0, 0),)),
    ],
    ids=["mon to fri unless told", "every day", "some days", "by weekday", "over Sunday"],
)  # fmt: skip
def test_hours_of_a_calendar(tmp_path: Path, text: str, expected: tuple[Hours, ...]) -> None:
    """Weekdays and hours, together or by weekday."""
    assert calendar(tmp_path, text).hours == expected


def test_holidays_are_expanded_around_the_present(tmp_path: Path) -> None:
    """Public holidays of a region, of last year to the year after next; dates count as they are."""
    found = calendar(tmp_path, 'hours: 09:00-18:00, holidays: [ES-MD, "2026-12-24"]').holidays
    assert {day.year for day in found} == {2025, 2026, 2027, 2028}
    assert found[date(2026, 5, 2)]  # Madrid's own day
    assert found[date(2026, 12, 24)] == "day off"
    assert date(2026, 4, 23) not in found  # Aragon's
    assert list(found) == sorted(found)


def test_one_country_needs_no_list(tmp_path: Path) -> None:
    """A single country stands alone, as does a single date."""
    assert date(2026, 7, 14) in calendar(tmp_path, "hours: 09:00-18:00, holidays: FR").holidays
    assert list(calendar(tmp_path, 'hours: 09:00-18:00, holidays: "2026-12-24"').holidays) == [date(2026, 12, 24)]


def test_without_the_package_the_command_that_installs_it_is_told(tmp_path: Path, monkeypatch) -> None:
    """A country needs the extra; a date does not."""

    def absent(name: str) -> object:
        raise ModuleNotFoundError(name)

    monkeypatch.setattr(subject, "import_module", absent)
    assert calendar(tmp_path, 'hours: 09:00-18:00, holidays: "2026-12-24"').holidays
    rules = f"{GOOD}calendars:\n  work: {{timezone: UTC, hours: 09:00-18:00, holidays: ES}}\n"
    finding = (
        "rules.yaml:18:55 E050 the holidays of ES need a package that is not installed "
        "(install it: pip install 'escalatord[holidays]')"
    )
    assert told(findings_of(written(tmp_path, rules=rules))) == [finding]


@pytest.mark.parametrize(
    ("text", "finding"),
    [
        ("holidays: XX", 'E051 nobody knows the holidays of "XX"'),
        ("holidays: ES-QQ", 'E051 nobody knows the holidays of "ES-QQ"'),
        ("holidays: [spain]", 'E024 "spain" is neither a country nor a date'),
        ("holidays: 20261224", "E014 wanted a country like ES-MD or a date like 2026-12-24, found a bare number"),
        ('holidays: "2026-13-01"', 'E024 "2026-13-01" is neither a country nor a date'),
        ("days: workdays", 'E024 "workdays" are not weekdays'),
        ("days: mon-, hours: 09:00-18:00", 'E024 "mon-" are not weekdays'),
        ("hours: {mon: [09:00]}", 'E024 "09:00" are not hours'),
        ("hours: {}", "E012 there are no hours"),
        ("hours: 09:00-09:00", "E024 these hours are empty"),
        ("hours: {monday: 09:00-18:00}", 'E024 "monday" are not weekdays'),
        ("hours: {mon: 7}", "E014 wanted hours like 08:00-20:00, found a bare number"),
        ("days: mon-fri, hours: {mon: 09:00-18:00}", "E013 the weekdays stand in both days and hours"),
    ],
)
def test_what_is_no_calendar_is_refused(tmp_path: Path, text: str, finding: str) -> None:
    """Each with a code and a sentence."""
    hours_given = "" if "hours" in text else "hours: 09:00-18:00, "
    rules = f"{GOOD}calendars:\n  work: {{timezone: UTC, {hours_given}{text}}}\n"
    assert finding in "\n".join(told(findings_of(written(tmp_path, rules=rules))))


def test_too_many_windows_and_holidays_are_refused(tmp_path: Path) -> None:
    """A limit on each list."""
    windows = ", ".join(f"0{number % 10}:00-0{number % 10}:30" for number in range(21))
    days = ", ".join(f'"20{number:02d}-01-01"' for number in range(100))
    for text, finding in (
        (f"hours: {{mon: [{windows}]}}", "more than 20 windows"),
        (f"hours: 09:00-18:00, holidays: [{', '.join([days] * 5)}]", "more than 400 holidays"),
    ):
        rules = f"{GOOD}calendars:\n  work: {{timezone: UTC, {text}}}\n"
        assert finding in "\n".join(told(findings_of(written(tmp_path, rules=rules))))


# --------------------------------------------------------------------------------------------------------- layers

TURNS = 'rotate: daily, starts: "2026-01-05"'


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"{TURNS}, active: 20:00-08:00", (hours(EVERY_DAY, 20, 8),)),
        (
            f"{TURNS}, active: {{mon-fri: 20:00-08:00, sat-sun: 00:00-24:00}}",
            (hours(WEEKDAYS, 20, 8), hours(frozenset({5, 6}), 0, 0)),
        ),
        (TURNS, ()),
    ],
    ids=["every day", "by weekday", "always"],
)
def test_hours_of_a_layer(tmp_path: Path, text: str, expected: tuple[Hours, ...]) -> None:
    """Hours open on every day, or on those that are named."""
    assert layer(tmp_path, text).active == expected


def test_layer_of_a_calendar(tmp_path: Path) -> None:
    """Its working hours, or all but these."""
    inside, out = (layer(tmp_path, f"{TURNS}, active: {text}") for text in ("calendar work", "outside  calendar work"))
    assert (inside.calendar.name, inside.off_hours, inside.active) == ("work", False, ())
    assert (out.calendar.name, out.off_hours) == ("work", True)


def test_layer_without_turns(tmp_path: Path) -> None:
    """All together; a shadow is no different but in name."""
    crew = layer(tmp_path, "all: true, shadow: true")
    assert (crew.rotation, crew.people, crew.shadow) == (None, ("ana", "bo"), True)


@pytest.mark.parametrize(
    ("text", "finding"),
    [
        (f"{TURNS}, active: calendar wrok", 'E020 there is no "wrok" in calendars (did you mean `work`?)'),
        (f"{TURNS}, active: outside work", 'E024 "outside work" are not hours'),
        (f"{TURNS}, active: 00:00-24:00", "E024 these hours are empty (leave `active` out for the whole day)"),
        ('starts: "2026-01-05"', "E012 `rotate` is missing (add rotate: weekly, or all: true for no turns)"),
        ("rotate: daily", 'E012 `starts` is missing (add starts: "2026-10-05", or all: true for no turns)'),
        (f"{TURNS}, all: true", "E013 `all: true` has no turns, so rotate and starts mean nothing (drop them)"),
    ],
)
def test_what_is_no_layer_is_refused(tmp_path: Path, text: str, finding: str) -> None:
    """Each with a code, a sentence and what to do."""
    assert finding in "\n".join(told(findings_of(written(tmp_path, rules=layers(text)))))


def test_the_hash_knows_the_calendar(tmp_path: Path) -> None:
    """Other working hours are other rules."""
    text = layers(f"{TURNS}, active: calendar work")
    first = load(written(tmp_path, rules=text), environ={}, now=NOW).ruleset.hash
    other = text.replace("hours: 09:00-18:00", "hours: 09:00-17:00")
    assert load(written(tmp_path, rules=other), environ={}, now=NOW).ruleset.hash != first


def test_rules_with_a_country_can_be_asked(tmp_path: Path) -> None:
    """On a holiday whoever has the rest of the time is on call, from the files to the answer."""
    text = layers(f"{TURNS}, active: outside calendar work", f"{TURNS}, active: calendar work, name: office").replace(
        "hours: 09:00-18:00", "hours: 09:00-18:00, holidays: ES-MD"
    )
    schedule = load(written(tmp_path, rules=text), environ={}, now=NOW).ruleset.schedules["first"]
    assert on_call(schedule, datetime(2026, 12, 25, 11, tzinfo=UTC))[0].because == "layer layer 1"
    assert on_call(schedule, datetime(2026, 12, 24, 11, tzinfo=UTC))[0].because == "layer office"


def test_the_clock_is_asked_only_when_it_matters(tmp_path: Path) -> None:
    """Without calendars the present plays no part; with one, rules load without being told the time."""
    load(written(tmp_path, rules=GOOD), environ={})
    found = load(written(tmp_path, rules=layers(TURNS).replace("18:00}", "18:00, holidays: ES}")), environ={})
    assert len({day.year for day in found.ruleset.calendars["work"].holidays}) == 4


def test_an_unused_calendar_is_a_doubt() -> None:
    """`check` names it like everything that nothing uses."""
    from escalatord.config.lint import USED_SECTIONS  # noqa: PLC0415 - only this test asks

    assert "calendars" in USED_SECTIONS


def test_errors_come_all_at_once(tmp_path: Path) -> None:
    """A calendar that cannot be read hides nothing else."""
    text = layers(f"{TURNS}, active: calendar work", "rotate: daily").replace("hours: 09", "holidays: XX, hours: 09")
    with pytest.raises(ConfigError) as caught:
        load(written(tmp_path, rules=text), environ={}, now=NOW)
    assert {finding.code for finding in caught.value.findings} == {"E051", "E012"}
