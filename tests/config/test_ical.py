"""Another calendar's shifts: what repeats, what is excepted, whole days, whom an event names, and what is refused."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from escalatord.config import ical as subject
from escalatord.config.ical import AHEAD, BACK, UnusableCalendarError, book
from escalatord.config.ical_apart import booked_from, plain
from escalatord.core.ics import calendar_text
from escalatord.core.roster import Person
from escalatord.core.schedule import Shift, shifts
from tests.fakes.duty import duty, layer, turns, utc
from tests.fakes.ics import event, ics

NOW = utc("2026-10-01")
MINUTES = ",".join(map(str, range(60)))
NAMES = {"ana": "Ana Ruiz", "bo": "Bo", "analopez": "Ana Lopez", "cy": "Cy Novak"}
PEOPLE = {
    person: Person(id=person, name=name, addresses={"email": f"{person}@example.com"}) for person, name in NAMES.items()
}
PEOPLE["dee"] = Person(id="dee", name="Dee")


def planned(raw: bytes, zone: str = "Europe/Madrid", until: str = "2026-12-01") -> list[tuple[str, str, str]]:
    """Return (who, from, to) of the shifts of a calendar up to an instant."""
    return [
        (shift.person, f"{shift.start:%m-%d %H:%M}", f"{shift.end:%m-%d %H:%M}")
        for shift in book(raw, zone, PEOPLE, NOW).shifts
        if utc("2026-10-01") <= shift.start < utc(until)
    ]


WEEKLY = """DTSTART;TZID=Europe/Madrid:20260928T090000
DTEND;TZID=Europe/Madrid:20261005T090000
RRULE:FREQ=WEEKLY;INTERVAL=2
SUMMARY:Ana Ruiz"""


def test_what_repeats_keeps_its_wall_clock() -> None:
    """Every other week at nine in Madrid: seven hours before noon UTC in summer, eight in winter."""
    assert planned(ics(WEEKLY)) == [
        ("ana", "10-12 07:00", "10-19 07:00"),
        ("ana", "10-26 08:00", "11-02 08:00"),
        ("ana", "11-09 08:00", "11-16 08:00"),
        ("ana", "11-23 08:00", "11-30 08:00"),
    ]


def test_exceptions_moves_and_cancellations_are_followed() -> None:
    """EXDATE takes one away, RECURRENCE-ID moves one to somebody else, STATUS takes one back, RDATE adds one."""
    series = (
        "UID:a\n" + WEEKLY + "\nEXDATE;TZID=Europe/Madrid:20261012T090000\nRDATE;TZID=Europe/Madrid:20261130T090000"
    )
    moved = """UID:a
RECURRENCE-ID;TZID=Europe/Madrid:20261026T090000
DTSTART;TZID=Europe/Madrid:20261027T100000
DTEND;TZID=Europe/Madrid:20261027T120000
SUMMARY:Bo"""
    gone = "UID:a\nRECURRENCE-ID;TZID=Europe/Madrid:20261109T090000\n" + WEEKLY.replace("20260928", "20261109").replace(
        "20261005", "20261116"
    ).replace("RRULE:FREQ=WEEKLY;INTERVAL=2\n", "STATUS:CANCELLED\n")
    raw = ics(series, moved, gone)
    for number in range(3):
        raw = raw.replace(f"UID:{number}\r\n".encode(), b"")
    assert planned(raw) == [
        ("bo", "10-27 09:00", "10-27 11:00"),
        ("ana", "11-23 08:00", "11-30 08:00"),
        ("ana", "11-30 08:00", "12-07 08:00"),
    ]


def test_whole_days_are_those_of_the_calendars_zone() -> None:
    """From midnight to midnight in X-WR-TIMEZONE, else in the schedule's zone, 25 hours at a clock change."""
    days = "DTSTART;VALUE=DATE:20261025\nSUMMARY:bo"
    assert planned(ics(days)) == [("bo", "10-24 22:00", "10-25 23:00")]
    assert planned(ics(days + "\nDTEND;VALUE=DATE:20261027")) == [("bo", "10-24 22:00", "10-26 23:00")]
    tokyo = "X-WR-TIMEZONE:Asia/Tokyo\n"
    assert planned(ics(days, head=tokyo)) == [("bo", "10-24 15:00", "10-25 15:00")]
    assert planned(ics(days, head="X-WR-TIMEZONE:Nowhere\n")) == [("bo", "10-24 22:00", "10-25 23:00")]


def test_times_without_a_zone_are_local() -> None:
    """A floating time is read in the schedule's zone; a hand-off that happens twice overlaps."""
    floating = "DTSTART:20261025T020000\nDTEND:20261025T023000\nSUMMARY:bo"
    assert planned(ics(floating)) == [("bo", "10-25 00:00", "10-25 01:30")]


