"""The calendar that others subscribe to, read back by a library that we did not write."""

from datetime import UTC, datetime, timedelta

import icalendar
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from escalatord.core.ics import LINE_OCTETS_MAX, calendar_text
from escalatord.core.schedule import Shift, shifts
from tests.fakes.duty import duty, layer, turns, utc

NOW = utc("2026-10-24 01:11:14")
NAMES = {"ana": "Ana Ruiz; Madrid, ES", "bo": "Bo\\Lindgren\nDROP"}


def shift(person: str, start: str = "2026-10-24", end: str = "2026-10-26", because: str = "layer eu") -> Shift:
    """Return a shift between two instants given in UTC."""
    return Shift(person=person, start=utc(start), end=utc(end), because=because)


def test_the_calendar_is_what_the_standard_wants() -> None:
    """Every line, as RFC 5545 writes it; instants in UTC, texts escaped."""
    text = calendar_text("pay, first", [shift("ana")], [], NAMES, NOW)
    assert text == (
        "BEGIN:VCALENDAR\r\n"
        "VERSION:2.0\r\n"
        "PRODID:-//escalatord//on call//EN\r\n"
        "CALSCALE:GREGORIAN\r\n"
        "METHOD:PUBLISH\r\n"
        "NAME:pay\\, first\r\n"
        "X-WR-CALNAME:pay\\, first\r\n"
        "REFRESH-INTERVAL;VALUE=DURATION:PT1H\r\n"
        "X-PUBLISHED-TTL:PT1H\r\n"
        "BEGIN:VEVENT\r\n"
        "UID:02632667572b74846fe89b23ca0f5e1c@escalatord\r\n"
        "DTSTAMP:20261024T011114Z\r\n"
        "DTSTART:20261024T000000Z\r\n"
        "DTEND:20261026T000000Z\r\n"
        "SUMMARY:Ana Ruiz\\; Madrid\\, ES\r\n"
        "DESCRIPTION:pay\\, first: layer eu\r\n"
        "TRANSP:TRANSPARENT\r\n"
        "END:VEVENT\r\n"
        "END:VCALENDAR\r\n"
    )


def test_shadows_are_marked_and_every_event_has_its_own_id() -> None:
    """The same person, time and schedule, once on call and once learning, are two events."""
    text = calendar_text("pay", [shift("bo"), shift("bo", "2026-10-26", "2026-10-27")], [shift("bo")], NAMES, NOW)
    events = icalendar.Calendar.from_ical(text).walk("VEVENT")
    assert [str(event["SUMMARY"]) for event in events] == ["Bo\\Lindgren\nDROP"] * 2 + ["Bo\\Lindgren\nDROP (shadow)"]
    assert len({str(event["UID"]) for event in events}) == 3


@settings(deadline=None, max_examples=200)
@given(name=st.text(max_size=120), because=st.text(max_size=120))
@example(name="é" * 100, because="x" * 200)
def test_any_text_survives_folding(name: str, because: str) -> None:
    """No text breaks a line or ends a property; printable text comes back as it went in."""
    text = calendar_text("pay", [shift("ana", because=because)], [], {"ana": name}, NOW)
    lines = text.split("\r\n")
    assert all(len(line.encode()) <= LINE_OCTETS_MAX for line in lines)
    assert text.count("BEGIN:VEVENT") == text.count("\r\nBEGIN:VEVENT\r\n") + name.count("BEGIN:VEVENT")
    events = icalendar.Calendar.from_ical(text).walk("VEVENT")
    shown = "".join(sign for sign in name if sign.isprintable() or sign == "\n")
    assert [str(event["SUMMARY"]) for event in events] == [shown]


@pytest.mark.parametrize("zone", ["Europe/Madrid", "Australia/Lord_Howe", "Africa/Casablanca"])
def test_shifts_come_back_as_they_were(zone: str) -> None:
    """A year of shifts over every clock change, read back by the library: the same people at the same instants."""
    schedule = duty(layer("ana bo", turns(at="02:30"), zone=zone))
    start = datetime(2026, 1, 10, tzinfo=UTC)
    written = shifts(schedule, start, start + timedelta(days=365))
    events = icalendar.Calendar.from_ical(calendar_text("duty", written, (), {}, NOW)).walk("VEVENT")
    assert [(str(event["SUMMARY"]), event["DTSTART"].dt, event["DTEND"].dt) for event in events] == [
        (one.person, one.start, one.end) for one in written
    ]
