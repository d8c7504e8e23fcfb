"""Reading a foreign calendar in a process of its own, so that no text in it can hold paging up.

The parent writes one JSON object to the child's input and reads one from its output; both ends of that talk are here.
The child knows names and mail addresses of people, no phone number and no secret.
"""

import json
import sys
from base64 import b64decode, b64encode
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from escalatord.config.ical import CALENDAR, Booked, UnusableCalendarError, book
from escalatord.core.roster import Person
from escalatord.core.schedule import Shift

PROGRAM = (
    "import sys; sys.path.insert(0, sys.argv[1]); from escalatord.config.ical_apart import answer; "
    "answer(sys.stdin.buffer.read())"
)
ROOT = Path(__file__).resolve().parents[2]
ANSWER_BYTES_MAX = 8 * 1024 * 1024
EMAIL = "email"


def command() -> tuple[str, ...]:
    """Return the command line of the child: this Python, without what the environment or a user adds to it."""
    return sys.executable, "-I", "-c", PROGRAM, str(ROOT)


def question(raw: bytes, zone: str, people: Mapping[str, Person], now: datetime) -> bytes:
    """Return what the child is to read: a calendar, and who may be meant by it."""
    known = [
        {"id": person.id, "name": person.name, EMAIL: person.addresses.get(EMAIL, "")} for person in people.values()
    ]
    return json.dumps({"raw": b64encode(raw).decode(), "zone": zone, "now": now.isoformat(), "people": known}).encode()


def answer(asked: bytes) -> None:
    """Read the calendar that was asked about and print what it plans, or why it is refused."""
    given = json.loads(asked)
    people = {
        each["id"]: Person(id=each["id"], name=each["name"], addresses={EMAIL: each[EMAIL]} if each[EMAIL] else {})
        for each in given["people"]
    }
    try:
        booked = book(b64decode(given["raw"]), given["zone"], people, datetime.fromisoformat(given["now"]))
    except UnusableCalendarError as error:
        sys.stdout.write(json.dumps({"refused": str(error)}))
    else:
        sys.stdout.write(json.dumps(plain(booked)))


def plain(booked: Booked) -> dict[str, object]:
    """Return what a calendar plans as JSON values, titles left out: only how many name nobody."""
    rows = [[shift.person, shift.start.isoformat(), shift.end.isoformat()] for shift in booked.shifts]
    return {"shifts": rows, "events": booked.events, "unknown": len(booked.unknown)}


def booked_from(told: bytes | str) -> tuple[tuple[Shift, ...], int, int]:
    """Return the shifts that `plain` wrote, how many events there were, and how many titles named nobody.

    Raise UnusableCalendarError with the child's sentence, or when it is no answer of it.
    """
    try:
        content: Any = json.loads(told)
        refused = content.get("refused")
        shifts = tuple(
            Shift(
                person=str(person),
                start=datetime.fromisoformat(start),
                end=datetime.fromisoformat(end),
                because=CALENDAR,
            )
            for person, start, end in content.get("shifts", ())
        )
        counts = int(content.get("events", 0)), int(content.get("unknown", 0))
    except (ValueError, TypeError, AttributeError):
        raise UnusableCalendarError("the calendar could not be read") from None
    if refused is not None:
        raise UnusableCalendarError(str(refused))
    return shifts, *counts
