"""Working hours: weekly windows, holidays, what lies outside, and when work begins again."""

from datetime import date, datetime, time, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from escalatord.core.calendar import Calendar, Hours, is_working, next_start, outside, windows
from escalatord.core.wallclock import readings, to_local
from tests.fakes.duty import HARD_ZONES, hours, utc

MADRID = "Europe/Madrid"
CHRISTMAS = {date(2026, 12, 25): "Navidad"}
WORK = Calendar(name="work", timezone=MADRID, hours=(hours("09:00-18:00", "01234"),), holidays=CHRISTMAS)
NIGHTS = Calendar(name="nights", timezone=MADRID, hours=(hours("22:00-06:00", "4"),), holidays=CHRISTMAS)
DAY = timedelta(days=1)


@pytest.mark.parametrize(
    ("at", "working"),
    [
        pytest.param("2026-12-24 07:59:59.999999", False, id="before the first minute"),
        pytest.param("2026-12-24 08:00", True, id="from the first minute on"),
        pytest.param("2026-12-24 16:59:59.999999", True, id="to the last microsecond"),
        pytest.param("2026-12-24 17:00", False, id="not from the last minute on"),
        pytest.param("2026-12-25 10:00", False, id="not on a holiday"),
        pytest.param("2026-12-26 10:00", False, id="not on Saturday"),
        pytest.param("2026-07-01 07:00", True, id="by the wall clock in summer"),
    ],
)
def test_working_hours_are_those_of_the_wall_clock(at: str, working: bool) -> None:
    """Weekdays, hours and holidays are read in the calendar's zone."""
    assert is_working(WORK, utc(at)) is working


def test_hours_belong_to_the_day_on_which_they_open() -> None:
    """A Friday night goes on over midnight; on a holiday it does not open, the morning of the day after it is off."""
    assert is_working(NIGHTS, utc("2026-12-19 04:59"))
    assert not is_working(NIGHTS, utc("2026-12-19 05:00"))
    assert not is_working(NIGHTS, utc("2026-12-25 22:00"))
    assert not is_working(NIGHTS, utc("2026-12-26 04:00"))


@pytest.mark.parametrize(
    ("after", "start"),
    [
        pytest.param("2026-12-23 20:00", "2026-12-24 08:00", id="the next morning"),
        pytest.param("2026-12-24 08:00", "2026-12-28 08:00", id="an opening is not after itself; over a holiday"),
        pytest.param("2026-12-24 07:59:59", "2026-12-24 08:00", id="a second before"),
    ],
)
def test_work_begins_again(after: str, start: str) -> None:
    """The next opening is later than the instant, whatever lies between."""
    assert next_start(WORK, utc(after)) == utc(start)


def test_work_that_begins_once_a_year_is_found() -> None:
    """Only New Year's Day is open: looked for far enough."""
    closed = {date(2026, 1, 1) + number * DAY: "closed" for number in range(365)}
    yearly = Calendar(name="yearly", timezone="UTC", hours=(hours("00:00-00:00"),), holidays=closed)
    assert next_start(yearly, utc("2026-01-02")) == utc("2027-01-01")


def test_work_that_never_begins_has_no_start() -> None:
    """A calendar that is always open never opens, nor does one that is always closed."""
    always = Calendar(name="always", timezone=MADRID, hours=(hours("00:00-00:00"),))
    never = Calendar(name="never", timezone=MADRID, hours=())
    at = utc("2026-10-01 12:00")
    assert (next_start(always, at), next_start(never, at)) == (None, None)
    assert (is_working(always, at), is_working(never, at)) == (True, False)
    assert [(window.start < at, at < window.end) for window in outside(never, at, at + DAY)] == [(True, True)]


def test_hours_that_touch_are_one_window() -> None:
    """A whole week of whole days has no seam at midnight, where the clock may change."""
    whole = (hours("00:00-12:00"), hours("12:00-00:00"))
    found = windows(whole, "America/Havana", utc("2026-10-30"), utc("2026-11-05"))
    assert len(found) == 1
    assert found[0].start <= utc("2026-10-30")
    assert found[0].end >= utc("2026-11-05")


