"""The clock of the machine is set while the daemon runs: hours and days forth and back, a second told twice, 2038.

The wall clock of the daemon's process is libfaketime's, which reads how wrong it is from a file; the clock that never
jumps is left alone, as by a real step. Whatever a deadline was, it comes after as many seconds as before.
"""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from escalatord.clock import STEP_SECONDS
from tests.fakes.processes import Daemon, call
from tests.faults.load import Load
from tests.faults.site import ANA, BO, CY, Row, Site, Wiring, site

ALERTS_PER_SECOND = 3.0
WITHIN_SECONDS = 5.0
BETWEEN_JUMPS_SECONDS = 3.0
EARLY_SECONDS_MAX = 1.0
LATE_SECONDS_MAX = 2.0
# The library looks into the file every second, when it is asked for the time.
JOURNALED_SECONDS_MAX = 15.0
# No loop sleeps longer than this, and the clock that it sleeps by stood still.
IDLE_SECONDS_MAX = 5.0
HOUR = 3600.0
STEPS = (3 * HOUR, -3 * HOUR)
"""By how much the clock is set, one step after the other; together they are 0."""
LEAP = (-1.0, 1.0)
DAYS = (24 * HOUR, -48 * HOUR, 24 * HOUR)
LIBRARIES = ("libfaketimeMT.so.1", "libfaketime.so.1")


def library() -> Path | None:
    """Return libfaketime, None where it is not installed."""
    places = [*Path("/usr/lib").glob("*/faketime"), Path("/usr/lib/faketime")]
    return next((place / name for place in places for name in LIBRARIES if (place / name).exists()), None)


def can_fake() -> bool:
    """Tell whether the clock of a child can be set here, while its other clock goes on as it did."""
    found = library()
    if found is None:
        return False
    program = "import time; print(time.time() - time.clock_gettime(time.CLOCK_BOOTTIME))"
    said = [
        subprocess.run(
            [sys.executable, "-c", program], env={**os.environ, **extra}, capture_output=True, text=True, check=False
        ).stdout
        for extra in ({}, {"LD_PRELOAD": str(found), "FAKETIME": "+3h", "FAKETIME_DONT_FAKE_MONOTONIC": "1"})
    ]
    return all(said) and abs(float(said[1]) - float(said[0]) - 3 * HOUR) < 1


def to_2038() -> tuple[float, float]:
    """Return the steps into the second day after the last second of 32 bits, and back."""
    away = (datetime(2038, 1, 20, tzinfo=UTC) - datetime.now(UTC)).total_seconds()
    return round(away), -round(away)


class OnWrongClock(Daemon):
    """The daemon, whose wall clock is wrong by what `set_off` says."""

    def __init__(self, folder: Path, rules: Path) -> None:
        super().__init__(folder, rules)
        self._offset = folder / "clock"
        self.set_off(0.0)
        faked = {
            "LD_PRELOAD": str(library()),
            "FAKETIME_TIMESTAMP_FILE": str(self._offset),
            "FAKETIME_CACHE_DURATION": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            # else waits of threads end too late, or never
            "FAKETIME_FORCE_MONOTONIC_FIX": "0",
        }
        self._command = ["env", *(f"{name}={value}" for name, value in faked.items()), *self._command]

    def set_off(self, seconds: float) -> None:
        """Make the clock so wrong from now on."""
        fresh = self._offset.with_suffix(".new")
        fresh.write_text(f"{seconds:+.0f}\n")
        fresh.replace(self._offset)


class OnSleepyMachine(Daemon):
    """The daemon on a machine that was suspended for as long as `slept` says (see `suspended`)."""

    def __init__(self, folder: Path, rules: Path) -> None:
        super().__init__(folder, rules)
        self._file = folder / "suspended"
        self.slept(0.0)
        self._command = [sys.executable, "-m", "tests.faults.suspended", str(self._file), *self._command[3:]]

    def slept(self, seconds: float) -> None:
        """Have it been suspended for so long since its start."""
        fresh = self._file.with_suffix(".new")
        fresh.write_text(str(seconds))
        fresh.replace(self._file)


