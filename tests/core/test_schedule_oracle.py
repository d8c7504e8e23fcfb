"""The boundaries of shifts, compared with `whenever`: a second library that shares no code with the standard one."""

from datetime import UTC, date, datetime, time, timedelta

import pytest
import whenever
from hypothesis import example, given, settings
from hypothesis import strategies as st

from escalatord.core.schedule import Layer, Rotation, RotationUnit, Schedule, on_call, shifts
from escalatord.core.wallclock import readings
from tests.fakes.duty import HARD_ZONES, duty, layer, turns

DAY = timedelta(days=1)
SECOND = timedelta(seconds=1)
FIRST, LAST = (datetime.combine(date(year, 1, 1), time()) for year in (2020, 2036))
BY_NAME = ("Australia/Lord_Howe", "Pacific/Apia", "Africa/Casablanca")


def instant_of(found: whenever.ZonedDateTime) -> datetime:
    """Return an instant of the library as ours."""
    return found.to_instant().to_stdlib().astimezone(UTC)


def oracle(wall: datetime, zone: str) -> tuple[datetime, datetime]:
    """Return both readings of a wall time as the library sees it; one it skips is the instant of the jump."""
    plain = whenever.PlainDateTime(wall)
    try:
        exact = instant_of(plain.assume_tz(zone, disambiguation="raise"))
    except whenever.RepeatedTime:
        return tuple(instant_of(plain.assume_tz(zone, disambiguation=which)) for which in ("earlier", "later"))
    except whenever.SkippedTime:
        jump = _jump(plain, zone)
        return jump, jump
    return exact, exact


def _jump(plain: whenever.PlainDateTime, zone: str) -> datetime:
    """Return the first instant at which the library's clock in `zone` has passed a wall time that it skips."""
    low, high = (plain.assume_utc().to_stdlib() + side * 2 * DAY for side in (-1, 1))
    while high - low > SECOND:
        middle = low + (high - low) // (2 * SECOND) * SECOND
        if whenever.Instant(middle).to_tz(zone).to_plain() >= plain:
            high = middle
        else:
            low = middle
    return high


walls = st.datetimes(FIRST, LAST - 40 * DAY).map(lambda at: at.replace(microsecond=0))


@pytest.mark.parametrize("zone", HARD_ZONES)
def test_every_hour_of_every_clock_change_is_read_alike(zone: str) -> None:
    """Around each change from 2020 to 2035, every ten minutes of the wall clock, both libraries agree."""
    at = FIRST
    while at < LAST:
        if oracle(at, zone)[0] - oracle(at - DAY, zone)[0] != DAY:
            for minutes in range(-60, 25 * 60, 10):
                wall = at - DAY + timedelta(minutes=minutes)
                assert readings(wall, zone) == oracle(wall, zone), (zone, wall)
        at += DAY


@pytest.mark.parametrize("zone", BY_NAME)
def test_the_zones_that_break_others_change_their_clocks(zone: str) -> None:
    """Lord Howe by half an hour, Casablanca around Ramadan, Apia until 2021: the sweep has something to look at."""
    at, changes = FIRST, []
    while at < LAST:
        if oracle(at, zone)[0] - oracle(at - DAY, zone)[0] != DAY:
            changes.append(at)
        at += DAY
    at_least = {"Australia/Lord_Howe": 32, "Pacific/Apia": 3, "Africa/Casablanca": 30}
    assert len(changes) >= at_least[zone]


@settings(deadline=None, max_examples=300)
@given(
    zone=st.sampled_from([*BY_NAME, *HARD_ZONES]),
    at=st.times().map(lambda moment: moment.replace(microsecond=0)),
    weekday=st.integers(0, 6),
    start=walls,
    weekly=st.booleans(),
)
@example(
    zone="Australia/Lord_Howe", at=time(1, 45), weekday=6, start=datetime.combine(date(2026, 4, 1), time()), weekly=True
)
@example(zone="Pacific/Apia", at=time(3, 30), weekday=6, start=datetime.combine(date(2021, 4, 1), time()), weekly=True)
@example(
    zone="Africa/Casablanca", at=time(2, 30), weekday=6, start=datetime.combine(date(2030, 1, 1), time()), weekly=False
)
def test_hand_offs_are_where_the_other_library_puts_them(zone, at, weekday, start, weekly) -> None:
    """Each person starts at the earlier and ends at the later reading of the wall-clock hand-off."""
    unit = RotationUnit.WEEKLY if weekly else RotationUnit.DAILY
    rotation = Rotation(unit=unit, at=at, weekday=weekday, starts=date(2019, 1, 7))
    people = tuple("abcdefghij")
    schedule = Schedule(
        name="duty", timezone="UTC", layers=(Layer(name="eu", timezone=zone, rotation=rotation, people=people),)
    )
    since = start.replace(tzinfo=UTC)
    found = shifts(schedule, since, since + 30 * DAY)
    day, step = date(2019, 1, 7), 7 if weekly else 1
    if weekly:
        day += ((weekday - day.weekday()) % 7 - 7) * DAY if weekday != day.weekday() else 0 * DAY
    turn = (since.date() - day).days // step - 2
    expected = []
    for number in range(turn, turn + 30 // step + 6):
        hand_off, next_ = (datetime.combine(day + (number + more) * step * DAY, at) for more in (0, 1))
        begins, ends = max(since, oracle(hand_off, zone)[0]), min(since + 30 * DAY, oracle(next_, zone)[1])
        if begins < ends:
            expected.append((people[number % len(people)], begins, ends))
    assert sorted(expected, key=lambda one: one[1:]) == [(one.person, one.start, one.end) for one in found]


@settings(deadline=None, max_examples=300)
@given(
    zone=st.sampled_from([*BY_NAME, *HARD_ZONES]),
    opens=st.times().map(lambda moment: moment.replace(second=0, microsecond=0)),
    closes=st.times().map(lambda moment: moment.replace(second=0, microsecond=0)),
    start=walls,
)
def test_hours_open_and_close_where_the_other_library_puts_them(zone, opens, closes, start) -> None:
    """Just inside each edge the layer covers, just outside it does not."""
    if opens == closes:
        return
    window = f"{opens:%H:%M}-{closes:%H:%M}"
    schedule = duty(layer("ana", turns(starts="2019-01-07"), window, zone))
    day = start.date()
    closing = day if opens < closes else day + DAY
    first, last = oracle(datetime.combine(day, opens), zone)[0], oracle(datetime.combine(closing, closes), zone)[1]
    others = [oracle(datetime.combine(day + days * DAY, opens), zone)[0] for days in (1, 2)] + [
        oracle(datetime.combine(closing - DAY, closes), zone)[1]
    ]
    if first >= last:
        return
    assert on_call(schedule, first)
    assert on_call(schedule, last - SECOND)
    if others[2] < first:
        assert not on_call(schedule, first - SECOND)
    if others[0] > last:
        assert not on_call(schedule, last)
