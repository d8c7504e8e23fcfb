"""Who is on call: rotations, windows, layers and overrides."""

from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from escalatord.core import schedule as subject
from escalatord.core.calendar import Hours
from escalatord.core.schedule import Layer, OnCall, Rotation, RotationUnit, Shift, gaps, on_call, shifts
from escalatord.core.wallclock import readings
from tests.fakes.duty import HARD_ZONES, duty, layer, names, stand_in, turns, utc

HOUR = timedelta(hours=1)


# ---------------------------------------------------------------------------------------------------- rotations


@pytest.mark.parametrize(
    ("rotation", "at", "person"),
    [
        pytest.param(turns(), "2026-01-05 07:59:59", None, id="nobody before the first hand-off"),
        pytest.param(turns(), "2026-01-05 08:00", "ana", id="the first person from the first hand-off on"),
        pytest.param(turns(), "2026-01-06 07:59:59.999999", "ana", id="to the last microsecond"),
        pytest.param(turns(), "2026-01-06 08:00", "bo", id="a hand-off belongs to the new person"),
        pytest.param(turns(), "2026-07-06 07:00", "cy", id="by the wall clock in summer"),
        pytest.param(turns(every=3), "2026-01-08 07:59", "ana", id="every three days, end of the first turn"),
        pytest.param(turns(every=3), "2026-01-08 08:00", "bo", id="every three days, second turn"),
        pytest.param(turns(RotationUnit.HOURLY, at="09:30"), "2026-01-05 09:29", "ana", id="hourly, first turn"),
        pytest.param(turns(RotationUnit.HOURLY, at="09:30"), "2026-01-05 09:30", "bo", id="hourly, second turn"),
        pytest.param(turns(RotationUnit.HOURLY, every=12), "2026-01-06 08:00", "cy", id="every twelve hours"),
        pytest.param(turns(RotationUnit.WEEKLY), "2026-01-12 07:59", "ana", id="weekly, end of the first turn"),
        pytest.param(turns(RotationUnit.WEEKLY), "2026-01-12 08:00", "bo", id="weekly, second turn"),
        pytest.param(turns(RotationUnit.WEEKLY, every=2), "2026-01-18 09:00", "ana", id="fortnightly, first turn"),
        pytest.param(turns(RotationUnit.WEEKLY, every=2), "2026-01-19 08:00", "bo", id="fortnightly, second turn"),
        pytest.param(turns(RotationUnit.WEEKLY, weekday=3), "2026-01-05 07:59", None, id="weekly, before it starts"),
        pytest.param(turns(RotationUnit.WEEKLY, weekday=3), "2026-01-08 07:59", "ana", id="a shorter first turn"),
        pytest.param(turns(RotationUnit.WEEKLY, weekday=3), "2026-01-08 08:00", "bo", id="hand-off on its weekday"),
        pytest.param(turns(RotationUnit.MONTHLY), "2026-02-05 07:59", "ana", id="monthly, end of the first turn"),
        pytest.param(turns(RotationUnit.MONTHLY), "2026-02-05 08:00", "bo", id="monthly, second turn"),
        pytest.param(turns(RotationUnit.MONTHLY, every=3), "2026-04-05 07:00", "bo", id="quarterly, in summer"),
        pytest.param(
            turns(RotationUnit.MONTHLY, starts="2026-01-31"), "2026-02-28 08:00", "bo", id="the last day of February"
        ),
        pytest.param(
            turns(RotationUnit.MONTHLY, starts="2026-01-31"), "2026-03-30 09:00", "bo", id="and the 31st of March again"
        ),
        pytest.param(turns(RotationUnit.MONTHLY, starts="2026-11-30"), "2027-02-28 08:00", "ana", id="over New Year"),
        pytest.param(turns(RotationUnit.MONTHLY), "2025-06-01 00:00", None, id="monthly, months before it starts"),
    ],
)
def test_rotation_turns(rotation: Rotation, at: str, person: str | None) -> None:
    """Turns are counted from the start, in wall-clock units of the layer's zone (winter: UTC+1)."""
    assert ([person] if person else []) == names(duty(layer("ana bo cy", rotation)), at)


def test_layer_without_people_covers_nobody() -> None:
    """A layer nobody is in yet is a gap, not an error."""
    assert names(duty(layer("")), "2026-06-01 12:00") == []


def test_asking_costs_the_same_in_any_year(monkeypatch: pytest.MonkeyPatch) -> None:
    """The turn is computed: a year from the start needs as many conversions of wall time as two centuries."""
    asked: list[datetime] = []
    monkeypatch.setattr(subject, "readings", lambda local, zone: asked.append(local) or readings(local, zone))
    counts = []
    for year in ("2027", "2226"):
        asked.clear()
        on_call(duty(layer("ana bo", turns(RotationUnit.HOURLY), active="20:00-08:00")), utc(f"{year}-06-01 22:00"))
        counts.append(len(asked))
    assert counts[0] == counts[1] < 20


# ------------------------------------------------------------------------------------------ windows and layers


