"""Calendars kept fresh: fetched safely, read apart, in force at once, remembered, and never worse than before."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import pytest
import pytest_asyncio
from aiohttp import web
from aiohttp.test_utils import TestServer

from escalatord import feeds as subject
from escalatord.config.ical import ICS_BYTES_MAX
from escalatord.core.roster import Person
from escalatord.core.ruleset import Ruleset
from escalatord.core.schedule import Feed, Schedule, on_call
from escalatord.engine.engine import Engine
from escalatord.errors import StoreUnavailableError
from escalatord.feeds import EVERY_SECONDS, LOOK_SECONDS, Feeds, Unfetched, fetch, remembered
from escalatord.store.store import Store
from tests.fakes.duty import utc
from tests.fakes.ics import event, ics
from tests.fakes.tls import OPENSSL, certificate
from tests.fakes.web_engine import HandClock
from tests.fakes.world import RULESET

URL = "https://calendar.example.com/private-7QF3M9/oncall.ics"
NOW = utc("2026-10-24 12:00")
ANA = ics(event("ana", "20261024T000000Z", "20261101T000000Z"))
BO = ics(
    event("bo", "20261024T000000Z", "20261101T000000Z"), event("a stranger", "20261101T000000Z", "20261102T000000Z")
)
NEVER = ics(*[event("ana", "20261001T000000Z", "20261001T010000Z", "RRULE:FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30")] * 60)


# ------------------------------------------------------------------------------------------------------ fetching


@pytest.fixture(scope="module")
def contexts(tmp_path_factory) -> Iterator[tuple[ssl.SSLContext, ssl.SSLContext]]:
    """Return a server's and a client's side of TLS on this machine."""
    if OPENSSL is None:
        pytest.skip("there is no openssl to make a certificate with")
    return certificate(tmp_path_factory.mktemp("tls"))


@pytest_asyncio.fixture
async def serve(contexts) -> AsyncIterator[Callable]:
    """Return a function that serves one handler by TLS and returns what fetches from it."""
    servers = []

    async def start(handler: Callable, path: str = "/oncall.ics") -> bytes:
        app = web.Application()
        app.router.add_get("/{tail:.*}", handler)
        server = TestServer(app, scheme="https", host="localhost")
        servers.append(server)
        await server.start_server(ssl=contexts[0])
        return await fetch(f"https://localhost:{server.port}{path}", contexts[1])

    yield start
    for server in servers:
        await server.close()


def replying(**what: object) -> Callable:
    """Return a handler that always replies so."""

    async def handler(request: web.Request) -> web.Response:
        assert request.headers["Accept-Encoding"] == "identity"
        return web.Response(**what)  # type: ignore[arg-type] # as a test says

    return handler


@pytest.mark.asyncio
async def test_a_calendar_is_fetched(serve):
    """The body, as it lies there."""
    assert await serve(replying(body=ANA)) == ANA


@pytest.mark.parametrize(
    ("reply", "say"),
    [
        ({"status": 302, "headers": {"Location": "https://127.0.0.1/"}}, "answered 302"),
        ({"status": 404}, "answered 404"),
        ({"status": 500, "body": b"secret"}, "answered 500"),
        ({"body": b"x" * (ICS_BYTES_MAX + 1)}, "larger than 1024 KiB"),
    ],
    ids=["a redirect is not followed", "nothing there", "trouble there", "too large"],
)
@pytest.mark.asyncio
async def test_what_cannot_be_had_is_told_without_the_address(serve, reply, say):
    """A sentence for a human, without anything that could be a secret."""
    with pytest.raises(Unfetched) as caught:
        await serve(replying(**reply), "/private-7QF3M9.ics?token=abcdef")
    assert say in str(caught.value)
    assert "7QF3M9" not in str(caught.value)


@pytest.mark.asyncio
async def test_a_certificate_that_nobody_vouches_for_is_refused(contexts):
    """Without our own trust in it, the server is not spoken to."""
    server = TestServer(web.Application(), scheme="https", host="localhost")
    await server.start_server(ssl=contexts[0])
    with pytest.raises(Unfetched, match="cannot be reached"):
        await fetch(f"https://localhost:{server.port}/a.ics")
    await server.close()


@pytest.mark.parametrize("address", ["https://", "https://localhost:1/a.ics", "https://[::", "https://\x00/"])
@pytest.mark.asyncio
async def test_what_is_not_there_cannot_be_reached(address):
    """No address raises anything else."""
    with pytest.raises(Unfetched):
        await fetch(address)


@pytest.mark.asyncio
async def test_a_server_that_says_nothing_is_given_up(serve, monkeypatch):
    """After a fixed time, whatever it drips."""
    monkeypatch.setattr(subject, "FETCH_SECONDS_MAX", 0.2)
    over = asyncio.Event()

    async def drip(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(b"BEGIN")
        await over.wait()
        return response

    with pytest.raises(Unfetched, match="did not answer in"):
        await serve(drip)
    over.set()


# --------------------------------------------------------------------------------------------------- in force


@dataclass
class Duty:
    """An engine whose one schedule a calendar plans; `there` is what lies at the address (None = it is down)."""

    engine: Engine
    clock: HandClock
    store: Store
    there: bytes | None = ANA
    fetched: int = 0
    feeds: Feeds = field(init=False)

    def __post_init__(self) -> None:
        self.feeds = Feeds(self.engine, self.get)

    async def get(self, address: str) -> bytes:
        """Return what lies at the address."""
        assert address == URL
        self.fetched += 1
        if self.there is None:
            raise Unfetched("the calendar's server cannot be reached")
        return self.there

    def people(self) -> list[str]:
        """Return who is on call now as the rules in force say."""
        return [one.person for one in on_call(self.engine.ruleset.schedules["payments"], self.clock.now())]

    async def journal(self) -> list[tuple[str, dict]]:
        """Return the daemon's own entries."""
        rows = await self.engine.read(lambda tx: tx.journal_of(0))
        return [(row.entry.kind, dict(row.entry.body)) for row in rows]


