"""The even clock: a wall clock that is set is held back until whoever waits knows; a suspend is no step."""

import time
from datetime import UTC, datetime, timedelta

import pytest

from escalatord.clock import STEP_SECONDS, SteadyClock, SystemClock

START = datetime(2026, 10, 24, 3, 11, tzinfo=UTC)


class Machine:
    """Two clocks that can be set apart."""

    def __init__(self) -> None:
        self.wall, self.elapsed = START, 100.0

    def now(self) -> datetime:
        """Return the wall clock."""
        return self.wall

    def monotonic(self) -> float:
        """Return the other one."""
        return self.elapsed

    async def sleep(self, seconds: float) -> None:
        """Let both go on."""
        self.go_on(seconds)

    def go_on(self, seconds: float) -> None:
        """Let both go on."""
        self.wall += timedelta(seconds=seconds)
        self.elapsed += seconds


@pytest.mark.parametrize("hours", [3, -3, 24, -24, 100_000], ids=lambda hours: f"{hours} h")
def test_a_step_is_held_back_until_it_is_taken_over(hours: int):
    """The instant goes on evenly after the clock was set, and is the new one once that was taken over."""
    machine = Machine()
    clock = SteadyClock(machine)
    machine.go_on(60)
    machine.wall += timedelta(hours=hours)
    machine.go_on(1)
    assert clock.now() == START + timedelta(seconds=61)
    assert clock.step() == timedelta(hours=hours)
    clock.take_over(clock.step())
    assert clock.step() == timedelta(0)
    assert clock.now() == machine.wall


def test_small_steps_are_followed():
    """A second told twice, and a clock that drifts, are followed: nobody waits noticeably longer or shorter."""
    machine = Machine()
    clock = SteadyClock(machine)
    for _ in range(10):
        machine.wall += timedelta(seconds=STEP_SECONDS * 0.9)
        assert clock.step() == timedelta(0)
        assert clock.now() == machine.wall


def test_the_elapsed_seconds_count_a_suspend():
    """The clock that never jumps is the one that counts the time for which the machine slept."""
    assert SystemClock().monotonic() == pytest.approx(time.clock_gettime(time.CLOCK_BOOTTIME), abs=5)