@pytest.mark.parametrize(
    ("active", "at", "covered"),
    [
        pytest.param("08:00-20:00", "2026-06-01 05:59", False, id="before a day window"),
        pytest.param("08:00-20:00", "2026-06-01 06:00", True, id="from its start"),
        pytest.param("08:00-20:00", "2026-06-01 17:59:59", True, id="to its end"),
        pytest.param("08:00-20:00", "2026-06-01 18:00", False, id="its end is outside"),
        pytest.param("20:00-08:00", "2026-06-01 21:59", True, id="a night window before midnight"),
        pytest.param("20:00-08:00", "2026-06-02 05:59", True, id="a night window after midnight"),
        pytest.param("20:00-08:00", "2026-06-02 06:00", False, id="a night window ends in the morning"),
        pytest.param("00:00-00:00", "2026-06-01 22:00", True, id="from midnight to midnight is always"),
        pytest.param("20:00-08:00", "2026-01-05 02:00", False, id="a night that began before the rotation"),
    ],
)
def test_windows(active: str, at: str, covered: bool) -> None:
    """A window is wall-clock time in the layer's zone (summer: UTC+2)."""
    assert (["ana"] if covered else []) == names(duty(layer("ana", active=active)), at)


def test_window_is_read_in_the_zone_of_its_layer() -> None:
    """Two layers in two zones follow the sun."""
    europe = layer("ana", active="08:00-20:00", name="europe")
    pacific = layer("mia", active="11:00-23:00", zone="America/Los_Angeles", name="pacific")
    schedule = duty(europe, pacific)
    assert (OnCall(person="ana", because="layer europe"),) == on_call(schedule, utc("2026-06-01 17:59"))
    assert (OnCall(person="mia", because="layer pacific"),) == on_call(schedule, utc("2026-06-01 18:00"))
    assert gaps(schedule, utc("2026-06-01 06:00"), utc("2026-06-08 06:00")) == ()


def test_later_layers_win() -> None:
    """The last layer that covers an instant says who is on call."""
    schedule = duty(layer("ana"), layer("bo", active="12:00-13:00"), layer("cy", active="12:30-14:00"))
    assert [names(schedule, f"2026-06-01 {clock}") for clock in ("09:59", "10:15", "10:45", "12:00")] == [
        ["ana"],
        ["bo"],
        ["cy"],
        ["ana"],
    ]


def test_hand_off_inside_a_window() -> None:
    """A window does not hold a turn together: the person changes at the hand-off."""
    schedule = duty(layer("ana bo", turns(at="00:00"), active="22:00-06:00"))
    found = [(shift.person, shift.start, shift.end) for shift in shifts(schedule, utc("2026-01-06"), utc("2026-01-07"))]
    assert [
        ("bo", utc("2026-01-06 00:00"), utc("2026-01-06 05:00")),
        ("bo", utc("2026-01-06 21:00"), utc("2026-01-06 23:00")),
        ("ana", utc("2026-01-06 23:00"), utc("2026-01-07 00:00")),
    ] == found


# ------------------------------------------------------------------------------------- overrides and when_empty


def test_overrides_win_and_the_latest_beats_the_others() -> None:
    """Overrides in the file beat layers, later ones earlier ones, and those made at run time all."""
    filed = (stand_in("bo", "2026-06-01", "2026-06-05", "swap"), stand_in("cy", "2026-06-02", "2026-06-03"))
    schedule = duty(layer("ana"), overrides=filed)
    run_time = stand_in("dee", "2026-06-02 12:00", "2026-06-04", "ill")
    other = stand_in("eve", "2026-06-01", "2026-06-09", schedule="another")
    assert names(schedule, "2026-05-31 23:59", run_time, other) == ["ana"]
    assert (OnCall(person="bo", because="override: swap"),) == on_call(schedule, utc("2026-06-01"), (run_time, other))
    assert (OnCall(person="cy", because="override"),) == on_call(schedule, utc("2026-06-02"), (run_time, other))
    assert names(schedule, "2026-06-02 12:00", run_time, other) == ["dee"]
    assert names(schedule, "2026-06-04", run_time, other) == ["bo"]
    assert names(schedule, "2026-06-05", run_time, other) == ["ana"]


def test_override_that_ends_before_it_starts_covers_nothing() -> None:
    """A twisted override hides nobody."""
    twisted = stand_in("bo", "2026-06-02", "2026-06-01")
    assert names(duty(layer("ana"), overrides=(twisted,)), "2026-06-01 12:00") == ["ana"]
    assert len(shifts(duty(layer("ana")), utc("2026-05-01"), utc("2026-07-01"), (twisted,))) == 1


def test_when_empty_stands_in_for_gaps() -> None:
    """Where nothing covers, everyone in when_empty is on call, once, and there is no gap."""
    schedule = duty(layer("ana", active="08:00-20:00"), when_empty=("lead", "cto", "lead"))
    assert (OnCall(person="lead", because="when_empty"), OnCall(person="cto", because="when_empty")) == on_call(
        schedule, utc("2026-06-01 03:00")
    )
    assert names(schedule, "2026-06-01 12:00") == ["ana"]
    assert gaps(schedule, utc("2026-06-01"), utc("2026-06-08")) == ()