def rules(address: str = URL) -> Ruleset:
    """Return rules with a schedule that another calendar plans, in which Cy stands in."""
    schedule = Schedule(
        name="payments", timezone="UTC", layers=(), when_empty=("cy",), feed=Feed(given=address, address=address)
    )
    return replace(RULESET, schedules={"payments": schedule})


@pytest_asyncio.fixture
async def world(tmp_path: Path) -> AsyncIterator[Duty]:
    """Return an engine that commits, on a clock that is moved by hand."""
    clock = HandClock(NOW)
    store = Store(f"sqlite:///{tmp_path / 'x.db'}", ballast_bytes=4096)
    store.open()
    engine = Engine(store, rules(), clock, link_key=b"k" * 32)
    await engine.start()
    loop = asyncio.create_task(engine.run_commits())
    yield Duty(engine, clock, store)
    await engine.close()
    loop.cancel()
    await asyncio.gather(loop, return_exceptions=True)
    store.close()


@pytest.mark.asyncio
async def test_a_fetched_plan_is_in_force_and_remembered(world: Duty):
    """Before it was fetched somebody stands in; after a start without the other side it is still known."""
    assert world.people() == ["cy"]
    await world.feeds.look()
    assert world.people() == ["ana"]
    kind, body = (await world.journal())[0]
    assert (kind, body["schedule"], body["shifts"], body["unknown"]) == ("calendar_read", "payments", 1, 0)
    assert "7QF3M9" not in str(body)
    known = world.store.read(partial(remembered, ruleset=rules()))
    assert [one.person for one in known.schedules["payments"].booked] == ["ana"]
    elsewhere = world.store.read(partial(remembered, ruleset=rules("https://other.example.com/x.ics")))
    assert elsewhere.schedules["payments"].booked == ()


@pytest.mark.asyncio
async def test_a_change_is_seen_within_a_quarter_of_an_hour(world: Duty):
    """The feed is looked at every 15 minutes, not more often; a changed one is in force at once."""
    await world.feeds.look()
    world.there = BO
    world.clock.move(seconds=EVERY_SECONDS - 1)
    await world.feeds.look()
    assert (world.fetched, world.people()) == (1, ["ana"])
    world.clock.move(seconds=1)
    await world.feeds.look()
    assert (world.fetched, world.people()) == (2, ["bo"])
    assert (await world.journal())[-1][1]["unknown"] == 1
    world.clock.move(seconds=EVERY_SECONDS)
    await world.feeds.look()
    assert len(await world.journal()) == 2, "what did not change is not written again"


@pytest.mark.asyncio
async def test_a_day_later_it_is_expanded_anew(world: Duty):
    """What repeats goes on, even when the text stays the same."""
    world.there = ics(event("ana", "20261024T000000Z", "20261025T000000Z", "RRULE:FREQ=DAILY"))
    await world.feeds.look()
    before = world.engine.ruleset.schedules["payments"].booked[-1].end
    world.clock.move(days=1)
    await world.feeds.look()
    assert world.engine.ruleset.schedules["payments"].booked[-1].end > before


@pytest.mark.parametrize("trouble", [None, b"<html>Sign in</html>"], ids=["it is down", "it is no calendar"])
@pytest.mark.asyncio
async def test_trouble_leaves_the_plan_that_is_known(world: Duty, trouble):
    """The journal says so once; a minute later it is tried again."""
    await world.feeds.look()
    world.there = trouble
    for _ in range(3):
        world.clock.move(seconds=EVERY_SECONDS)
        await world.feeds.look()
    assert world.people() == ["ana"]
    assert [kind for kind, _ in await world.journal()] == ["calendar_read", "calendar_refused"]
    world.there = BO
    world.clock.move(seconds=60)
    await world.feeds.look()
    assert world.people() == ["bo"]


