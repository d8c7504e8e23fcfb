"""Who is on call when clocks change: every change of the hard zones from 2020 to 2035."""

from collections.abc import Iterator
from datetime import UTC, datetime, time, timedelta

import pytest

from escalatord.core.schedule import OnCall, RotationUnit, gaps, on_call, shifts
from escalatord.core.wallclock import readings, to_local
from tests.fakes.duty import HARD_ZONES, duty, layer, names, turns, utc

MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


def test_hand_off_in_an_hour_that_happens_twice_overlaps() -> None:
    """From the first to the second 02:30 the old and the new person are on call, the new one first."""
    schedule = duty(layer("ana bo", turns(at="02:30", starts="2026-10-24")))
    assert [names(schedule, f"2026-10-25 {clock}") for clock in ("00:29:59", "00:30", "01:29:59", "01:30")] == [
        ["ana"],
        ["bo", "ana"],
        ["bo", "ana"],
        ["bo"],
    ]


def test_hand_off_in_an_hour_that_never_happens_is_at_the_jump() -> None:
    """A hand-off at a skipped 02:30 happens when 02:00 becomes 03:00, at once and once."""
    schedule = duty(layer("ana bo", turns(at="02:30", starts="2026-03-28")))
    assert [names(schedule, f"2026-03-29 {clock}") for clock in ("00:59:59.999999", "01:00", "02:30")] == [
        ["ana"],
        ["bo"],
        ["bo"],
    ]


def test_loose_edge_of_a_window_does_not_hide_what_is_below() -> None:
    """A night layer on top that ends at an ambiguous 02:00 shares the hour with the layer below."""
    schedule = duty(layer("ana", name="base"), layer("bo", active="20:00-02:00", name="night"))
    assert [names(schedule, f"2026-10-{clock}") for clock in ("24 23:59:59", "25 00:00", "25 01:00")] == [
        ["bo"],
        ["bo", "ana"],
        ["ana"],
    ]


def test_nobody_is_named_twice_in_an_overlap() -> None:
    """The same person above and below a loose edge is on call once, for the upper reason."""
    schedule = duty(layer("ana", name="base"), layer("ana", active="20:00-02:00", name="night"))
    assert (OnCall(person="ana", because="layer night"),) == on_call(schedule, utc("2026-10-25 00:30"))


@pytest.mark.parametrize(
    ("active", "at", "people"),
    [
        pytest.param("00:00-12:00", "2010-11-07 02:29:59", ["base"], id="before the first midnight"),
        pytest.param("00:00-12:00", "2010-11-07 02:30", ["top", "base"], id="from the first midnight"),
        pytest.param("00:00-12:00", "2010-11-07 03:00", ["top", "base"], id="back on the day before"),
        pytest.param("00:00-12:00", "2010-11-07 03:30", ["top"], id="from the second midnight"),
        pytest.param("23:40-23:30", "2010-11-07 02:30:30", ["top", "base"], id="yesterday's window has an hour to go"),
    ],
)
def test_clock_set_back_over_midnight(active: str, at: str, people: list[str]) -> None:
    """In Newfoundland 00:01 became 23:01 of the day before until 2011; windows of both days are seen."""
    rotation = turns(starts="2010-01-04")
    zone = "America/St_Johns"
    assert names(duty(layer("base", rotation, zone=zone), layer("top", rotation, active, zone)), at) == people


def test_day_that_never_happened() -> None:
    """Samoa skipped 30 December 2011: that day's person takes over at the jump, and nobody is left out."""
    schedule = duty(layer("ana bo cy", turns(starts="2011-12-28"), zone="Pacific/Apia"))
    start = utc("2011-12-29 12:00")
    assert [
        ("ana", start, utc("2011-12-29 19:00")),
        ("bo", utc("2011-12-29 19:00"), utc("2011-12-30 10:00")),
        ("cy", utc("2011-12-30 10:00"), utc("2011-12-30 19:00")),
        ("ana", utc("2011-12-30 19:00"), utc("2011-12-31 12:00")),
    ] == [(one.person, one.start, one.end) for one in shifts(schedule, start, start + 2 * DAY)]