# ---------------------------------------------------------------------------------------------- shifts and gaps


def test_shifts_are_coalesced_and_cut_at_both_ends() -> None:
    """A person's turns in a row are one shift; an override splits it."""
    schedule = duty(layer("ana"))
    swap = stand_in("bo", "2026-06-02", "2026-06-03", "swap")
    start, end = utc("2026-06-01 12:00"), utc("2026-06-10")
    assert (Shift(person="ana", start=start, end=end, because="layer eu"),) == shifts(schedule, start, end)
    assert (
        Shift(person="ana", start=start, end=utc("2026-06-02"), because="layer eu"),
        Shift(person="bo", start=utc("2026-06-02"), end=utc("2026-06-03"), because="override: swap"),
        Shift(person="ana", start=utc("2026-06-03"), end=end, because="layer eu"),
    ) == shifts(schedule, start, end, (swap,))


def test_gaps_are_coalesced_and_cut_at_both_ends() -> None:
    """Uncovered stretches are whole, also where a loose edge or an override's end lies inside."""
    schedule = duty(layer("ana", active="08:00-20:00"))
    assert (
        (utc("2026-06-01 00:00"), utc("2026-06-01 06:00")),
        (utc("2026-06-01 18:00"), utc("2026-06-02 06:00")),
        (utc("2026-06-02 18:00"), utc("2026-06-03 00:00")),
    ) == gaps(schedule, utc("2026-06-01"), utc("2026-06-03"))


def test_gap_before_the_rotation_starts_is_one() -> None:
    """Two layers that start on different days leave one gap before the first."""
    schedule = duty(layer("ana", turns(starts="2026-06-03")), layer("bo", turns(starts="2026-06-02")))
    assert ((utc("2026-06-01"), utc("2026-06-02 07:00")),) == gaps(schedule, utc("2026-06-01"), utc("2026-06-09"))


def test_gap_is_not_split_where_nobody_comes_or_goes() -> None:
    """A window that closed at the first 02:15, before its rotation started at the first 02:30, leaves the gap whole."""
    rotation = turns(at="02:30", starts="2026-10-25")
    schedule = duty(layer("ana", rotation, "20:00-02:15"))
    start, end = utc("2026-10-24 12:00"), utc("2026-10-25 12:00")
    assert gaps(schedule, start, end) == (
        (start, utc("2026-10-25 00:30")),
        (utc("2026-10-25 01:15"), end),
    )


def test_window_in_an_hour_that_never_happens_covers_nothing() -> None:
    """A window from 02:15 to 02:45 does not exist on the day when 02:00 becomes 03:00."""
    schedule = duty(layer("ana", active="02:15-02:45"))
    start, end = utc("2026-03-28 12:00"), utc("2026-03-29 12:00")
    assert gaps(schedule, start, end) == ((start, end),)


@pytest.mark.parametrize("length", [timedelta(0), -HOUR])
def test_no_time_has_no_shifts_and_no_gaps(length: timedelta) -> None:
    """An empty or backward stretch of time holds nothing."""
    start = utc("2026-06-01")
    assert shifts(duty(layer("ana")), start, start + length) == ()
    assert gaps(duty(), start, start + length) == ()


@settings(deadline=None, max_examples=150)
@given(
    rotation=st.builds(
        Rotation,
        unit=st.sampled_from(RotationUnit),
        every=st.integers(1, 5),
        at=st.times(),
        weekday=st.integers(0, 6),
        starts=st.dates(date(2025, 1, 1), date(2026, 12, 31)),
    ),
    zone=st.sampled_from(HARD_ZONES),
    window=st.none() | st.tuples(st.times(), st.times()),
    day=st.dates(date(2026, 1, 1), date(2027, 12, 31)),
    hours=st.integers(1, 24 * 9),
)
def test_shifts_gaps_and_on_call_agree(rotation, zone, window, day, hours) -> None:
    """In every stretch, from its first to its last microsecond, shifts and gaps say what on_call says."""
    top = Layer(
        name="top",
        timezone=zone,
        rotation=rotation,
        people=("ana", "bo", "cy"),
        active=(Hours(start=window[0], end=window[1]),) if window else (),
    )
    base = layer("dee eve", turns(RotationUnit.WEEKLY, at="02:30", starts="2026-03-01"), zone="Europe/Madrid")
    start = datetime.combine(day, time(), UTC)
    end = start + hours * HOUR
    for schedule in (duty(top), duty(base, top)):
        worked, empty = shifts(schedule, start, end), gaps(schedule, start, end)
        edges = sorted(
            {start, end, *(at for one in worked for at in (one.start, one.end)), *(at for gap in empty for at in gap)}
        )
        assert (start, end) == (edges[0], edges[-1])
        for since, until in pairwise(edges):
            for instant in (since, since + (until - since) / 2, until - datetime.resolution):
                expected = {one.person for one in on_call(schedule, instant)}
                assert expected == {one.person for one in worked if one.start <= instant < one.end}
                assert (not expected) == any(lo <= instant < hi for lo, hi in empty)
