"""The disk answers EIO to the k-th write and the k-th sync of the database, for every k of a short night.

`strace` lets the calls fail that touch the database or its log; each thread counts its own. The night has checkpoints
every few commits, so that these are cut into too. What was answered is in the database, everybody is paged once, the
file is whole, and nobody restarts anything. A start that fails says so in a sentence, and the next one works.
"""

import asyncio
import re
import shutil
import sqlite3
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path

from tests.fakes.processes import ROOT, Daemon
from tests.faults.power import can_record
from tests.faults.site import Row, Wiring, site

CALLS = "pwrite64,fdatasync,fsync,ftruncate"
CHECKPOINT_PAGES = 16
ALERTS_PER_SECOND = 6.0
NIGHT_SECONDS = 1.0
SIDE_BY_SIDE = 3
LATE_SECONDS_MAX = 30.0
RECOVERY_SECONDS_MAX = 5.0
APART = 301
"""A commit with its checkpoint makes fewer calls: after each that fails there is room for one that does not."""
FAR = 60_000
"""No night makes so many calls: nothing fails."""
START_SECONDS_MAX = 30.0
LINE = re.compile(r"^(\d+) +(\w+)\(")

can_fail = can_record


def traced(database: Path, trace: Path, when: str) -> list[str]:
    """Return what to put before a command: the calls `when` names fail that touch the database."""
    files = [word for suffix in ("", "-wal") for word in ("-P", f"{database}{suffix}")]
    inject = f"inject={CALLS}:error=EIO:when={when}"
    return ["strace", "-D", "-f", "-qq", "-o", str(trace), *files, "-e", f"trace={CALLS}", "-e", inject]


class OnFailingDisk(Daemon):
    """The daemon, for which the calls `when` names fail; "" = none."""

    when = ""

    def __init__(self, folder: Path, rules: Path) -> None:
        super().__init__(folder, rules)
        self.trace = folder / "trace"
        self._plain = [sys.executable, "-m", "tests.faults.often", str(CHECKPOINT_PAGES), *self._command[3:]]

    def start(self, seconds: float = START_SECONDS_MAX) -> Daemon:
        """Start it."""
        self._command = [*(traced(self.database, self.trace, self.when) if self.when else ()), *self._plain]
        return super().start(seconds)


def calls_of(trace: Path) -> int:
    """Return how often the busiest thread made one of the calls."""
    lines = (LINE.match(line) for line in trace.read_text(errors="replace").splitlines())
    return max(Counter(found.groups() for found in lines if found).values(), default=0)


def failed(trace: Path) -> int:
    """Return how many calls were let fail."""
    return trace.read_text(errors="replace").count("(INJECTED)")


async def night(folder: Path, when: str) -> tuple[Row, int]:
    """Live through the night; return what it came to, and how many calls the busiest thread made."""
    folder.mkdir()  # noqa: ASYNC240 - a test, and a folder in memory
    async with site(folder, Wiring(within="1s"), make=OnFailingDisk) as here:
        daemon = here.daemon
        assert isinstance(daemon, OnFailingDisk)
        await here.start()  # the making of the database is another row's
        await here.stop()
        daemon.when = when
        try:
            await here.start()
        except AssertionError:
            assert daemon.running is not None
            daemon.running.process.wait(START_SECONDS_MAX)
            refused(daemon.running.process.returncode, daemon.running.tail())
            daemon.when = ""
            await here.start()
        load = here.load(ALERTS_PER_SECOND)
        posting = asyncio.create_task(load.run())
        await here.wait(NIGHT_SECONDS)
        await here.quiet(load)
        await posting
        assert load.refused == {}, "a sender was told not to try again"
        assert await here.stop() == 0, here.said()
        waited = max(one.answered_at - one.posted_at for one in load.answered)
        row = here.reckon(load, failed(daemon.trace), f"{waited:.2f}")
        assert is_whole(daemon.database), f"{when}: the database is not whole"
        assert waited <= RECOVERY_SECONDS_MAX, f"{when}: {row}"
        assert row.slowest_page_seconds <= LATE_SECONDS_MAX, f"{when}: {row}"
        return row, calls_of(daemon.trace)


async def nights(folder: Path, whens: Iterable[str]) -> Row:
    """Live through a night for each of these, a few side by side, and add up what they came to."""
    room = asyncio.Semaphore(SIDE_BY_SIDE)

    async def one(number: int, when: str) -> Row:
        async with room:
            row, _ = await night(folder / f"night{number}", when)
            shutil.rmtree(folder / f"night{number}")
            return row

    rows = await asyncio.gather(*(one(number, when) for number, when in enumerate(whens)))
    waited = max(float(row.note) for row in rows)
    return Row(
        count=sum(row.count for row in rows),
        alerts=sum(row.alerts for row in rows),
        pages=sum(row.pages for row in rows),
        lost=sum(row.lost for row in rows),
        duplicated=sum(row.duplicated for row in rows),
        begun_again=sum(row.begun_again for row in rows),
        slowest_page_seconds=max(row.slowest_page_seconds for row in rows),
        note=f"{len(rows)} nights; senders waited {waited:.2f} s at most, no restart",
    )


async def every_night(folder: Path, step: int = 1) -> Row:
    """Let the k-th write and the k-th sync fail, and each `APART` after it, for every `step`-th k up to there."""
    return await nights(folder, [f"{k}+{APART}" for k in range(1, APART + 1, step)])


async def starts_fail(folder: Path, step: int = 1) -> Row:
    """Let every `step`-th write or sync of the making of a database fail: a sentence, and the next try works."""
    database, trace = folder / "escalatord.db", folder / "trace"
    run = await migrate(database, traced(database, trace, str(FAR)))
    assert run.returncode == 0, run.stderr
    calls, told = calls_of(trace), 0
    for k in range(1, calls + 1, step):
        forget(database)
        run = await migrate(database, traced(database, trace, str(k)))
        if run.returncode:
            refused(run.returncode, run.stderr)
            told += 1
        again = await migrate(database, [])
        assert again.returncode == 0, f"{k}: {again.stderr}"
        assert is_whole(database), f"{k}: the database is not whole"
    note = f"of {calls} calls; {told} starts ended with a sentence and exit code 1, every next one worked"
    counts = {"count": len(range(1, calls + 1, step)), "alerts": 0, "pages": 0, "lost": 0, "duplicated": 0}
    return Row(**counts, begun_again=0, slowest_page_seconds=0.0, note=note)


async def migrate(database: Path, before: list[str]) -> "subprocess.CompletedProcess[str]":
    """Run `escalatord migrate`, with something before it."""
    command = [*before, sys.executable, "-m", "escalatord", "migrate", "--storage.path", str(database)]
    return await asyncio.to_thread(
        subprocess.run, command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=START_SECONDS_MAX
    )


def forget(database: Path) -> None:
    """Remove a database and what lies beside it."""
    for file in database.parent.glob(f"{database.name}*"):
        file.unlink()


def refused(code: int, said: str) -> None:
    """Assert that a start ended as an operator can understand it."""
    assert code == 1, f"exit code {code}\n{said}"
    assert "Error: " in said, said
    assert "Traceback" not in said, said


def is_whole(database: Path) -> bool:
    """Return whether SQLite finds nothing wrong with the file."""
    with closing(sqlite3.connect(database)) as connection:
        return bool(connection.execute("PRAGMA integrity_check").fetchone() == ("ok",))