@pytest.mark.asyncio
async def test_a_calendar_that_keeps_its_reader_busy_is_refused(world: Duty, monkeypatch):
    """The child is killed; paging was never held up, because it was a process of its own."""
    monkeypatch.setattr(subject, "READING_SECONDS_MAX", 1.0)
    world.there = NEVER
    await world.feeds.look()
    assert world.people() == ["cy"]
    assert (await world.journal())[0] == (
        "calendar_refused",
        {"schedule": "payments", "why": "the calendar could not be read in 1 s"},
    )


@pytest.mark.asyncio
async def test_a_file_is_read_again(world: Duty, tmp_path: Path):
    """Replacing it needs no reload; nothing of it is kept in the store, because it lies here."""
    path = tmp_path / "duty.ics"
    path.write_bytes(ANA)
    await world.engine.reload(rules(str(path)))
    await world.feeds.look()
    assert (world.people(), world.fetched) == (["ana"], 0)
    path.write_bytes(BO)
    world.clock.move(seconds=EVERY_SECONDS)
    await world.feeds.look()
    assert world.people() == ["bo"]
    path.unlink()
    world.clock.move(seconds=EVERY_SECONDS)
    await world.feeds.look()
    assert (await world.journal())[-1][0] == "calendar_refused"


@pytest.mark.asyncio
async def test_a_reload_keeps_what_was_fetched(world: Duty):
    """New rules with the same address start with the plan that is known, and look at once when it is another."""
    await world.feeds.look()
    await world.feeds.put_in_force(rules())
    assert world.people() == ["ana"]
    gone = replace(rules(), schedules={})
    await world.feeds.put_in_force(gone)
    await world.feeds.look()
    await world.feeds.put_in_force(rules())
    await world.feeds.look()
    assert world.fetched == 2


@pytest.mark.asyncio
async def test_rules_that_change_meanwhile_win(world: Duty):
    """A plan that was fetched for another address is not put in force."""
    schedule = world.engine.ruleset.schedules["payments"]
    await world.engine.reload(rules("https://other.example.com/x.ics"))
    await world.feeds._book(schedule, "digest", ())
    assert world.engine.ruleset.schedules["payments"].feed.digest == ""
    await world.engine.reload(replace(rules(), schedules={}))
    await world.feeds._book(schedule, "digest", ())
    assert world.engine.ruleset.schedules == {}


@pytest.mark.asyncio
async def test_people_who_left_the_rules_are_not_on_call(world: Duty):
    """What was remembered of somebody who is gone counts for nothing."""
    await world.feeds.look()
    people = {name: person for name, person in RULESET.people.items() if name != "ana"}
    without = replace(rules(), people={**people, "zoe": Person(id="zoe", name="Zoe")})
    await world.feeds.put_in_force(without)
    assert world.people() == ["cy"]


@pytest.mark.parametrize("kept", ["", "[]", '{"address": 7}', '{"address": "x", "shifts": [7]}'])
@pytest.mark.asyncio
async def test_what_was_kept_and_cannot_be_read_is_passed_over(world: Duty, kept):
    """A start never fails because of it."""
    await world.feeds.look()
    world.store.write(lambda tx: tx.set_setting("calendar/payments", kept))
    assert world.store.read(partial(remembered, ruleset=rules())).schedules["payments"].booked == ()


@pytest.mark.asyncio
async def test_a_store_that_is_away_is_tried_again(world: Duty, monkeypatch):
    """Neither a plan nor trouble with one ends the loop."""

    async def away(_command: object) -> None:
        raise StoreUnavailableError("the disk is full")

    monkeypatch.setattr(world.engine, "submit", away)
    await world.feeds.look()
    world.there = None
    world.clock.move(seconds=60)
    await world.feeds.look()
    monkeypatch.undo()
    world.there = ANA
    world.clock.move(seconds=60)
    await world.feeds.look()
    assert (world.fetched, world.people()) == (3, ["ana"])


@pytest.mark.asyncio
async def test_the_loop_looks_for_ever(world: Duty, monkeypatch):
    """Every few seconds whether a feed's time has come."""
    looks: asyncio.Queue[float] = asyncio.Queue()

    async def look(feeds: Feeds) -> None:
        looks.put_nowait(feeds.engine.clock.monotonic())

    monkeypatch.setattr(Feeds, "look", look)
    loop = asyncio.create_task(world.feeds.run())
    seen = []
    for _ in range(3):
        seen.append(await looks.get())
        world.clock.move(seconds=LOOK_SECONDS)
    assert seen == [0.0, LOOK_SECONDS, 2 * LOOK_SECONDS]
    loop.cancel()
    await asyncio.gather(loop, return_exceptions=True)
