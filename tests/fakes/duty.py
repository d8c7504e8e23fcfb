"""Builders of schedules for tests, in few words."""

from datetime import UTC, date, datetime, time

from escalatord.core.calendar import Hours
from escalatord.core.schedule import Layer, Override, Rotation, RotationUnit, Schedule, on_call

HARD_ZONES = [
    "Africa/Cairo",
    "Africa/Casablanca",
    "Africa/El_Aaiun",
    "Africa/Juba",
    "America/Asuncion",
    "America/Ciudad_Juarez",
    "America/Dawson",
    "America/Havana",
    "America/Los_Angeles",
    "America/Mexico_City",
    "America/New_York",
    "America/Nuuk",
    "America/Santiago",
    "America/Sao_Paulo",
    "America/Scoresbysund",
    "America/St_Johns",
    "Antarctica/Casey",
    "Antarctica/Macquarie",
    "Antarctica/Troll",
    "Antarctica/Vostok",
    "Asia/Almaty",
    "Asia/Amman",
    "Asia/Beirut",
    "Asia/Damascus",
    "Asia/Gaza",
    "Asia/Hebron",
    "Asia/Jerusalem",
    "Asia/Kathmandu",
    "Asia/Tehran",
    "Atlantic/Azores",
    "Australia/Adelaide",
    "Australia/Lord_Howe",
    "Australia/Sydney",
    "Europe/Chisinau",
    "Europe/Dublin",
    "Europe/London",
    "Europe/Madrid",
    "Europe/Volgograd",
    "Pacific/Apia",
    "Pacific/Auckland",
    "Pacific/Chatham",
    "Pacific/Easter",
    "Pacific/Fiji",
    "Pacific/Norfolk",
]


def utc(text: str) -> datetime:
    """Return an instant given in UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def turns(
    unit: RotationUnit = RotationUnit.DAILY,
    at: str = "09:00",
    starts: str = "2026-01-05",
    every: int = 1,
    weekday: int = 0,
) -> Rotation:
    """Return a rotation, daily at 09:00 from a Monday in January unless told otherwise."""
    return Rotation(
        unit=unit, every=every, at=time.fromisoformat(at), weekday=weekday, starts=date.fromisoformat(starts)
    )


def layer(
    people: str, rotation: Rotation | None = None, active: str = "", zone: str = "Europe/Madrid", name: str = "eu"
) -> Layer:
    """Return a layer of people named in one string, with hours such as 08:00-20:00 every day."""
    daily = (hours(active),) if active else ()
    return Layer(name=name, timezone=zone, rotation=rotation or turns(), people=tuple(people.split()), active=daily)


def hours(window: str, days: str = "0123456") -> Hours:
    """Return wall-clock hours such as 08:00-20:00 on days given as digits, 0 = Monday."""
    start, end = (time.fromisoformat(part) for part in window.split("-"))
    return Hours(days=frozenset(map(int, days)), start=start, end=end)


def duty(*layers: Layer, overrides: tuple[Override, ...] = (), when_empty: tuple[str, ...] = ()) -> Schedule:
    """Return the schedule that is asked."""
    return Schedule(name="duty", timezone="UTC", layers=layers, overrides=overrides, when_empty=when_empty)


def stand_in(person: str, start: str, end: str, why: str = "", schedule: str = "duty") -> Override:
    """Return an override between two instants given in UTC."""
    return Override(schedule=schedule, person=person, start=utc(start), end=utc(end), why=why)


def names(schedule: Schedule, at: str, *overrides: Override) -> list[str]:
    """Return who is on call at an instant given in UTC."""
    return [one.person for one in on_call(schedule, utc(at), overrides)]
