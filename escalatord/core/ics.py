"""Shifts as an iCalendar text (RFC 5545): what phones and calendar programs subscribe to.

Every instant is written in UTC, so no VTIMEZONE is needed and no clock change can move a shift. Lines end in CRLF and
are folded at 75 octets (3.1); commas, semicolons, backslashes and line breaks in texts are escaped (3.3.11).
"""

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from hashlib import sha256

from escalatord.core.schedule import Shift

LINE_OCTETS_MAX = 75
PRODUCT = "-//escalatord//on call//EN"
REFRESH = "PT1H"
UID_DIGITS = 32
ESCAPED = str.maketrans({"\\": "\\\\", ";": "\\;", ",": "\\,", "\n": "\\n"})


def calendar_text(
    schedule: str,
    shifts: Iterable[Shift],
    shadows: Iterable[Shift],
    names: Mapping[str, str],
    now: datetime,
) -> str:
    """Return the calendar of a schedule: one event a shift, called like the person; who shadows is marked.

    `names` gives display names by person id; `now` is the instant at which it is written.
    """
    head = [
        "BEGIN:VCALENDAR",
        "VERSION:2.0",
        f"PRODID:{PRODUCT}",
        "CALSCALE:GREGORIAN",
        "METHOD:PUBLISH",
        f"NAME:{_text(schedule)}",
        f"X-WR-CALNAME:{_text(schedule)}",
        f"REFRESH-INTERVAL;VALUE=DURATION:{REFRESH}",
        f"X-PUBLISHED-TTL:{REFRESH}",
    ]
    events = [line for shift in shifts for line in _event(schedule, shift, names, now, "")]
    events += [line for shift in shadows for line in _event(schedule, shift, names, now, " (shadow)")]
    return "".join(f"{folded}\r\n" for line in [*head, *events, "END:VCALENDAR"] for folded in _folded(line))


def _event(schedule: str, shift: Shift, names: Mapping[str, str], now: datetime, mark: str) -> Iterator[str]:
    name = names.get(shift.person, shift.person)
    identity = f"{schedule}\n{shift.person}\n{shift.start.isoformat()}{mark}"
    yield "BEGIN:VEVENT"
    yield f"UID:{sha256(identity.encode()).hexdigest()[:UID_DIGITS]}@escalatord"
    yield f"DTSTAMP:{_instant(now)}"
    yield f"DTSTART:{_instant(shift.start)}"
    yield f"DTEND:{_instant(shift.end)}"
    yield f"SUMMARY:{_text(name + mark)}"
    yield f"DESCRIPTION:{_text(f'{schedule}: {shift.because}')}"
    # on call does not mean busy
    yield "TRANSP:TRANSPARENT"
    yield "END:VEVENT"


def _instant(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y%m%dT%H%M%SZ}"


def _text(text: str) -> str:
    """Return a text value: escaped, and without control characters."""
    return "".join(sign for sign in text if sign.isprintable() or sign == "\n").translate(ESCAPED)


def _folded(line: str) -> Iterator[str]:
    """Yield a content line in pieces of at most 75 octets, never cutting a character; all but the first start blank."""
    piece, octets = "", 0
    for sign in line:
        width = len(sign.encode())
        if octets + width > LINE_OCTETS_MAX:
            yield piece
            piece, octets = " ", 1
        piece += sign
        octets += width
    yield piece
