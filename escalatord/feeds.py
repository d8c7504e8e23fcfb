"""Calendars that plan schedules, kept fresh while the daemon runs.

- Addresses are fetched by https only: no redirect is followed, and size and time are bounded. Files beside the rules
  are read again, so replacing one needs no reload.
- What a calendar says is read in a process of its own. Only what could be read goes in force; it is kept in the store,
  so that a start while the other side is down knows it. What cannot be had or read changes nothing: the plan that is
  known stays, the log and the journal say so once.
- Every day a calendar is expanded anew even when it did not change, because what repeats goes on.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from hashlib import sha256
from pathlib import Path
from ssl import SSLContext
from typing import Any

import aiohttp
from structlog import get_logger

from escalatord.config.feeds import digest_of, is_remote, read
from escalatord.config.ical import ICS_BYTES_MAX, UnusableCalendarError
from escalatord.config.ical_apart import booked_from, command, question
from escalatord.core.ruleset import Ruleset
from escalatord.core.schedule import Feed, Schedule, Shift
from escalatord.core.values import replace
from escalatord.engine.commands import Remark
from escalatord.engine.engine import Engine
from escalatord.engine.overriding import FEED_SETTING
from escalatord.engine.wishes import RememberFeed
from escalatord.errors import StoreUnavailableError
from escalatord.names import Names
from escalatord.store.tx import Tx

FETCH_SECONDS_MAX = 10.0
READING_SECONDS_MAX = 20.0
"""Past it the child that reads a calendar is killed and the calendar refused."""
EVERY_SECONDS = 900.0
AGAIN_SECONDS = 60.0
LOOK_SECONDS = 5.0
EXPAND_ANEW = timedelta(days=1)
CHUNK_BYTES = 64 * 1024

log = get_logger(component="feeds")


class Unfetched(Exception):  # noqa: N818 - what happened, told as a sentence without the address
    """A calendar could not be had."""


Fetch = Callable[[str], Awaitable[bytes]]


async def fetch(address: str, tls: SSLContext | None = None) -> bytes:
    """Return what lies at an https address. Raise Unfetched with a sentence that does not name it."""
    timeout = aiohttp.ClientTimeout(total=FETCH_SECONDS_MAX)
    # `identity`: a small compressed body could become a large one
    headers = {"Accept": "text/calendar, */*;q=0.1", "Accept-Encoding": "identity", "User-Agent": "escalatord"}
    try:
        async with (
            aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(resolver=Names()), timeout=timeout, auto_decompress=False
            ) as session,
            session.get(address, headers=headers, allow_redirects=False, ssl=tls or True) as response,
        ):
            if response.status != 200:  # noqa: PLR2004 - anything else is no calendar
                raise Unfetched(f"the calendar's server answered {response.status}")
            body = bytearray()
            async for chunk in response.content.iter_chunked(CHUNK_BYTES):
                body += chunk
                if len(body) > ICS_BYTES_MAX:
                    raise Unfetched(f"the calendar is larger than {ICS_BYTES_MAX // 1024} KiB")
            return bytes(body)
    except TimeoutError:
        raise Unfetched(f"the calendar's server did not answer in {FETCH_SECONDS_MAX:g} s") from None
    except (aiohttp.ClientError, OSError, ValueError):
        raise Unfetched("the calendar's server cannot be reached") from None


async def read_apart(schedule: Schedule, raw: bytes, ruleset: Ruleset, now: datetime) -> bytes:
    """Return what a child process says that a calendar plans. Raise UnusableCalendarError when it takes too long."""
    child = await asyncio.create_subprocess_exec(
        *command(), stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL
    )
    try:
        async with asyncio.timeout(READING_SECONDS_MAX):
            told, _ = await child.communicate(question(raw, schedule.timezone, ruleset.people, now))
            return told
    except TimeoutError:
        raise UnusableCalendarError(f"the calendar could not be read in {READING_SECONDS_MAX:g} s") from None
    finally:
        if child.returncode is None:
            child.kill()
            await child.wait()


@dataclass(slots=True)
class _Look:
    """When a feed was looked at (monotonic seconds) and expanded last, and what was wrong with it then."""

    feed: Feed
    next_at: float = 0.0
    expanded_at: datetime | None = None
    trouble: str = ""


@dataclass(slots=True)
class Feeds:
    """Keeps every schedule that another calendar plans in step with it."""

    engine: Engine
    fetch: Fetch = fetch
    swapping: asyncio.Lock = field(default_factory=asyncio.Lock)
    _looks: dict[str, _Look] = field(default_factory=dict)

    async def run(self) -> None:
        """Look at every feed when its time has come, for ever."""
        while True:
            await self.look()
            await self.engine.clock.sleep(LOOK_SECONDS)

    async def put_in_force(self, ruleset: Ruleset) -> None:
        """Reload the engine with rules just read, beside what their calendars were known to plan."""
        async with self.swapping:
            await self.engine.reload(await self.engine.read(partial(remembered, ruleset=ruleset)))

    async def look(self) -> None:
        """Look once at every feed whose time has come."""
        schedules = self.engine.ruleset.schedules
        for gone in self._looks.keys() - schedules.keys():
            del self._looks[gone]
        for name, schedule in schedules.items():
            if schedule.feed is None:
                continue
            known = self._looks.get(name)
            if known is None or (known.feed.given, known.feed.address) != (schedule.feed.given, schedule.feed.address):
                known = self._looks[name] = _Look(feed=schedule.feed)
            if known.next_at <= self.engine.clock.monotonic():
                await self._look_at(schedule, known)

    async def _look_at(self, schedule: Schedule, look: _Look) -> None:
        clock = self.engine.clock
        try:
            await self._refresh(schedule, look)
        except (Unfetched, UnusableCalendarError) as error:
            look.next_at = clock.monotonic() + AGAIN_SECONDS
            if look.trouble != str(error):
                look.trouble = str(error)
                log.warning("calendar refused, the plan that is known stays", schedule=schedule.name, why=look.trouble)
                await self._remark("calendar_refused", {"schedule": schedule.name, "why": look.trouble})
        except StoreUnavailableError:
            look.next_at = clock.monotonic() + AGAIN_SECONDS
        else:
            look.next_at = clock.monotonic() + EVERY_SECONDS
            look.trouble = ""

    async def _refresh(self, schedule: Schedule, look: _Look) -> None:
        """Read a feed; put its plan in force when it is another one, or was expanded long ago."""
        assert schedule.feed is not None  # noqa: S101 - the caller looks only at those
        now = self.engine.clock.now()
        address = schedule.feed.address
        raw = await self.fetch(address) if is_remote(address) else await asyncio.to_thread(read, Path(address))
        digest = digest_of(raw)
        fresh = look.expanded_at is not None and now - look.expanded_at < EXPAND_ANEW
        if fresh and digest == schedule.feed.digest:
            return
        shifts, events, unknown = booked_from(await read_apart(schedule, raw, self.engine.ruleset, now))
        changed = digest != schedule.feed.digest
        if changed or is_remote(address):
            body = {"digest": digest[:16], "shifts": len(shifts), "events": events, "unknown": unknown}
            await self.engine.submit(
                RememberFeed(schedule=schedule.name, content=_content(address, digest, shifts), body=body)
            )
        await self._book(schedule, digest, shifts)
        look.expanded_at = now
        if changed:
            log.info("calendar read", schedule=schedule.name, shifts=len(shifts), unknown_titles=unknown)

    async def _book(self, schedule: Schedule, digest: str, shifts: tuple[Shift, ...]) -> None:
        """Put a plan in force, unless the rules have meanwhile given the schedule another calendar."""
        async with self.swapping:
            ruleset = self.engine.ruleset
            present = ruleset.schedules.get(schedule.name)
            if present is None or present.feed is None or schedule.feed is None:
                return
            if present.feed.address == schedule.feed.address:
                await self.engine.reload(_with_plan(ruleset, present, digest, shifts))

    async def _remark(self, kind: str, body: dict[str, object]) -> None:
        try:
            await self.engine.submit(Remark(kind=kind, body=body))
        except StoreUnavailableError as error:
            log.warning("cannot journal", error=str(error))


def remembered(tx: Tx, ruleset: Ruleset) -> Ruleset:
    """Return the rules with what the store knows of calendars that have to be fetched."""
    for schedule in ruleset.schedules.values():
        if schedule.feed is None or not is_remote(schedule.feed.address):
            continue
        told = tx.setting(FEED_SETTING + schedule.name)
        if told is None:
            continue
        try:
            known: Any = json.loads(told)
            if known["address"] == _mark(schedule.feed.address):
                shifts, _, _ = booked_from(told)
                ruleset = _with_plan(ruleset, schedule, str(known["digest"]), shifts)
        except (ValueError, KeyError, TypeError):
            log.warning("what was kept of a calendar cannot be read", schedule=schedule.name)
    return ruleset


def _with_plan(ruleset: Ruleset, schedule: Schedule, digest: str, shifts: tuple[Shift, ...]) -> Ruleset:
    assert schedule.feed is not None  # noqa: S101 - only schedules that have one are planned so
    known = tuple(shift for shift in shifts if shift.person in ruleset.people)
    planned = replace(schedule, booked=known, feed=replace(schedule.feed, digest=digest))
    return replace(ruleset, schedules={**ruleset.schedules, schedule.name: planned})


def _content(address: str, digest: str, shifts: tuple[Shift, ...]) -> str:
    rows = [[shift.person, shift.start.isoformat(), shift.end.isoformat()] for shift in shifts]
    return json.dumps(
        {"address": _mark(address), "digest": digest, "shifts": rows, "events": len(rows), "unknown": 0},
        separators=(",", ":"),
    )


def _mark(address: str) -> str:
    """Return what tells one address from another without being one: an address may be a secret."""
    return sha256(address.encode()).hexdigest()
