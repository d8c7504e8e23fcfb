"""The outward sign of life: called while audits pass, silent else, and never in anybody's way."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from structlog.testing import capture_logs

from escalatord.deadman import DeadMan
from escalatord.engine.ledger import Ledger
from escalatord.metrics import Metrics
from tests.fakes.stepped_clock import SteppedClock

SECRET = "8c1f-a-secret-path"


class Outside:
    """A dead-man service that counts calls and answers as told."""

    def __init__(self) -> None:
        self.calls = 0
        self.called = asyncio.Event()
        self.answer: Callable[[], Any] = lambda: web.Response(text="OK")

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Answer a call."""
        del request
        self.calls += 1
        self.called.set()
        return self.answer()


class House:
    """A dead man's switch, its clock, and whom it calls."""

    def __init__(self, outside: Outside, url: str) -> None:
        self.outside = outside
        self.clock = SteppedClock()
        self.metrics = Metrics(Ledger(), version="t")
        self.deadman = DeadMan(url, 60.0, self.clock, self.metrics)

    async def audit(self, seconds: float = 15.0) -> None:
        """Let time pass and an audit pass; wait until a call that follows from it is over."""
        await self.clock.pass_time(seconds)
        self.outside.called.clear()
        self.deadman.passed()
        for _ in range(20):
            await asyncio.sleep(0)
        await asyncio.wait([asyncio.ensure_future(self.outside.called.wait())], timeout=0.05)
        for _ in range(50):
            await asyncio.sleep(0)

    @property
    def last(self) -> float | None:
        """Return when the last call was taken, in seconds since 1970."""
        return self.metrics.registry.get_sample_value("escalatord_heartbeat_last_success_timestamp_seconds")


async def living(work, *, answer=None, url=None):
    """Run `work` on a house with a server outside; its loop is ended afterwards."""
    outside = Outside()
    if answer is not None:
        outside.answer = answer
    app = web.Application()
    app.router.add_get(f"/{SECRET}", outside.handle)
    async with TestServer(app) as server:
        house = House(outside, str(server.make_url(f"/{SECRET}")) if url is None else url)
        loop = asyncio.create_task(house.deadman.run())
        try:
            await work(house)
        finally:
            loop.cancel()
            await asyncio.gather(loop, return_exceptions=True)


@pytest.mark.asyncio
async def test_it_is_called_once_a_minute_while_audits_pass():
    """Audits come every 15 s; the service hears of every fourth."""

    async def work(house):
        for _ in range(13):
            await house.audit()
        assert house.outside.calls == 4
        assert house.last == house.clock.now().timestamp()

    await living(work)


@pytest.mark.asyncio
async def test_without_a_passed_audit_nothing_is_called():
    """Ten minutes of nothing: the service outside misses us."""

    async def work(house):
        await house.audit()
        assert house.outside.calls == 1
        await house.clock.pass_time(600)
        assert house.outside.calls == 1

    await living(work)


def boom() -> web.Response:
    """Return what says no."""
    return web.Response(status=500)


def elsewhere() -> web.Response:
    """Return what points elsewhere."""
    return web.Response(status=302, headers={"Location": f"/{SECRET}"})


@pytest.mark.parametrize("answer", [boom, elsewhere], ids=["an error", "a redirect"])
@pytest.mark.asyncio
async def test_what_is_not_taken_is_tried_after_the_next_audit(answer):
    """No redirect is followed, and the log says why without the address."""

    async def work(house):
        with capture_logs() as logs:
            await house.audit()
            await house.audit()
        assert house.outside.calls == 2
        assert house.last == 0.0
        assert len(logs) == 2
        assert logs[0]["why"].startswith("status ")
        assert SECRET not in str(logs)

    await living(work, answer=answer)


@pytest.mark.asyncio
async def test_an_address_where_nobody_is_costs_nothing():
    """A refused connection is logged by its kind; the loop goes on."""

    async def work(house):
        with capture_logs() as logs:
            await house.audit()
            await house.audit()
        assert {log["why"] for log in logs} <= {"ClientConnectorError", "ClientConnectionError"}
        assert SECRET not in str(logs)

    await living(work, url=f"http://127.0.0.1:9/{SECRET}")


@pytest.mark.asyncio
async def test_without_an_address_nothing_happens():
    """Nobody watches, nobody is called."""

    async def work(house):
        for _ in range(10):
            await house.audit()
        assert house.outside.calls == 0

    await living(work, url="")