def test_names_of_outlook_and_own_zones_are_known() -> None:
    """Windows names of zones, and a zone that only the calendar describes."""
    windows = "DTSTART;TZID=W. Europe Standard Time:20261101T090000\nDURATION:PT1H\nSUMMARY:bo"
    own = "DTSTART;TZID=Ours:20261101T090000\nDURATION:PT1H\nSUMMARY:cy"
    zone = """BEGIN:VTIMEZONE
TZID:Ours
BEGIN:STANDARD
DTSTART:19700101T000000
TZOFFSETFROM:+0530
TZOFFSETTO:+0530
END:STANDARD
END:VTIMEZONE
"""
    assert planned(ics(windows, own, head=zone)) == [
        ("cy", "11-01 03:30", "11-01 04:30"),
        ("bo", "11-01 08:00", "11-01 09:00"),
    ]


@pytest.mark.parametrize(
    ("title", "people"),
    [
        pytest.param("ana", ["ana"], id="an id"),
        pytest.param("  ANA   ruiz ", ["ana"], id="a name, whatever its spaces and letters"),
        pytest.param("On call: Ana Lopez (payments)", ["analopez"], id="the longer name is not the shorter one"),
        pytest.param("Bo & Ana Ruiz", ["bo", "ana"], id="two names"),
        pytest.param("cy@example.com", ["cy"], id="a mail address"),
        pytest.param("primary: cy@example.com, Bo", ["cy", "bo"], id="an address among words"),
        pytest.param("banana bread", [], id="a name inside a word is none"),
        pytest.param("bo@example.org", [], id="an address that is nobody's is no name"),
        pytest.param("", [], id="no title"),
    ],
)
def test_whom_a_title_names(title: str, people: list[str]) -> None:
    """Names are found whole, longest first, in their order."""
    found = book(ics(event(title, "20261001T000000Z", "20261002T000000Z")), "UTC", PEOPLE, NOW)
    assert sorted(people) == [shift.person for shift in found.shifts]
    assert found.unknown == (() if people else (title,))


def test_attendees_come_before_the_title() -> None:
    """By mail address or by name; who declined is not on call, rooms are nobody, and a stranger leaves the title."""
    known = event(
        "Bo", "20261001T000000Z", "20261002T000000Z",
        "ATTENDEE;CN=Somebody:mailto:ANA@example.com\nATTENDEE;CN=Cy Novak:mailto:private@example.org\n"
        "ATTENDEE;PARTSTAT=DECLINED:mailto:analopez@example.com\nATTENDEE;CUTYPE=ROOM:mailto:room@example.com",
    )  # fmt: skip
    strangers = event("dee", "20261003T000000Z", "20261004T000000Z", "ATTENDEE:mailto:room@example.com")
    assert [one[0] for one in planned(ics(known, strangers), "UTC")] == ["ana", "cy", "dee"]


def test_only_the_time_around_the_present_is_planned() -> None:
    """What ended long ago or begins in years is left out; the rest goes on for 400 days."""
    raw = ics(
        event("bo", "20200101T000000Z", "20200102T000000Z"),
        event("bo", "20400101T000000Z", "20400102T000000Z"),
        "DTSTART;VALUE=DATE:20250101\nSUMMARY:ana\nRRULE:FREQ=DAILY",
    )
    found = book(raw, "UTC", PEOPLE, NOW)
    assert {shift.person for shift in found.shifts} == {"ana"}
    assert len(found.shifts) == (AHEAD + BACK).days


def test_events_without_length_and_doubles_count_once() -> None:
    """An event that ends as it starts covers nothing; the same shift told twice is one."""
    once = event("bo", "20261001T000000Z", "20261002T000000Z")
    assert (
        len(book(ics(once, once, event("cy", "20261001T000000Z", "20261001T000000Z")), "UTC", PEOPLE, NOW).shifts) == 1
    )


def test_a_byte_order_mark_is_passed_over() -> None:
    """Some programs write one."""
    assert planned(b"\xef\xbb\xbf" + ics(event("bo", "20261001T000000Z", "20261002T000000Z")), "UTC")


