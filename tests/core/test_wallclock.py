"""Wall time: readings of wall times, what humans write, and what they read."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from escalatord.core.wallclock import Style, format_local, instant, parse_when, readings, to_local, zone_exists


def utc(text: str) -> datetime:
    """Return an instant given in UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def wall(text: str) -> datetime:
    """Return a wall time."""
    return datetime.fromisoformat(text)


@pytest.mark.parametrize(
    ("zone", "local", "earlier", "later"),
    [
        pytest.param(
            "Europe/Madrid", "2026-07-01 12:00", "2026-07-01 10:00", "2026-07-01 10:00", id="an ordinary hour"
        ),
        pytest.param("Europe/Madrid", "2026-10-25 02:30", "2026-10-25 00:30", "2026-10-25 01:30", id="an hour twice"),
        pytest.param("Europe/Madrid", "2026-10-25 02:00", "2026-10-25 00:00", "2026-10-25 01:00", id="start of a fold"),
        pytest.param("Europe/Madrid", "2026-10-25 03:00", "2026-10-25 02:00", "2026-10-25 02:00", id="end of a fold"),
        pytest.param("Europe/Madrid", "2026-03-29 02:30", "2026-03-29 01:00", "2026-03-29 01:00", id="an hour never"),
        pytest.param(
            "Europe/Madrid", "2026-03-29 02:00:00.5", "2026-03-29 01:00", "2026-03-29 01:00", id="half a second"
        ),
        pytest.param("Europe/Madrid", "2026-03-29 03:00", "2026-03-29 01:00", "2026-03-29 01:00", id="end of a gap"),
        pytest.param(
            "Australia/Lord_Howe", "2026-04-05 01:45", "2026-04-04 14:45", "2026-04-04 15:15", id="half an hour twice"
        ),
        pytest.param(
            "Australia/Lord_Howe", "2026-10-04 02:15", "2026-10-03 15:30", "2026-10-03 15:30", id="half an hour never"
        ),
        pytest.param("Pacific/Apia", "2011-12-30 12:00", "2011-12-30 10:00", "2011-12-30 10:00", id="a day never"),
        pytest.param(
            "Africa/Casablanca", "2026-02-15 02:30", "2026-02-15 01:30", "2026-02-15 02:30", id="negative DST begins"
        ),
        pytest.param(
            "Africa/Casablanca", "2026-03-22 02:30", "2026-03-22 02:00", "2026-03-22 02:00", id="negative DST ends"
        ),
    ],
)
def test_readings_of_a_wall_time(zone: str, local: str, earlier: str, later: str) -> None:
    """A wall time has one reading, two in a fold, and the instant of the jump in a gap."""
    assert (utc(earlier), utc(later)) == readings(wall(local), zone)
    assert utc(earlier) == instant(wall(local), zone, later=False)
    assert utc(later) == instant(wall(local), zone, later=True)


def test_instants_must_be_aware_and_wall_times_naive() -> None:
    """A naive instant and an aware wall time are refused rather than guessed."""
    with pytest.raises(ValueError, match="not an instant"):
        to_local(wall("2026-07-01 12:00"), "UTC")
    with pytest.raises(ValueError, match="not a wall time"):
        instant(utc("2026-07-01 12:00"), "UTC", later=False)


def test_to_local_takes_any_offset() -> None:
    """An instant given in another offset is the same instant."""
    at = datetime(2026, 7, 1, 12, tzinfo=timezone(timedelta(hours=5)))
    assert to_local(at, "Europe/Madrid").isoformat() == "2026-07-01T09:00:00+02:00"


@pytest.mark.parametrize("name", ["UTC", "Europe/Madrid", "America/Argentina/Buenos_Aires", "Etc/GMT+5"])
def test_zone_exists(name: str) -> None:
    """IANA names are zones."""
    assert zone_exists(name)


@pytest.mark.parametrize(
    "name",
    [
        "",
        "CEST",
        "Europe",
        "Europe/Atlantis",
        "../etc/passwd",
        "/etc/localtime",
        "localtime",
        "right/UTC",
        "a" * 65,
        "U\0C",
    ],
)
def test_zone_does_not_exist(name: str) -> None:
    """Abbreviations, folders, paths, the machine's own zone and leap-second copies are not zones."""
    assert not zone_exists(name)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-10-24 03:11 Europe/Madrid", "2026-10-24 01:11"),
        ("2026-10-24 03:11", "2026-10-24 07:11"),
        (" 2026-10-24 03:11:30 ", "2026-10-24 07:11:30"),
        ("2026-10-24 03:11 UTC", "2026-10-24 03:11"),
        ("2026-10-24 03:11 Zulu", "2026-10-24 03:11"),
        ("2026-10-24T03:11:00+02:00", "2026-10-24 01:11"),
        ("2026-10-24T03:11:00.25Z", "2026-10-24 03:11:00.250000"),
        ("2026-10-24t03:11z", "2026-10-24 03:11"),
    ],
)
def test_parse_when(text: str, expected: str) -> None:
    """A time is read in the zone it names, else in the default one (here New York)."""
    assert utc(expected) == parse_when(text, "America/New_York")


def test_parse_when_of_an_ambiguous_time_chooses_a_reading() -> None:
    """The first reading of an hour that happens twice is meant unless the later one is asked for."""
    text = "2026-10-25 02:30 Europe/Madrid"
    assert utc("2026-10-25 00:30") == parse_when(text, "UTC")
    assert utc("2026-10-25 01:30") == parse_when(text, "UTC", later=True)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("tomorrow", "is not a time; write it like"),
        ("2026-10-24", "is not a time; write it like"),
        ("2026-10-24 03:11 Europe/Madrid please", "is not a time; write it like"),
        ("2026-10-24 03:11+02:00 Europe/Madrid", "is not a time; write it like"),
        ("2026-02-30 03:11", "day is out of range for month"),
        ("2026-10-24 24:00", "hour must be in 0..23"),
        ("2026-10-24 03:11 CEST", "is not a time zone"),
        ("0001-01-01 00:00", "years go from 1970 to 9000"),
        ("9999-12-31T23:59:59-12:00", "years go from 1970 to 9000"),
    ],
)
def test_parse_when_refuses_with_a_sentence(text: str, sentence: str) -> None:
    """What is no time is refused in words that help."""
    with pytest.raises(ValueError, match=sentence.replace(".", r"\.")):
        parse_when(text, "Europe/Madrid")


@pytest.mark.parametrize(
    ("style", "expected"),
    [
        (Style.CLOCK, "01:50"),
        (Style.SECONDS, "01:50:09"),
        (Style.CLOCK_ZONE, "01:50 CEST"),
        (Style.SECONDS_ZONE, "01:50:09 CEST"),
        (Style.DAY, "Sun 01:50 CEST"),
        (Style.DATE, "Sun 25 Oct 01:50"),
        (Style.FULL, "2026-10-25 01:50:09 CEST"),
    ],
)
def test_format_local(style: Style, expected: str) -> None:
    """Each style writes the reader's wall time."""
    assert expected == format_local(utc("2026-10-24 23:50:09"), "Europe/Madrid", style)
