"""Several nodes on one PostgreSQL, and what befalls them: death, a stop longer than a lease, a cut wire, no database.

One node's trouble is another one's work: everything that was answered is paged in time, and once.
"""

import asyncio
import contextlib
import signal
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import psycopg

from tests.fakes.postgres import Server
from tests.fakes.processes import Daemon, call
from tests.fakes.wire import Wire
from tests.faults.load import Load
from tests.faults.provider import Provider
from tests.faults.site import CY, Row, Site, moments, site

ALERTS_PER_SECOND = 4.0
BETWEEN_DEATHS_SECONDS = (0.5, 2.0)
CALM_SECONDS = 2.0
# Long enough that something is always on its way when a node is stopped.
SLOW_SECONDS = 0.5


class Cluster(Site):
    """A site with several daemons; `daemon` is the first of them, `wires` lie between each and the database."""

    def __init__(self, folder: Path, providers: Mapping[str, Provider], daemon: Daemon) -> None:
        super().__init__(folder, providers, daemon)
        self.daemons = [daemon]
        self.wires: list[Wire] = []
        self.server: Server

    def load(self, per_second: float, service: str = "shop") -> Load:
        """Return a load on all nodes in turn."""
        return Load([f"{daemon.url}/in/am" for daemon in self.daemons], per_second, self.clock, service)

    async def start(self) -> None:
        """Start all of them at once."""
        await asyncio.gather(*(asyncio.to_thread(daemon.start) for daemon in self.daemons))

    async def stop(self) -> int:
        """End all of them; return the worst exit code."""
        for daemon in self.daemons:
            if daemon.running is not None and daemon.running.process.poll() is None:
                daemon.running.process.send_signal(signal.SIGCONT)
        return max(await asyncio.gather(*(asyncio.to_thread(daemon.stop) for daemon in self.daemons)))

    def said(self) -> str:
        """Return the ends of the nodes' logs."""
        return "\n".join(daemon.running.tail() for daemon in self.daemons if daemon.running)

    def database(self) -> tuple[set[int], int]:
        """Return the numbers of all incidents, and how many claims were made beyond the first of their attempt."""
        with psycopg.connect(self.server.url()) as connection:
            numbers = {row[0] for row in connection.execute("SELECT number FROM incidents")}
            found = connection.execute("SELECT coalesce(sum(claims - 1), 0) FROM outbox WHERE claims > 1").fetchone()
        return numbers, int(found[0]) if found else 0

    def nodes(self, daemon: Daemon) -> list[bool]:
        """Return which nodes are alive, as one of them sees it."""
        return [node["alive"] for node in call(f"{daemon.url}/api/v1/status")["nodes"]]


@asynccontextmanager
async def cluster(folder: Path, count: int = 2, *, wired: bool = False) -> AsyncIterator[Cluster]:
    """Build a site of so many nodes and start it; `wired` puts a wire before the database of each."""
    server = await asyncio.to_thread(lambda: Server().start())
    try:
        async with contextlib.AsyncExitStack() as stack:
            wires = [await stack.enter_async_context(Wire(server.port)) for _ in range(count if wired else 0)]
            ports = [wire.port for wire in wires] or [server.port] * count
            urls = [f"postgresql://escalatord@127.0.0.1:{port}/postgres" for port in ports]

            def first(where: Path, rules: Path) -> Daemon:
                return Daemon(where, rules, storage=urls[0])

            here = await stack.enter_async_context(site(folder, make=first, built=Cluster))
            here.server, here.wires = server, wires
            for number, url in enumerate(urls[1:], start=2):
                own = folder / f"node{number}"
                own.mkdir()
                address = ("--web.external-url", here.daemon.url)
                here.daemons.append(Daemon(own, folder / "rules", *address, storage=url))
            await here.start()
            yield here
    finally:
        await asyncio.to_thread(server.close)


async def nodes_die(folder: Path, times: int, seed: int) -> Row:
    """Kill one node after the other under load, at random moments; each is started again a while later."""
    async with cluster(folder) as here:
        load = here.load(ALERTS_PER_SECOND)
        posting = asyncio.create_task(load.run())
        for number, seconds in enumerate(moments(seed, times, *BETWEEN_DEATHS_SECONDS)):
            await here.wait(seconds)
            victim = here.daemons[number % len(here.daemons)]
            await asyncio.to_thread(victim.kill)
            await here.wait(seconds)
            await asyncio.to_thread(victim.start)
        await here.quiet(load)
        await posting
        assert load.refused == {}, "a sender was told not to try again"
        assert await here.stop() == 0, here.said()
        return here.reckon(load, times, f"seed {seed}")