@pytest.mark.parametrize(
    ("raw", "say"),
    [
        (b"", "cannot be read"),
        (b"<html>Sign in</html>", "cannot be read"),
        (b"BEGIN:VCALENDAR\nBEGIN:VEVENT\nEND:VEVENT\nEND:VCALENDAR", "cannot be read"),
        (b"BEGIN:VEVENT\n" * 5000, "cannot be read"),
        (b"x" * (1024 * 1024 + 1), "larger than 1024 KiB"),
        (ics(event("bo", "20261001T000000Z", "20261002T000000Z", "RRULE:FREQ=SECONDLY")), "more often than hourly"),
        (ics(event("bo", "20261001T000000Z", "20261002T000000Z", "RRULE:FREQ=MINUTELY")), "more often than hourly"),
        (ics(event("bo", "20261001T000000Z", "20261002T000000Z", "RRULE:FREQ=NEVER")), "cannot be read"),
        (ics(event("bo", "00010101T000000Z", "00010101T010000Z", "RRULE:FREQ=DAILY")), "too many to expand"),
        (
            ics(event("bo", "20261001T000000Z", "20261001T010000Z", f"RRULE:FREQ=HOURLY;BYMINUTE={MINUTES}")),
            "too many to expand",
        ),
        (ics(event("bo", "20261001T000000Z", "nonsense")), "cannot be read"),
    ],
    ids=["nothing", "page", "no start", "deep", "large", "seconds", "minutes", "never", "for ever", "bomb", "no time"],
)  # fmt: skip
def test_what_is_no_usable_calendar_is_refused(raw: bytes, say: str) -> None:
    """With a sentence that holds nothing from the text."""
    with pytest.raises(UnusableCalendarError, match=say):
        book(raw, "UTC", PEOPLE, NOW)


def test_limits_on_events_and_shifts(monkeypatch) -> None:
    """Past either, the whole calendar is refused."""
    one = event("bo", "20261001T000000Z", "20261002T000000Z")
    with pytest.raises(UnusableCalendarError, match="more than 5000 events"):
        book(ics(*[one] * 5001), "UTC", PEOPLE, NOW)
    monkeypatch.setattr(subject, "SHIFTS_MAX", 3)
    with pytest.raises(UnusableCalendarError, match="more than 3 shifts"):
        book(ics(event("bo", "20261001T000000Z", "20261001T010000Z", "RRULE:FREQ=DAILY;COUNT=4")), "UTC", PEOPLE, NOW)


def test_years_of_usual_series_are_no_bomb() -> None:
    """Two hundred people in weekly turns since 2015 are fine."""
    series = WEEKLY.replace("20260928", "20150105").replace("20261005", "20150112").replace("INTERVAL=2", "BYDAY=MO")
    assert len(book(ics(*[series] * 20), "Europe/Madrid", PEOPLE, NOW).shifts) == 72


@settings(deadline=None, max_examples=150)
@given(
    lines=st.lists(
        st.sampled_from(
            [
                "DTSTART",
                "DTEND",
                "RRULE",
                "EXDATE",
                "RDATE",
                "SUMMARY",
                "ATTENDEE",
                "DURATION",
                "RECURRENCE-ID",
                "STATUS",
            ]
        ).flatmap(
            lambda name: st.one_of(
                st.text(max_size=30),
                st.sampled_from(
                    ["20261001T090000Z", "20261001", "FREQ=DAILY", "FREQ=WEEKLY;UNTIL=20270101", "PT1H", "-P1D"]
                ),
            ).map(lambda value: f"{name}:{value}")
        ),
        max_size=8,
    )
)
def test_any_text_is_planned_or_refused(lines) -> None:
    """Nothing that an event says raises anything else."""
    try:
        found = book(ics("\n".join(lines)), "Europe/Madrid", PEOPLE, NOW)
    except UnusableCalendarError as error:
        assert str(error).startswith(("the calendar", "an event of the calendar"))  # noqa: PT017 - both outcomes are right
    else:
        assert all(shift.start < shift.end for shift in found.shifts)


def test_our_own_calendar_can_be_read_back() -> None:
    """What one escalatord writes another one understands: the same people at the same instants."""
    schedule = duty(layer("ana bo", turns(at="02:30"), zone="Europe/Madrid"))
    since = datetime(2026, 10, 1, tzinfo=UTC)
    written = shifts(schedule, since, since + timedelta(days=90))
    found = book(calendar_text("duty", written, (), NAMES, NOW).encode(), "UTC", PEOPLE, NOW)
    assert [(one.person, one.start, one.end) for one in found.shifts] == [
        (one.person, one.start, one.end) for one in written
    ]


def test_what_was_planned_can_be_told_and_heard() -> None:
    """As JSON, titles left out; what is no such answer is refused."""
    import json  # noqa: PLC0415 - only this test writes it

    found = book(
        ics(event("bo", "20261001T000000Z", "20261002T000000Z"), event("?", "20261001T000000Z", "20261002T000000Z")),
        "UTC",
        PEOPLE,
        NOW,
    )
    told = json.dumps(plain(found))
    assert "?" not in told
    assert booked_from(told) == (found.shifts, 2, 1)
    assert found.shifts == (Shift(person="bo", start=utc("2026-10-01"), end=utc("2026-10-02"), because="calendar"),)
    for nonsense in (b"", b"[]", b'{"shifts": [1]}', b'{"shifts": [["bo", "x", "y"]]}', b'{"events": "many"}'):
        with pytest.raises(UnusableCalendarError, match="could not be read"):
            booked_from(nonsense)
    with pytest.raises(UnusableCalendarError, match="too large"):
        booked_from(b'{"refused": "too large"}')
