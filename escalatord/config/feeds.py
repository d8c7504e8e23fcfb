"""Schedules that another calendar plans: where each calendar lies, and what it says as far as it can be read here.

Files beside the rules are read while loading. Addresses are fetched by the daemon alone (see `escalatord.feeds`);
for `check` and for a first start a copy may lie beside the rules, called like the schedule: `payments.ics`.
"""

from collections.abc import Iterator
from datetime import datetime
from hashlib import sha256
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import urlsplit

from escalatord.config.addresses import Wiring
from escalatord.config.ical import ICS_BYTES_MAX, UNKNOWN_SHOWN_MAX, Booked, UnusableCalendarError
from escalatord.config.ical import book as book_one
from escalatord.config.secrets import FILE_PREFIX, Values, unresolved
from escalatord.config.sections import Entry, Sections
from escalatord.core.ruleset import Ruleset
from escalatord.core.schedule import Feed, Schedule
from escalatord.core.values import replace
from escalatord.errors import Finding

SUFFIX = ".ics"
HTTPS = "https"
PACKAGES = ("icalendar", "recurring_ical_events")
FIX_EXTRA = "install them: pip install 'escalatord[ical]'"
FIX_ICAL = "write a file beside the rules (oncall.ics), an https address, or file:NAME that holds the address"
TITLE_SHOWN_MAX = 40


def locate(sections: Sections, wiring: Wiring, values: Values, root: Path) -> None:
    """Put the feed of every schedule that has one into `wiring`, with findings about those that cannot be one."""
    for entry in sections.valid("schedules"):
        given = entry.part.ical
        if given is None:
            continue
        if not all(map(find_spec, PACKAGES)):
            say = "reading calendars needs packages that are not installed"
            wiring.findings.append(entry.find("E052", say, "ical", fix=FIX_EXTRA))
            continue
        try:
            address = _address(given, values, root)
        except ValueError as error:
            wiring.findings.append(entry.find("E053", str(error), "ical", fix=FIX_ICAL))
            continue
        wiring.feeds[entry.name] = Feed(given=given, address=address)
        if is_remote(address) and not entry.part.when_empty:
            say = "a calendar that is fetched may not be there yet, and then nobody would be on call"
            wiring.findings.append(entry.find("E012", say, fix="add when_empty: [person X]", key=True))


def is_remote(address: str) -> bool:
    """Return whether the daemon has to fetch that address; what is not known without secrets counts as such."""
    return address.startswith(f"{HTTPS}:") or unresolved(address)


def book(ruleset: Ruleset, sections: Sections, root: Path, now: datetime) -> tuple[Ruleset, list[Finding]]:
    """Return the rules with the shifts of every calendar that lies here, and what is doubtful about these."""
    schedules: dict[str, Schedule] = {}
    findings: list[Finding] = []
    for name, schedule in ruleset.schedules.items():
        if schedule.feed is None:
            continue
        entry = sections.entries["schedules"][name]
        remote = is_remote(schedule.feed.address)
        path = root / f"{name}{SUFFIX}" if remote else Path(schedule.feed.address)
        if remote and not path.is_file():
            say = f'the calendar of "{name}" is fetched by the daemon only, so it is not looked into here'
            findings.append(entry.find("W054", say, "ical", fix=f"put a copy beside the rules, called {path.name}"))
            continue
        try:
            raw = read(path)
            booked = book_one(raw, schedule.timezone, ruleset.people, now)
        except ValueError as error:
            findings.append(entry.find("E053", str(error), "ical", fix="give a calendar file (iCalendar, RFC 5545)"))
            continue
        findings += _strangers(entry, booked)
        schedules[name] = with_shifts(schedule, booked, digest_of(raw))
    if schedules:
        ruleset = replace(ruleset, schedules={**ruleset.schedules, **schedules})
    return ruleset, findings


def read(path: Path) -> bytes:
    """Return what a calendar file holds. Raise UnusableCalendarError when it cannot be read."""
    try:
        with path.open("rb") as file:
            return file.read(ICS_BYTES_MAX + 1)
    except OSError as error:
        reason = (error.strerror or "unknown reason").lower()
        raise UnusableCalendarError(f'the file "{path.name}" cannot be read: {reason}') from None


def with_shifts(schedule: Schedule, booked: Booked, digest: str) -> Schedule:
    """Return the schedule with what its calendar plans."""
    assert schedule.feed is not None  # noqa: S101 - only schedules that have one are booked
    return replace(schedule, booked=booked.shifts, feed=replace(schedule.feed, digest=digest))


def digest_of(raw: bytes) -> str:
    """Return what tells one state of a calendar from another."""
    return sha256(raw).hexdigest()


def _address(given: str, values: Values, root: Path) -> str:
    """Return where a calendar lies: an https address or a path. Raise ValueError with a sentence."""
    address = values.plain(given)
    if unresolved(address):
        return address
    scheme = urlsplit(address).scheme.lower() if ":" in address else ""
    if scheme == HTTPS:
        if not urlsplit(address).hostname:
            raise ValueError("this address names no host")
        return address
    if scheme in ("http", "webcal"):
        raise ValueError("calendars are fetched by https only")
    if given.startswith(FILE_PREFIX):
        raise ValueError("the file holds no https address")
    if scheme or not address.endswith(SUFFIX):
        raise ValueError("this is neither a calendar file nor an https address")
    return str((root / address).absolute())


def _strangers(entry: Entry, booked: Booked) -> Iterator[Finding]:
    if booked.unknown:
        shown = ", ".join(f'"{title[:TITLE_SHOWN_MAX]}"' for title in booked.unknown[:UNKNOWN_SHOWN_MAX])
        more = f" and {len(booked.unknown) - UNKNOWN_SHOWN_MAX} more" if len(booked.unknown) > UNKNOWN_SHOWN_MAX else ""
        say = f"events of the calendar name nobody under people: {shown}{more}"
        yield entry.find("W055", say, "ical", fix="use their names, ids or mail addresses in the calendar")
