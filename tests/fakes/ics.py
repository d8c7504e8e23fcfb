"""iCalendar texts for tests, in few words."""

from itertools import count


def ics(*events: str, head: str = "") -> bytes:
    """Return a calendar of events, each given as its lines; ids and ends are added."""
    numbers = count()
    body = "".join(f"BEGIN:VEVENT\nUID:{next(numbers)}\n{event.strip()}\nEND:VEVENT\n" for event in events)
    text = f"BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:-//test//EN\n{head}{body}END:VCALENDAR\n"
    return text.replace("\n", "\r\n").encode()


def event(person: str, start: str, end: str, more: str = "") -> str:
    """Return the lines of an event in UTC, called like a person; times as in 20261001T090000Z."""
    return f"DTSTART:{start}\nDTEND:{end}\nSUMMARY:{person}\n{more}"