def clock_changes(zone: str, since: int = 2020, until: int = 2036) -> Iterator[datetime]:
    """Yield every instant at which the offset of a zone changes, to the minute."""
    at, end = datetime(since, 1, 1, tzinfo=UTC), datetime(until, 1, 1, tzinfo=UTC)
    while at < end:
        if to_local(at, zone).utcoffset() != to_local(at + DAY, zone).utcoffset():
            low, high = at, at + DAY
            while high - low > MINUTE:
                middle = low + (high - low) // (2 * MINUTE) * MINUTE
                same = to_local(low, zone).utcoffset() == to_local(middle, zone).utcoffset()
                low, high = (middle, high) if same else (low, middle)
            yield high
        at += DAY


OLD = turns(starts="2019-01-07")


def by_window(opens: str, closes: str):
    """Return who a pair of complementary windows means at a wall time: ana inside, bo outside."""
    first, last = time.fromisoformat(opens), time.fromisoformat(closes)
    return lambda wall: "ana" if first <= wall.time() < last else "bo"


def by_turn(length: timedelta, origin: str):
    """Return whom a rotation of ana, bo and cy means at a wall time."""
    start = datetime.fromisoformat(origin)
    return lambda wall: ("ana", "bo", "cy")[(wall - start) // length % 3]


def hard_schedules(zone: str):
    """Yield schedules beside what the wall clock says about them."""
    for opens, closes in (("08:00", "20:00"), ("02:00", "03:00")):
        inside = layer("ana", OLD, f"{opens}-{closes}", zone, name="inside")
        outside = layer("bo", OLD, f"{closes}-{opens}", zone, name="outside")
        yield duty(inside, outside), by_window(opens, closes)
        yield duty(outside, inside), by_window(opens, closes)
    inside = layer("ana", OLD, "00:15-02:30", zone, name="inside")
    yield duty(layer("bo", OLD, zone=zone, name="always"), inside), by_window("00:15", "02:30")
    weekly = turns(RotationUnit.WEEKLY, "02:30", "2019-01-06", weekday=6)
    yield duty(layer("ana bo cy", weekly, zone=zone)), by_turn(7 * DAY, "2019-01-06 02:30")
    daily = turns(RotationUnit.DAILY, "02:30", "2019-01-07")
    yield duty(layer("ana bo cy", daily, zone=zone)), by_turn(DAY, "2019-01-07 02:30")
    hourly = turns(RotationUnit.HOURLY, "00:00", "2019-01-07")
    yield duty(layer("ana bo cy", hourly, zone=zone)), by_turn(HOUR, "2019-01-07 00:00")


@pytest.mark.parametrize("zone", HARD_ZONES)
def test_every_clock_change_has_the_expected_person(zone: str) -> None:
    """At every minute the person the wall clock names is on call, and no other unless the wall time is ambiguous."""
    reach = timedelta(hours=3)
    for change in (utc("2026-06-15 12:00"), *clock_changes(zone)):
        minutes = [change - reach + number * MINUTE for number in range(2 * reach // MINUTE)]
        walls = [to_local(at, zone).replace(tzinfo=None) for at in minutes]
        clear = [len(set(readings(wall, zone))) == 1 for wall in walls]
        for schedule, expected in hard_schedules(zone):
            worked = shifts(schedule, minutes[0], minutes[-1] + MINUTE)
            assert gaps(schedule, minutes[0], minutes[-1] + MINUTE) == ()
            for at, wall, exact in zip(minutes, walls, clear, strict=True):
                present = {shift.person for shift in worked if shift.start <= at < shift.end}
                assert {expected(wall)} == present if exact else expected(wall) in present, (zone, at, wall, schedule)
            for at in minutes[::37]:
                assert {one.person for one in on_call(schedule, at)} == {
                    shift.person for shift in worked if shift.start <= at < shift.end
                }
