"""Layers beyond plain turns: hours by weekday, working calendars, everybody together, shadows, and planned shifts."""

from dataclasses import replace
from datetime import date, timedelta

from escalatord.core.calendar import Calendar
from escalatord.core.schedule import (
    Layer,
    OnCall,
    Schedule,
    Shift,
    gaps,
    on_call,
    shadow_shifts,
    shadowing,
    shifts,
)
from tests.fakes.duty import duty, hours, layer, names, stand_in, turns, utc

MADRID = "Europe/Madrid"
WORK = Calendar(
    name="work", timezone=MADRID, hours=(hours("09:00-18:00", "01234"),), holidays={date(2026, 12, 25): "Navidad"}
)
BASE = layer("ana", name="base")


def together(people: str, **changes) -> Layer:
    """Return a layer whose people are on call all together."""
    return Layer(name="all", timezone=MADRID, rotation=None, people=tuple(people.split()), **changes)


def test_hours_by_weekday() -> None:
    """Nights of working days and whole weekends; Friday's night ends on Saturday in the whole day that follows."""
    nights = replace(layer("bo", name="nights"), active=(hours("20:00-08:00", "01234"), hours("00:00-00:00", "56")))
    assert [names(duty(BASE, nights), f"2026-06-{at}") for at in ("04 12:00", "04 18:00", "05 05:59", "05 06:00")] == [
        ["ana"],
        ["bo"],
        ["bo"],
        ["ana"],
    ]
    weekend = [
        (shift.person, shift.start, shift.end)
        for shift in shifts(duty(BASE, nights), utc("2026-06-05 12:00"), utc("2026-06-09 12:00"))
    ]
    assert weekend == [
        ("ana", utc("2026-06-05 12:00"), utc("2026-06-05 18:00")),
        # Sunday ends at midnight, Monday's night begins in the evening
        ("bo", utc("2026-06-05 18:00"), utc("2026-06-07 22:00")),
        ("ana", utc("2026-06-07 22:00"), utc("2026-06-08 18:00")),
        ("bo", utc("2026-06-08 18:00"), utc("2026-06-09 06:00")),
        ("ana", utc("2026-06-09 06:00"), utc("2026-06-09 12:00")),
    ]


def test_working_hours_of_a_calendar_and_the_rest() -> None:
    """One layer has the calendar's hours, the other all but these; together they leave no gap, holidays included."""
    office = replace(layer("bo", name="office", zone="America/New_York"), calendar=WORK)
    rest = replace(layer("cy", name="rest"), calendar=WORK, off_hours=True)
    schedule = duty(office, rest)
    assert [
        names(schedule, f"2026-12-{at}") for at in ("24 08:00", "24 16:59", "24 17:00", "25 10:00", "28 07:59")
    ] == [
        ["bo"],
        ["bo"],
        ["cy"],
        ["cy"],
        ["cy"],
    ]
    assert gaps(schedule, utc("2026-01-10"), utc("2027-01-10")) == ()
    assert gaps(duty(rest), utc("2026-12-24"), utc("2026-12-29")) == (
        (utc("2026-12-24 08:00"), utc("2026-12-24 17:00")),
        (utc("2026-12-28 08:00"), utc("2026-12-28 17:00")),
    )


def test_everybody_of_a_layer_together() -> None:
    """Without turns all of a layer are on call at once, in the order of the rules; an override replaces them all."""
    schedule = duty(BASE, together("bo cy dee", active=(hours("08:00-20:00"),)))
    because = "layer all"
    assert on_call(schedule, utc("2026-06-01 12:00")) == tuple(
        OnCall(person=person, because=because) for person in ("bo", "cy", "dee")
    )
    assert names(schedule, "2026-06-01 20:00") == ["ana"]
    assert names(schedule, "2026-06-01 12:00", stand_in("eve", "2026-06-01", "2026-06-02")) == ["eve"]
    always = duty(together("bo cy"))
    start, end = utc("2026-06-01"), utc("2026-06-08")
    assert shifts(always, start, end) == tuple(
        Shift(person=person, start=start, end=end, because=because) for person in ("bo", "cy")
    )
    assert names(always, "1990-01-01") == ["bo", "cy"]


def test_shadows_are_shown_and_never_paged() -> None:
    """A shadow layer covers nothing and hides nobody; who shadows is asked for by name."""
    learner = replace(layer("bo cy", turns(at="00:00"), name="learn"), shadow=True, active=(hours("08:00-20:00"),))
    schedule = duty(BASE, learner)
    assert names(schedule, "2026-06-01 12:00") == ["ana"]
    assert gaps(duty(learner), utc("2026-06-01"), utc("2026-06-02")) == ((utc("2026-06-01"), utc("2026-06-02")),)
    assert shadowing(schedule, utc("2026-06-01 12:00")) == (OnCall(person="cy", because="layer learn"),)
    assert shadowing(schedule, utc("2026-06-01 20:00")) == ()
    assert [(one.person, one.start) for one in shadow_shifts(schedule, utc("2026-06-01"), utc("2026-06-03"))] == [
        ("cy", utc("2026-06-01 06:00")),
        ("bo", utc("2026-06-02 06:00")),
    ]


def booked(person: str, start: str, end: str) -> Shift:
    """Return a shift that another calendar plans."""
    return Shift(person=person, start=utc(start), end=utc(end), because="calendar")


def test_planned_shifts_lie_below_everything() -> None:
    """A plan from elsewhere covers; who is planned for the same time has duty together; overrides and layers win."""
    plan = (
        booked("ana", "2026-06-01", "2026-06-03"),
        booked("bo", "2026-06-02", "2026-06-02 12:00"),
        booked("cy", "2026-06-03", "2026-06-04"),
    )
    schedule = replace(duty(when_empty=("lead",)), booked=plan)
    assert [names(schedule, f"2026-06-{at}") for at in ("01", "02", "02 12:00", "03", "04")] == [
        ["ana"],
        ["bo", "ana"],
        ["ana"],
        ["cy"],
        ["lead"],
    ]
    assert names(schedule, "2026-06-01", stand_in("eve", "2026-06-01", "2026-06-02")) == ["eve"]
    assert names(replace(schedule, layers=(BASE,)), "2026-06-03") == ["ana"]
    assert gaps(replace(schedule, when_empty=()), utc("2026-05-31"), utc("2026-06-05")) == (
        (utc("2026-05-31"), utc("2026-06-01")),
        (utc("2026-06-04"), utc("2026-06-05")),
    )


def test_a_long_plan_is_looked_through_quickly() -> None:
    """Years of hourly plans and one that lasts all along: the right ones are found."""
    start = utc("2026-01-01")
    hourly = [
        Shift(
            person="bo",
            start=start + hour * timedelta(hours=1),
            end=start + (hour + 1) * timedelta(hours=1),
            because="calendar",
        )
        for hour in range(9000)
    ]
    plan = (booked("ana", "2026-01-01", "2027-06-01"), *hourly)
    schedule = Schedule(name="duty", timezone="UTC", layers=(), booked=plan)
    assert names(schedule, "2026-06-01 12:30") == ["bo", "ana"]