def test_hours_that_overlap_are_one_window() -> None:
    """From the first opening to the last close, loose only at its outer edges."""
    found = windows(
        (hours("01:30-02:15"), hours("02:00-02:45")), MADRID, utc("2026-10-24 23:00"), utc("2026-10-25 12:00")
    )
    assert [tuple(window) for window in found] == [
        (utc("2026-10-24 23:30"), utc("2026-10-24 23:30"), utc("2026-10-25 00:45"), utc("2026-10-25 01:45"))
    ]


@settings(deadline=None, max_examples=150)
@given(
    zone=st.sampled_from(HARD_ZONES),
    weekly=st.lists(
        st.builds(Hours, days=st.frozensets(st.integers(0, 6), min_size=1), start=st.times(), end=st.times()),
        min_size=1,
        max_size=4,
    ),
    off=st.sets(st.dates(date(2026, 1, 1), date(2026, 12, 31)), max_size=40),
    at=st.builds(datetime.combine, st.dates(date(2026, 1, 10), date(2026, 12, 20)), st.times()),
)
def test_every_instant_is_inside_or_outside(zone, weekly, off, at) -> None:
    """What is outside is exactly what is not inside, but for wall times that happen twice: they are both."""
    calendar = Calendar(name="any", timezone=zone, hours=tuple(weekly), holidays=dict.fromkeys(off, "off"))
    instant = at.replace(tzinfo=utc("2026-01-01").tzinfo)
    out = any(window.start <= instant < window.end for window in outside(calendar, instant, instant + DAY))
    inside = is_working(calendar, instant)
    wall = to_local(instant, zone).replace(tzinfo=None)
    assert inside or out
    if inside and out:
        # near an edge that the clock repeats
        edges = [
            datetime.combine(wall.date() + days * DAY, time_)
            for days in (-1, 0, 1)
            for one in weekly
            for time_ in (one.start, one.end)
        ]
        assert any(len(set(readings(edge, zone))) == 2 for edge in edges)
    else:
        assert inside is _open(calendar, wall)


def _open(calendar: Calendar, wall: datetime) -> bool:
    """Return what a naive reading of the hours says of a wall time."""
    for one in calendar.hours:
        for day in (wall.date(), wall.date() - DAY):
            closes = day if one.start < one.end else day + DAY
            opens_on_day = day.weekday() in one.days and day not in calendar.holidays
            if opens_on_day and datetime.combine(day, one.start) <= wall < datetime.combine(closes, one.end):
                return True
    return False


def test_what_lies_outside_overlaps_where_the_clock_is_set_back() -> None:
    """Until the second 02:30 it is still inside, from the first one on already outside."""
    late = Calendar(name="late", timezone=MADRID, hours=(hours("09:00-02:30"),))
    found = outside(late, utc("2026-10-24 23:00"), utc("2026-10-25 12:00"))
    assert [tuple(window) for window in found] == [
        (utc("2026-10-25 00:30"), utc("2026-10-25 01:30"), utc("2026-10-25 08:00"), utc("2026-10-25 08:00"))
    ]


def test_an_opening_that_never_happens_is_at_the_jump() -> None:
    """Work from 02:30 begins when the clock jumps over it."""
    early = Calendar(name="early", timezone=MADRID, hours=(Hours(start=time(2, 30), end=time(10)),))
    assert next_start(early, utc("2026-03-28 12:00")) == utc("2026-03-29 01:00")


def test_hours_that_the_clock_skips_do_not_open() -> None:
    """From 02:15 to 02:45 there is no time on the day when 02:00 becomes 03:00."""
    skipped = Calendar(name="skipped", timezone=MADRID, hours=(hours("02:15-02:45"),))
    assert next_start(skipped, utc("2026-03-28 12:00")) == utc("2026-03-30 00:15")
    assert len(outside(skipped, utc("2026-03-28 12:00"), utc("2026-03-29 12:00"))) == 1
