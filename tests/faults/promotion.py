"""The primary of a PostgreSQL dies under load and its replica is promoted: the daemon follows by its address of both.

A synchronous replica has what was answered. What one that is not had not got yet is counted: its senders heard 2xx.
"""

import asyncio
import shutil
import signal
import subprocess
from pathlib import Path

import psycopg

from tests.fakes.postgres import Server, binaries
from tests.fakes.processes import Daemon, wait_until
from tests.faults.nodes import Cluster
from tests.faults.site import Row, site

ALERTS_PER_SECOND = 8.0
CALM_SECONDS = 2.0


def can_copy() -> bool:
    """Tell whether there are PostgreSQL's own tools, which copy a server at work."""
    try:
        return (binaries() / "pg_basebackup").exists()
    except LookupError:
        return False


class Replica(Server):
    """A copy of a server at work that follows it, until it is promoted."""

    def __init__(self, primary: Server) -> None:
        super().__init__()
        shutil.rmtree(self._data)
        tool = [str(self._binaries / "pg_basebackup"), "-D", str(self._data), "-R", "-X", "stream", "-c", "fast"]
        subprocess.run(
            [*tool, "-d", f"host=127.0.0.1 port={primary.port} user=escalatord application_name=copy"],
            check=True,
            capture_output=True,
            cwd=self.folder,
            extra_groups=[] if self._as else None,
            **self._as,
        )

    def promote(self) -> None:
        """Make it the primary."""
        self.ask("SELECT pg_promote()")


def follows(primary: Server, state: str) -> bool:
    """Return whether a replica follows the server in this way: `sync` or `async`."""
    with psycopg.connect(primary.url()) as connection:
        return connection.execute("SELECT sync_state FROM pg_stat_replication").fetchone() == (state,)


async def replica_is_promoted(folder: Path, *, synchronous: bool = True) -> Row:
    """Kill the primary under load and promote its replica: what was answered is there, and paging goes on."""
    primary = await asyncio.to_thread(lambda: Server().start())
    replica = await asyncio.to_thread(lambda: Replica(primary).start())
    try:
        if synchronous:
            primary.ask("ALTER SYSTEM SET synchronous_standby_names = '*'")
            primary.ask("SELECT pg_reload_conf()")
        kind = "sync" if synchronous else "async"
        await asyncio.to_thread(wait_until, "the replica follows", lambda: follows(primary, kind))
        url = f"postgresql://escalatord@127.0.0.1:{primary.port},127.0.0.1:{replica.port}/postgres"
        async with site(folder, make=lambda f, rules: Daemon(f, rules, storage=url), built=Cluster) as here:
            here.server = replica
            await here.start()
            load = here.load(ALERTS_PER_SECOND)
            posting = asyncio.create_task(load.run())
            await here.wait(CALM_SECONDS)
            primary.process.send_signal(signal.SIGQUIT)
            primary.process.wait(30)
            await asyncio.to_thread(replica.promote)
            promoted_at, before = here.clock.monotonic(), len(load.answered)
            await here.until("senders get 2xx again", lambda: len(load.answered) > before)
            after = here.clock.monotonic() - promoted_at
            await here.wait(CALM_SECONDS)
            await here.quiet(load)
            await posting
            assert await here.stop() == 0, here.said()
            told = f"senders got {load.answers[503]} answers of 503; 2xx again {after:.1f} s after the promotion"
            return here.reckon(load, 1, told)
    finally:
        await asyncio.to_thread(replica.close)
        await asyncio.to_thread(primary.close)
