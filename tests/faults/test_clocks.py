"""The faults of the clock, briefly: what `make faults` does at full length."""

from pathlib import Path

import pytest

from tests.faults import clocks

pytestmark = [pytest.mark.faults, pytest.mark.asyncio, pytest.mark.xdist_group("clocks"), pytest.mark.timeout(120)]


@pytest.mark.skipif(not clocks.can_fake(), reason="libfaketime is not here: apt install libfaketime")
async def test_a_clock_that_is_set_moves_no_page(tmp_path: Path):
    """Set by 3 h, forth and back, under load: every tier comes after as many seconds as before, each person once."""
    row = await clocks.clock_is_set(tmp_path, clocks.STEPS)
    assert (row.lost, row.duplicated) == (0, 0), row


async def test_a_suspended_machine_pages_once_and_late(tmp_path: Path):
    """Suspended for 3 h: what came due meanwhile is paged once, marked late, and the tier after it waits its window."""
    row = await clocks.machine_sleeps(tmp_path, 3 * clocks.HOUR)
    assert (row.lost, row.duplicated) == (0, 0), row
