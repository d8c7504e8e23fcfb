"""Power cuts: every write that a night makes is recorded, then played back up to any point, torn as a disk tears it.

    python -m tests.faults.power --cuts 1000 --seed 1

A child process lives through a stretch of alerts with the real engine and the real store on a real file, under
`strace`, which keeps each write with its bytes and each sync. What was synced before the cut is on the disk. Of what
was not, every sector of 512 bytes may be there or not, whatever came after it. From what is left a database is
opened: it must be whole, and hold every alert that was answered for before the cut. Not modelled: a disk that lies
about a sync.
"""

import argparse
import asyncio
import os
import re
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from escalatord.sim.world import World
from escalatord.store import pragmas
from escalatord.store.store import Store
from tests.fakes.company import company
from tests.fakes.processes import ROOT
from tests.sim.years.run import fast_folder

ALERTS = 60
CHECKPOINT_PAGES = 60
"""So few that checkpoints happen again and again within the stretch."""
SECTOR_BYTES = 512
CALLS = "pwrite64,fsync,fdatasync,ftruncate,unlink"
CALL = re.compile(r"^(\d+) +(pwrite64|fsync|fdatasync|ftruncate|unlink)\((.*)$")
RESUMED = re.compile(r"^(\d+) +<\.\.\. (\w+) resumed>(.*)$")
UNFINISHED = " <unfinished ...>"
ESCAPED = re.compile(r"\\x([0-9a-f]{2})")


@dataclass(frozen=True, slots=True)
class Op:
    """One thing done to a file: `write` at an offset, `sync`, `cut` to a length, `unlink`, or `answered` (a mark)."""

    what: str
    file: str
    at: int = 0
    content: bytes = b""


@dataclass(slots=True)
class Disk:
    """Files as they are for certain, and what was written since their last sync."""

    certain: dict[str, bytearray] = field(default_factory=dict)
    pending: dict[str, list[Op]] = field(default_factory=dict)

    def do(self, op: Op) -> None:
        """Let one thing happen."""
        match op.what:
            case "write" | "cut":
                self.pending.setdefault(op.file, []).append(op)
            case "sync":
                kept = self.certain.setdefault(op.file, bytearray())
                for earlier in self.pending.pop(op.file, []):
                    _apply(kept, earlier)
            case "unlink":
                self.certain.pop(op.file, None)
                self.pending.pop(op.file, None)

    def after_a_cut(self, chance: Random) -> dict[str, bytes]:
        """Return what is found on the disk when the power comes back."""
        found = {name: bytearray(content) for name, content in self.certain.items()}
        for name, waiting in self.pending.items():
            content = found.setdefault(name, bytearray())
            for op in waiting:
                if op.what == "cut":
                    if chance.random() < 0.5:
                        _apply(content, op)
                    continue
                for start in range(0, len(op.content), SECTOR_BYTES):
                    if chance.random() < 0.5:
                        piece = op.content[start : start + SECTOR_BYTES]
                        _apply(content, Op("write", name, op.at + start, piece))
        return {name: bytes(content) for name, content in found.items()}


@dataclass(frozen=True, slots=True)
class Outcome:
    """What so many cuts came to: databases that are not whole, and answered alerts that are not in them."""

    cuts: int
    answered: int
    corrupt: int
    lost: int


def can_record() -> bool:
    """Tell whether this machine lets us watch the system calls of a child."""
    if shutil.which("strace") is None:
        return False
    return subprocess.run(["strace", "-o", "/dev/null", "true"], capture_output=True, check=False).returncode == 0


def record(folder: Path, *, synchronous: str = "FULL") -> list[Op]:
    """Let a child live through the stretch in `folder`, and return what it did to its files, in order."""
    trace = folder / "trace"
    command = ["strace", "-f", "-y", "-xx", "-s", "1000000", "-e", f"trace={CALLS}", "-o", str(trace)]
    child = [sys.executable, "-m", "tests.faults.power", "--child", str(folder), "--synchronous", synchronous]
    subprocess.run([*command, *child], cwd=ROOT, check=True, capture_output=True, timeout=300)
    return list(_ops(trace))


def cut(ops: list[Op], cuts: int, seed: int, folder: Path) -> Outcome:
    """Cut the power at so many points, chosen by chance, and look at what is left each time."""
    chance = Random(seed)
    points = sorted(chance.randrange(1, len(ops) + 1) for _ in range(cuts))
    disk, answered = Disk(), []
    done = corrupt = lost = 0
    for point in points:
        for op in ops[done:point]:
            if op.what == "answered":
                answered.append(op.content.decode())
            else:
                disk.do(op)
        done = point
        whole, missing = _look(disk.after_a_cut(chance), answered, folder)
        corrupt += not whole
        lost += missing
    return Outcome(cuts=cuts, answered=len(answered), corrupt=corrupt, lost=lost)