async def clock_is_set(folder: Path, steps: Sequence[float], *, stopped_seconds: float = 0.0) -> Row:
    """Set the clock by each of `steps` under load; `stopped_seconds` > 0 stops the process around each.

    Only a stop of some seconds beside it makes a page late, and then by no more than the stop.
    """
    wiring = Wiring(within=f"{WITHIN_SECONDS:g}s")
    async with site(folder, wiring, make=OnWrongClock) as here:
        await here.start()
        load = here.load(ALERTS_PER_SECOND)
        posting = asyncio.create_task(load.run())
        off, told, stops = 0.0, 0, []
        for step in steps:
            await here.wait(BETWEEN_JUMPS_SECONDS)
            off += step
            stops.append(await set_clock(here, off, stopped_seconds))
            told += abs(step) > STEP_SECONDS
            await here.until(
                "the step is noticed", lambda wanted=told: journaled(here) >= wanted, JOURNALED_SECONDS_MAX
            )
        await here.wait(BETWEEN_JUMPS_SECONDS)
        await here.quiet(load)
        await posting
        assert call(f"{here.daemon.url}/-/healthy"), "the daemon takes itself for ill"
        assert load.refused == {}, "a sender was told not to try again"
        assert await here.stop() == 0, here.said()
        early, late = deviations(here, load, stops if stopped_seconds else [])
        row = here.reckon(load, len(steps), f"earliest {early:+.2f} s, latest {late:+.2f} s; {told} steps journaled")
        assert early >= -EARLY_SECONDS_MAX, row
        assert late <= LATE_SECONDS_MAX, row
        once(here)
        return row


async def machine_sleeps(folder: Path, seconds: float) -> Row:
    """Suspend the machine for so long: then one page for each incident, marked late, and no burst."""
    async with site(folder, Wiring(within=f"{WITHIN_SECONDS:g}s"), make=OnSleepyMachine) as here:
        assert isinstance(here.daemon, OnSleepyMachine)
        await here.start()
        load = here.load(ALERTS_PER_SECOND)
        posting = asyncio.create_task(load.run())
        await here.wait(2.0)
        load.stop()
        await posting
        await here.until("Ana knows all", lambda: not here.unpaged(load, (ANA,)))
        assert not here.paged(BO), "nobody has climbed yet"
        here.signal(signal.SIGSTOP)
        await here.wait(1.0)
        here.daemon.slept(seconds)
        here.signal(signal.SIGCONT)
        again_at = here.clock.monotonic()
        await here.quiet(load)
        bo, cy, texts = here.paged(BO), here.paged(CY), here.heard(BO)
        after = max(bo.values()) - again_at
        assert await here.stop() == 0, here.said()
        row = here.reckon(load, 1, f"overdue pages left {after:.2f} s after it went on")
        assert all("LATE" in told[0] for told in texts.values()), texts
        assert all(cy[number] - bo[number] > WITHIN_SECONDS - EARLY_SECONDS_MAX for number in bo), "a burst"
        assert after <= IDLE_SECONDS_MAX + LATE_SECONDS_MAX, row
        once(here)
        return row


def once(here: Site) -> None:
    """Assert that nobody heard of one incident twice."""
    for phone in (ANA, BO, CY):
        assert all(len(texts) == 1 for texts in here.heard(phone).values()), f"{phone} was paged more than once"


async def set_clock(here: Site, off: float, stopped_seconds: float) -> tuple[float, float]:
    """Set the clock, while the process is stopped if wished; return from when to when it was (monotonic)."""
    assert isinstance(here.daemon, OnWrongClock)
    began = here.clock.monotonic()
    if stopped_seconds:
        here.signal(signal.SIGSTOP)
        await here.wait(stopped_seconds)
    here.daemon.set_off(off)
    if stopped_seconds:
        here.signal(signal.SIGCONT)
    return began, here.clock.monotonic()


def deviations(here: Site, load: Load, stops: Sequence[tuple[float, float]]) -> tuple[float, float]:
    """Return by how many seconds tiers after the first were paged too early and too late, the worst of each.

    Windows follow one another from the answer on; one that ended while the process was stopped ends when it goes on.
    """
    early, late = 0.0, 0.0
    heard = [here.paged(phone) for phone in (BO, CY)]
    for one in load.answered:
        earliest, latest = one.posted_at, one.answered_at  # it was committed between these two
        for phone in heard:
            earliest, latest = (_put_off(at + WITHIN_SECONDS, stops) for at in (earliest, latest))
            if one.incident in phone:
                early = min(early, phone[one.incident] - earliest)
                late = max(late, phone[one.incident] - latest)
    return early, late


def _put_off(at: float, stops: Sequence[tuple[float, float]]) -> float:
    return next((on for off, on in stops if off <= at <= on), at)


def journaled(here: Site) -> int:
    """Return how many steps of the clock the log tells of."""
    assert here.daemon.running is not None
    return here.daemon.running.log.read_text().count("what waits moves with it")


async def noticed(here: Site, steps: int) -> None:
    """Wait until the log tells of so many steps of the clock."""
    await here.until("the step is noticed", lambda: journaled(here) >= steps, JOURNALED_SECONDS_MAX)
