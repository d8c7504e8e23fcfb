"""The night of `crashes`, and the database away at every point of it: for some minutes nothing is committed.

    python -m tests.sim.years.outages               # at every commit and call; some minutes

The process lives and goes on from memory. With `--doubt` the commit at which the database goes away is carried out,
though its answer is lost; with `--deaths` the process dies in the middle of the outage and is started when it is over.
At the end of the night everybody must have heard what they had to hear, once, and the journal tells all of it. After a
death what memory alone knew may come once more, and so may what followed a commit in doubt.
"""

import argparse
import asyncio
import logging
import sqlite3
import sys
import tempfile
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from random import Random

import structlog

from escalatord.core.incident import Attempt
from tests.sim.years.crashes import NIGHT, Night, Tally, Told, lasting, night
from tests.sim.years.invariants import BrokenError
from tests.sim.years.life import Life
from tests.sim.years.rules import Books
from tests.sim.years.run import fast_folder
from tests.sim.years.trace import tell

AWAY_SECONDS = 420.0
DIES_AFTER_SECONDS = 200.0
HANDED_OVER = (Attempt.ACCEPTED, Attempt.DELIVERED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Absence:
    """An absence of the database: from which point of the night, whether its last commit is in doubt, and a death."""

    point: int
    in_doubt: bool = False
    deadly: bool = False


class NightWithout(Night):
    """The night, without its database for a while."""

    def __init__(self, life: Life, absence: Absence) -> None:
        super().__init__(life, 0, can_ask=True)
        self._absence = absence
        self.memories = 0

    def _dies(self, point: str) -> bool:
        if super()._dies(point) or point == "read":
            return False
        if len(self.told.points) == self._absence.point:
            disk = self._life.disk
            disk.trouble, disk.unreadable, disk.in_doubt = sqlite3.SQLITE_IOERR, True, self._absence.in_doubt
            self._faults.begin()
            self._do(self._come_back())
        return False

    async def _come_back(self) -> None:
        life, disk = self._life, self._life.disk
        began_at = life.clock.monotonic()
        await life.clock.sleep(DIES_AFTER_SECONDS)
        self.memories += life.engine.outage.degraded is not None
        if self._absence.deadly:
            # what was sent on time after the start is not asked about: at most one copy of what died with memory
            known = {row.reference for n in self._names for row in life.store.peek(lambda tx, n=n: tx.outbox_of(n))}
            life.phones.excused.update(name for name in life.phones.made_at if name not in known)
            self._died_at, disk.dead = life.clock.elapsed, True
            disk.trouble, disk.unreadable, disk.in_doubt = 0, False, False
        else:
            await life.clock.sleep(AWAY_SECONDS - DIES_AFTER_SECONDS)
            if self._absence.in_doubt:  # a name may stand for one message of memory and for another of the database
                life.phones.excused.update(name for name, at in life.phones.made_at.items() if max(at) >= began_at)
            disk.trouble, disk.unreadable, disk.in_doubt = 0, False, False
        self._faults.end()

    async def _reckon(self) -> None:
        store, phones = self._life.store, self._life.phones
        for number in self._names:
            if not store.peek(lambda tx, n=number: tx.verify(n)):
                raise BrokenError("I12", f"the journal of INC-{number} is not whole")
        known = {row.reference: row for n in self._names for row in store.peek(lambda tx, n=n: tx.outbox_of(n))}
        unknown = [name for name in phones.made_at if name not in known]
        # what memory alone knew died with it; and a step in doubt gives what follows other names
        if unknown and not (self._absence.deadly or self._absence.in_doubt):
            raise BrokenError("I7", f"{unknown} went out and is not on record")
        await super()._reckon()


def night_without(absence: Absence) -> tuple[Told, int]:
    """Live through the night with that absence; return it, and how often pages went on from memory."""

    async def live(folder: Path) -> tuple[Told, int]:
        asyncio.get_running_loop().set_exception_handler(lambda *_: None)  # tasks of the dead
        life = Life(folder, NIGHT, Books(folder), Random(1))
        try:
            it = NightWithout(life, absence)
            return await it.live(), it.memories
        finally:
            await life.phones.close()

    with tempfile.TemporaryDirectory(prefix="escalatord-away-", dir=fast_folder()) as name:
        return asyncio.run(live(Path(name)))


def be_away_everywhere(absences: Iterable[Absence], whole: Told) -> tuple[Tally, int]:
    """Live through the night once for each absence; BrokenError with it when too little or too much was heard."""
    tally, memories = Tally(), 0
    for absence in absences:
        where = f"{absence} ({whole.points[absence.point - 1]})"
        try:
            told, remembered = night_without(absence)
        except BrokenError as error:
            raise BrokenError(error.number, f"{error}, {where}") from error
        if missing := whole.heard - told.heard:
            raise BrokenError("I2", f"{sorted(missing)} is lost, {where}")
        if told.twice and not (absence.deadly or absence.in_doubt):
            raise BrokenError("I7", f"{told.twice} was made twice, {where}")
        tally.nights += 1
        tally.pages += told.pages
        memories += remembered
    return tally, memories


def main() -> int:
    """Be away everywhere; exit 1 when something was lost or doubled."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--every", type=int, default=1, help="every n-th point only")
    parser.add_argument("--first", type=int, default=0, help="the first of them")
    parser.add_argument("--doubt", action="store_true", help="the last commit is carried out, its answer is lost")
    parser.add_argument("--deaths", action="store_true", help="the process dies before the database is back")
    chosen = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    began, whole = time.monotonic(), night()
    points = lasting(whole.points)[chosen.first :: chosen.every]
    absences = [Absence(point=point, in_doubt=chosen.doubt, deadly=chosen.deaths) for point in points]
    try:
        tally, memories = be_away_everywhere(absences, whole)
    except BrokenError as error:
        tell(str(error))
        return 1
    seconds = time.monotonic() - began
    tell(f"{tally.nights} absences, {memories} of them gone through from memory, in {seconds:.0f} s:")
    tell(f"{tally.pages} messages, 0 lost, 0 made twice")
    return 0


if __name__ == "__main__":
    sys.exit(main())