async def node_stays_dead(folder: Path) -> Row:
    """Kill one node under load and leave it dead: the other one does its work, within a lease and a look."""
    async with cluster(folder) as here:
        load = here.load(ALERTS_PER_SECOND * 2)
        posting = asyncio.create_task(load.run())
        await here.wait(CALM_SECONDS)
        await asyncio.to_thread(here.daemons[0].kill)
        await here.wait(CALM_SECONDS)
        await here.quiet(load)
        await posting
        await here.until("the dead node is missed", lambda: False in here.nodes(here.daemons[1]), 20)
        assert await asyncio.to_thread(here.daemons[1].stop) == 0, here.said()
        return here.reckon(load, 1)


async def node_is_stopped(folder: Path, times: int, seconds: float) -> Row:
    """Stop one node after the other for longer than a lease: what it held is the other's, and it takes back nothing."""
    async with cluster(folder) as here:
        here.provider.thinks_seconds = SLOW_SECONDS
        load = here.load(ALERTS_PER_SECOND)
        posting = asyncio.create_task(load.run())
        for number in range(times):
            await here.wait(CALM_SECONDS)
            process = here.daemons[number % 2].running
            assert process is not None
            process.process.send_signal(signal.SIGSTOP)
            await here.wait(seconds)
            process.process.send_signal(signal.SIGCONT)
        await here.quiet(load)
        await posting
        assert load.refused == {}, "a sender was told not to try again"
        assert await here.stop() == 0, here.said()
        return here.reckon(load, times, f"{seconds:g} s each")


async def node_is_cut_off(folder: Path, times: int, seconds: float) -> Row:
    """Cut one node off from the database, silently, for longer than a lease, while it still reaches the provider."""
    async with cluster(folder, wired=True) as here:
        load = here.load(ALERTS_PER_SECOND)
        posting = asyncio.create_task(load.run())
        for number in range(times):
            await here.wait(CALM_SECONDS)
            here.wires[number % 2].cut()
            await here.wait(seconds)
            here.wires[number % 2].mend()
        await here.quiet(load)
        await posting
        assert load.refused == {}, "a sender was told not to try again"
        assert await here.stop() == 0, here.said()
        return here.reckon(load, times, f"{seconds:g} s each")


async def database_crashes(folder: Path, times: int) -> Row:
    """End PostgreSQL at once, again and again, as its host's power cut would: nobody ends, and all goes on."""
    async with cluster(folder) as here:
        load = here.load(ALERTS_PER_SECOND)
        posting = asyncio.create_task(load.run())
        for _ in range(times):
            await here.wait(CALM_SECONDS)
            await asyncio.to_thread(here.server.crash)
            await asyncio.to_thread(here.server.start)
        await here.wait(CALM_SECONDS)
        await here.quiet(load)
        await posting
        assert load.refused == {}, "a sender was told not to try again"
        assert await here.stop() == 0, here.said()
        return here.reckon(load, times, f"senders got {load.answers[503]} answers of 503")


async def database_is_away(folder: Path, seconds: float) -> Row:
    """Let the database be away for a while: senders get 503, open incidents climb on, and nothing is missing later.

    `seconds` must be enough for the patience with a database (5 s) and for two tiers of 3 s.
    """
    async with cluster(folder) as here:
        load = here.load(ALERTS_PER_SECOND)
        posting = asyncio.create_task(load.run())
        await here.wait(CALM_SECONDS)
        known = {one.incident for one in load.answered}
        await asyncio.to_thread(here.server.stop)
        await here.wait(seconds)
        unheard = known - here.paged(CY).keys()
        assert not unheard, f"open incidents did not climb on: {sorted(unheard)}\n{here.said()}"
        await asyncio.to_thread(here.server.start)
        await here.wait(CALM_SECONDS)
        await here.quiet(load)
        await posting
        assert load.refused == {}, "a sender was told not to try again"
        assert await here.stop() == 0, here.said()
        return here.reckon(load, 1, f"away for {seconds:g} s; senders got {load.answers[503]} answers of 503")
