"""What lies between the daemon and a provider goes wrong: a proxy that hangs, drips, resets, cuts answers off, lies.

The fallback goes out in time, the other channel feels nothing, and where the provider had taken a text whose answer
was cut off, it is asked, and nothing is sent again.
"""

import asyncio
import re
import socket
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Self

from tests.faults.load import Load
from tests.faults.pauses import pause
from tests.faults.provider import Provider
from tests.faults.site import ANA, DEE, Row, Site, Wiring, site

ALERTS_PER_SECOND = 8.0
SLOWLY_PER_SECOND = 1.5
CALM_SECONDS = 2.0
CHUNK_BYTES = 64 * 1024
PASSED_BYTES = 40
"""Of an answer that is reset, so much arrives."""
SLOW_SECONDS = 4.0
FALLBACK_SECONDS_MAX = 20.0
UNASKED_MAX = 0.05
"""Of the questions so many may take longer than their 3 s on a busy machine."""
SLOWER_MAX = 1.2
NOISE_SECONDS = 0.25
"""What two figures of a few hundred texts differ by on a busy machine anyway."""
GARBAGE = b"\x16\x03\x01 HTTP/9 \x00\xff\xfe 999\r\n:::\r\n\r\n" * 20
LENGTH = re.compile(rb"(?i)\r\ncontent-length: *(\d+)")
RESET_AT_CLOSE = struct.pack("ii", 1, 0)


class Mode(StrEnum):
    """What the proxy does with a connection."""

    WELL = "well"
    HANG = "hang"
    DRIP = "drip"
    RESET = "reset"
    CUT = "cut"
    SLOW = "slow"
    GARBAGE = "garbage"


class Proxy:
    """Listens on a port of its own and carries to port `to`, as `mode` says at each step."""

    def __init__(self) -> None:
        self.mode = Mode.WELL
        self.port = self.to = 0
        self.struck = 0
        self._never = asyncio.Event()
        self._writers: set[asyncio.StreamWriter] = set()
        self._under_way: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._carry, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_error: object) -> None:
        assert self._server is not None
        self._never.set()
        self._server.close()
        for writer in list(self._writers):
            writer.transport.abort()
        if self._under_way:
            await asyncio.wait(self._under_way, timeout=5)

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        own = asyncio.current_task()
        assert own is not None
        self._under_way.add(own)
        try:
            there = await asyncio.open_connection("127.0.0.1", self.to)
            self._writers.add(there[1])
            while request := await reader.read(CHUNK_BYTES):
                await self._request(request, writer, there)
        except OSError:
            pass
        finally:
            writer.transport.abort()
            self._writers.discard(writer)
            self._under_way.discard(own)

    async def _request(
        self, request: bytes, here: asyncio.StreamWriter, there: tuple[asyncio.StreamReader, asyncio.StreamWriter]
    ) -> None:
        """Carry one request, small enough to come at once, and its answer."""
        mode = self.mode
        self.struck += mode is not Mode.WELL
        if mode is Mode.HANG:
            await self._never.wait()
        if mode is Mode.SLOW:
            await pause(self._never, SLOW_SECONDS)
        if mode is Mode.GARBAGE:
            here.write(GARBAGE)
            await here.drain()
            raise ConnectionError
        there[1].write(request)
        answer = await whole_answer(there[0])
        if mode is Mode.CUT and request.startswith(b"POST"):
            raise ConnectionError
        if mode is Mode.RESET:
            here.write(answer[:PASSED_BYTES])
            await here.drain()
            here.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_AT_CLOSE)
            raise ConnectionError
        await self._answer(answer, here, drips=mode is Mode.DRIP)

    async def _answer(self, answer: bytes, here: asyncio.StreamWriter, *, drips: bool) -> None:
        pieces = [answer[at : at + 1] for at in range(len(answer))] if drips else [answer]
        for piece in pieces:
            here.write(piece)
            await here.drain()
            if drips:
                await pause(self._never, 1.0)
            if self._never.is_set():
                return


async def whole_answer(reader: asyncio.StreamReader) -> bytes:
    """Return one answer of a server that says how long each is."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
        length = LENGTH.search(head)
        return head + await reader.readexactly(int(length[1]) if length else 0)
    except asyncio.IncompleteReadError as cut:
        raise ConnectionError from cut


@dataclass(frozen=True, slots=True, kw_only=True)
class Proxied(Wiring):
    """Three channels, the first of them behind a proxy."""

    proxy: Proxy
    channels: tuple[str, ...] = ("sms", "sms_backup", "sms_yard")
    plan: str = "[{by: sms, if_failed: [sms_backup]}]"
    within: str = "2m"

    def rules(self, providers: Mapping[str, Provider]) -> str:
        """Return the rules, in which the first provider is to be reached by way of the proxy."""
        direct = providers["sms"].url
        self.proxy.to = int(direct.rpartition(":")[2])
        return Wiring.rules(self, providers).replace(direct, f"http://127.0.0.1:{self.proxy.port}")


async def way_is_bad(folder: Path, mode: Mode, seconds: float) -> Row:
    """Put the proxy into a mode for a while: fallbacks in time, the other channel as before, nothing twice."""
    async with Proxy() as proxy, site(folder, Proxied(proxy=proxy)) as here:
        await here.start()
        # what is slow and works is not given up: more than its lane takes at once would queue there
        per_second = SLOWLY_PER_SECOND if mode is Mode.SLOW else ALERTS_PER_SECOND
        shop, yard = here.load(per_second), here.load(ALERTS_PER_SECOND, "yard")
        posting = [asyncio.create_task(load.run()) for load in (shop, yard)]
        await here.wait(CALM_SECONDS)
        calm_until = here.clock.monotonic()
        proxy.mode = mode
        await here.wait(seconds)
        await here.quiet(shop, (ANA,))
        proxy.mode = Mode.WELL
        await here.quiet(yard, (DEE,))
        await asyncio.gather(*posting)
        assert await here.stop() == 0, here.said()
        calm, beside = percentiles(here, yard, calm_until)
        fell_back = len(here.providers["sms_backup"].created)
        note = f"{fell_back} by the fallback; other channel: p99 {beside:.3f} s, before {calm:.3f} s"
        row = here.reckon(shop, proxy.struck, note, (ANA,))
        assert not here.unpaged(yard, (DEE,))
        assert row.slowest_page_seconds <= FALLBACK_SECONDS_MAX, row
        assert beside <= max(SLOWER_MAX * calm, calm + NOISE_SECONDS), row
        assert proxy.struck > 0, "nothing came by the proxy"
        if mode is Mode.CUT:
            assert fell_back <= len(shop.answered) * UNASKED_MAX, f"the provider had it, and could be asked: {row}"
        return row


def percentiles(here: Site, load: Load, until: float) -> tuple[float, float]:
    """Return the 99th percentile of the time from answer to text, of alerts answered before `until`, and after."""
    first = here.paged(DEE)
    took: tuple[list[float], list[float]] = ([], [])
    for one in load.answered:
        took[one.answered_at > until].append(first[one.incident] - one.answered_at)
    calm, beside = (sorted(several)[int(len(several) * 0.99)] for several in took)
    return calm, beside