def _look(files: dict[str, bytes], answered: list[str], folder: Path) -> tuple[bool, int]:
    """Return whether what is left is a whole database, and how many answered alerts are not in it."""
    place = folder / "after"
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir()
    for name, content in files.items():
        (place / name).write_bytes(content)
    try:
        with closing(sqlite3.connect(place / "world.db")) as database:
            whole = database.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
            tables = {row[0] for row in database.execute("SELECT name FROM sqlite_master")}
            known = (
                {row[0] for row in database.execute("SELECT fingerprint FROM alerts")} if "alerts" in tables else set()
            )
    except sqlite3.DatabaseError:
        return False, len(answered)
    return whole, sum(fingerprint not in known for fingerprint in answered)


def opens(files: dict[str, bytes], folder: Path) -> bool:
    """Return whether the real store takes what is left, and every chain of its journal is whole."""
    place = folder / "opened"
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir()
    for name, content in files.items():
        (place / name).write_bytes(content)
    store = Store(f"sqlite:///{place / 'world.db'}", ballast_bytes=0)
    store.open()
    numbers = store.read(lambda tx: [incident.number for incident in tx.list_incidents()])
    whole = all(store.read(lambda tx, n=number: tx.verify(n)) for number in (0, *numbers))  # type: ignore[misc]
    store.close()
    return whole


# ---------------------------------------------------------------------------------------------------- the recording


def _ops(trace: Path) -> Iterator[Op]:
    """Give what the trace says of our files, calls that were interrupted by another thread's put together."""
    waiting: dict[str, tuple[str, str]] = {}
    with trace.open(encoding="ascii", errors="replace") as lines:
        for line in lines:
            if (resumed := RESUMED.match(line)) is not None:
                name, begun = waiting.pop(resumed[1])
                yield from _op(name, begun + resumed[3])
            elif (call := CALL.match(line.rstrip("\n"))) is not None:
                if call[3].endswith(UNFINISHED):
                    waiting[call[1]] = (call[2], call[3].removesuffix(UNFINISHED))
                else:
                    yield from _op(call[2], call[3])


def _op(name: str, words: str) -> Iterator[Op]:
    path = _plain(words.partition("<")[2].partition(">")[0]).decode() if name != "unlink" else _quoted(words).decode()
    file = Path(path).name
    if file == "answered" and name == "pwrite64":
        yield Op("answered", file, content=_quoted(words))
    elif file not in ("world.db", "world.db-wal"):
        return
    elif name == "pwrite64":
        yield Op("write", file, int(words.rpartition(")")[0].rpartition(",")[2]), _quoted(words))
    elif name == "ftruncate":
        yield Op("cut", file, int(words.rpartition(")")[0].rpartition(",")[2]))
    else:
        yield Op("unlink" if name == "unlink" else "sync", file)


def _quoted(words: str) -> bytes:
    return _plain(words.partition('"')[2].partition('"')[0])


def _plain(text: str) -> bytes:
    """Return what strace escaped, byte by byte; what it left as it is stays."""
    return ESCAPED.sub(lambda found: chr(int(found[1], 16)), text).encode("latin-1")


def _apply(content: bytearray, op: Op) -> None:
    if op.what == "cut":
        del content[op.at :]
        content.extend(bytes(op.at - len(content)))
        return
    end = op.at + len(op.content)
    if len(content) < end:
        content.extend(bytes(end - len(content)))
    content[op.at : end] = op.content


# ------------------------------------------------------------------------------------------------------- the child


async def live(folder: Path, synchronous: str) -> None:
    """Take alerts in one after the other, and mark each one as answered when it is."""
    pragmas.WAL_CHECKPOINT_PAGES = CHECKPOINT_PAGES
    if synchronous != "FULL":
        _sync_less(synchronous)
    world = World(company(folder), folder)
    await world.start()
    with (folder / "answered").open("wb", buffering=0) as marks:
        for number in range(ALERTS):
            done = await world.fire("DiskFull", group=str(number), host=f"h{number}")
            os.pwrite(marks.fileno(), done.accepted[0].fingerprint.encode(), number * 100)
            await world.pass_time(seconds=7)
    await world.stop()


def _sync_less(synchronous: str) -> None:
    """Let the store sync less than it does: what this finds then shows that it can find anything."""
    honest: Callable[..., object] = pragmas.writer

    def writer(*told: object, **named: object) -> object:
        engine = honest(*told, **named)
        pragmas.event.listen(
            engine, "connect", lambda driver, _record: driver.execute(f"PRAGMA synchronous={synchronous}").close()
        )
        return engine

    pragmas.writer = writer  # type: ignore[assignment] # planted
    pragmas.check = lambda *_told, **_named: None  # type: ignore[assignment] # it would refuse


def main() -> int:
    """Record a stretch and cut it; exit 1 when something was lost or broken."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cuts", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--synchronous", default="FULL", choices=["FULL", "NORMAL", "OFF"])
    parser.add_argument("--child", type=Path, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.child is not None:
        asyncio.run(live(chosen.child, chosen.synchronous))
        return 0
    with tempfile.TemporaryDirectory(prefix="escalatord-power-", dir=fast_folder()) as name:
        ops = record(Path(name), synchronous=chosen.synchronous)
        outcome = cut(ops, chosen.cuts, chosen.seed, Path(name))
    sys.stdout.write(f"{len(ops)} operations recorded, {outcome}\n")
    return 1 if outcome.corrupt or outcome.lost else 0


if __name__ == "__main__":
    sys.exit(main())
