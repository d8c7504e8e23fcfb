"""The disk fails: full (a small memory disk), or every write refused, those of the log too (a limit on the process).

Senders get 503 and no 2xx without a commit; what room was held back carries open incidents on; when there is room again
everything goes on without a restart.
"""

import asyncio
import resource
import shlex
import shutil
import subprocess
from contextlib import suppress
from pathlib import Path

from tests.fakes.processes import Daemon
from tests.faults.load import OK, UNAVAILABLE, Load
from tests.faults.site import ANA, BO, Row, Site, site

ALERTS_PER_SECOND = 8.0
DISK_MEBIBYTES = 48
BLOCK = b"\0" * 65_536
NO_GROWTH_BYTES = 64
RECOVERY_SECONDS_MAX = 8.0


class OnSmallDisk(Daemon):
    """The daemon in a mount namespace of its own, with its database on a memory disk of `DISK_MEBIBYTES`."""

    def __init__(self, folder: Path, rules: Path) -> None:
        super().__init__(folder, rules)
        disk = folder / "disk"
        disk.mkdir()
        words = [word.replace(str(self.database), f"{disk}/escalatord.db") for word in self._command]
        script = f"mount -t tmpfs -o size={DISK_MEBIBYTES}m none {shlex.quote(str(disk))} && exec {shlex.join(words)}"
        self._command = ["unshare", "-rm", "sh", "-c", script]
        self.disk = disk

    def start(self, seconds: float = 30.0) -> Daemon:
        """Start it; its disk, seen from outside of its namespace, lives as long as it."""
        super().start(seconds)
        assert self.running is not None
        self.disk = Path(f"/proc/{self.running.process.pid}/root{self.folder}/disk")
        return self

    def bring_home(self) -> None:
        """Copy the database out of the disk; SQLite itself cannot open files by a path through /proc."""
        for name in ("escalatord.db", "escalatord.db-wal"):
            shutil.copy(self.disk / name, self.folder / name)


def can_mount() -> bool:
    """Tell whether this machine lets us mount a memory disk in a namespace of our own."""
    if shutil.which("unshare") is None:
        return False
    tried = subprocess.run(["unshare", "-rm", "sh", "-c", "mount -t tmpfs none /mnt"], capture_output=True, check=False)
    return tried.returncode == 0


def fill(disk: Path) -> None:
    """Write until there is no room left."""
    with suppress(OSError), (disk / "somebody-elses-file").open("ab", buffering=0) as file:
        while True:
            file.write(BLOCK)


async def disk_is_full(folder: Path, seconds: float) -> Row:
    """Fill the disk and clear it again: 503 meanwhile, open incidents climb on, then everything goes on."""
    async with site(folder, make=OnSmallDisk) as here:
        assert isinstance(here.daemon, OnSmallDisk)
        await here.start()
        disk = here.daemon.disk
        load, posting = await loaded(here)
        known = {one.incident for one in load.answered}
        fill(disk)
        await here.wait(seconds)
        refused = load.answers[UNAVAILABLE]
        assert known <= here.paged(BO).keys(), "open incidents did not climb on"
        (disk / "somebody-elses-file").unlink()
        return await recovered(here, load, posting, f"{refused} answers of 503; open incidents climbed on")


async def writes_are_refused(folder: Path, seconds: float) -> Row:
    """Let every write of the process fail for a while: 503 meanwhile, nothing ends, then everything goes on."""
    async with site(folder) as here:
        await here.start()
        assert here.daemon.running is not None
        process = here.daemon.running.process.pid
        load, posting = await loaded(here)
        _, hard = resource.prlimit(process, resource.RLIMIT_FSIZE)
        resource.prlimit(process, resource.RLIMIT_FSIZE, (NO_GROWTH_BYTES, hard))
        await here.wait(seconds)
        refused = load.answers[UNAVAILABLE]
        resource.prlimit(process, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, hard))
        return await recovered(here, load, posting, f"{refused} answers of 503")


async def loaded(here: Site) -> tuple[Load, asyncio.Task[None]]:
    """Put the daemon under load and wait until some alerts have paged."""
    load = here.load(ALERTS_PER_SECOND)
    posting = asyncio.create_task(load.run())
    await here.until("a few alerts have paged", lambda: len(here.paged(ANA)) > ALERTS_PER_SECOND)
    return load, posting


async def recovered(here: Site, load: Load, posting: asyncio.Task[None], note: str) -> Row:
    """Wait for the first 2xx after there is room again, let everything come to its end, and reckon."""
    assert load.answers[UNAVAILABLE], "nobody was told that nothing could be committed"
    room_at, before = here.clock.monotonic(), answered(load)
    await here.until("senders get 2xx again", lambda: answered(load) > before, RECOVERY_SECONDS_MAX)
    after = here.clock.monotonic() - room_at
    await here.wait(2.0)
    await here.quiet(load)
    await posting
    assert load.refused == {}, "a sender was told not to try again"
    if isinstance(here.daemon, OnSmallDisk):
        here.daemon.bring_home()
    row = here.reckon(load, 1, f"{note}; 2xx again {after:.1f} s after there was room")
    assert await here.stop() == 0, here.said()
    return row


def answered(load: Load) -> int:
    """Return how many alerts were answered 2xx."""
    return sum(count for code, count in load.answers.items() if code in OK)
