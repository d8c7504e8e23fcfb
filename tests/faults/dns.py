"""The resolver hangs: a name lookup of the daemon never returns, from the start or after it did for a while.

The daemon lives in a mount namespace in which host names come from `/etc/hosts` alone. A pipe is put in the place of
that file: whoever opens it waits for ever, as for a nameserver that swallows what it is asked.
"""

import asyncio
import os
import shlex
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.fakes.processes import Daemon, call
from tests.faults.disks import can_mount
from tests.faults.provider import Provider
from tests.faults.proxy import NOISE_SECONDS, SLOWER_MAX, percentiles
from tests.faults.site import ANA, DEE, Row, Site, Wiring, site

HOST = "sms.provider.test"
ALERTS_PER_SECOND = 8.0
CALM_SECONDS = 2.0
FALLBACK_SECONDS_MAX = 20.0
UNRELATED_SECONDS_MAX = 0.05

can_hang = can_mount


@dataclass(frozen=True, slots=True, kw_only=True)
class Named(Wiring):
    """Three channels, the first at a host name, the others at addresses."""

    channels: tuple[str, ...] = ("sms", "sms_backup", "sms_yard")
    plan: str = "[{by: sms, if_failed: [sms_backup]}]"
    within: str = "2m"

    def rules(self, providers: Mapping[str, Provider]) -> str:
        """Return the rules, in which the first provider has a name."""
        direct = providers["sms"].url
        return Wiring.rules(self, providers).replace(direct, direct.replace("127.0.0.1", HOST))


class WithOwnNames(Daemon):
    """The daemon, whose host names come from a file of its own, until `hang` puts a pipe in its place."""

    def __init__(self, folder: Path, rules: Path) -> None:
        super().__init__(folder, rules)
        hosts, switch, self._pipe = folder / "hosts", folder / "nsswitch.conf", folder / "pipe"
        hosts.write_text(f"127.0.0.1 localhost {HOST}\n")
        switch.write_text("hosts: files\n")
        os.mkfifo(self._pipe)
        mounts = {hosts: "/etc/hosts", switch: "/etc/nsswitch.conf"}
        steps = [f"mount --bind {shlex.quote(str(own))} {place}" for own, place in mounts.items()]
        self._command = ["unshare", "-rm", "sh", "-c", " && ".join([*steps, f"exec {shlex.join(self._command)}"])]

    def hang(self) -> None:
        """Let every lookup hang from now on."""
        assert self.running is not None
        enter = ["nsenter", "-t", str(self.running.process.pid), "-U", "-m", "--preserve-credentials"]
        subprocess.run([*enter, "mount", "--bind", str(self._pipe), "/etc/hosts"], check=True, timeout=10)


async def names_hang(folder: Path, seconds: float, *, known: bool) -> Row:
    """Let lookups hang, before the name was ever looked up or after: others feel nothing, and pages get out."""
    async with site(folder, Named(), make=WithOwnNames) as here:
        assert isinstance(here.daemon, WithOwnNames)
        await here.start()
        shop, yard = here.load(ALERTS_PER_SECOND), here.load(ALERTS_PER_SECOND, "yard")
        posting = [asyncio.create_task(yard.run())]
        if known:
            posting.append(asyncio.create_task(shop.run()))
            await here.until("the name is known", lambda: len(here.provider.created) > ALERTS_PER_SECOND)
        await here.wait(CALM_SECONDS)
        await asyncio.to_thread(here.daemon.hang)
        calm_until = here.clock.monotonic()
        before = set(here.provider.created)
        break_connections(here)
        if not known:
            posting.append(asyncio.create_task(shop.run()))
        slowest = await slowest_answer(here, seconds)
        await here.quiet(shop, (ANA,))
        await here.quiet(yard, (DEE,))
        await asyncio.gather(*posting)
        assert await here.stop() == 0, here.said()
        calm, beside = percentiles(here, yard, calm_until)
        by_name = len(here.provider.created.keys() - before)
        note = f"{by_name} by that name; unrelated answers {slowest:.3f} s at most; other channel: p99 {beside:.3f} s"
        row = here.reckon(shop, 1, f"{note}, before {calm:.3f} s", (ANA,))
        assert not here.unpaged(yard, (DEE,))
        assert row.slowest_page_seconds <= FALLBACK_SECONDS_MAX, row
        assert beside <= max(SLOWER_MAX * calm, calm + NOISE_SECONDS), row
        assert bool(by_name) == known, row
        assert slowest <= UNRELATED_SECONDS_MAX + NOISE_SECONDS, row
        return row


def break_connections(here: Site) -> None:
    """End the connections that the first provider keeps, so that new ones need its address."""
    for transport in here.provider.connections:
        assert isinstance(transport, asyncio.Transport)
        transport.abort()
    here.provider.connections.clear()


async def slowest_answer(here: Site, seconds: float) -> float:
    """Ask the daemon for its health for so long; return the longest that it took."""
    slowest, until = 0.0, here.clock.monotonic() + seconds
    while (asked := here.clock.monotonic()) < until:
        await asyncio.to_thread(call, f"{here.daemon.url}/-/healthy")
        slowest = max(slowest, here.clock.monotonic() - asked)
        await here.wait(UNRELATED_SECONDS_MAX)
    return slowest
