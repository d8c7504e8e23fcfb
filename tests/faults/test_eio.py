"""EIO at writes and syncs, briefly: what `make faults` does at full length."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults import eio
from tests.sim.years.run import fast_folder

pytestmark = [
    pytest.mark.faults,
    pytest.mark.asyncio,
    pytest.mark.xdist_group("eio"),
    pytest.mark.timeout(90),
    pytest.mark.skipif(not eio.can_fail(), reason="strace is not there, or may not watch a child"),
]


@pytest.fixture
def memory() -> Iterator[Path]:
    """Return a folder in memory where there is one: what counts is which call fails, not its time."""
    with tempfile.TemporaryDirectory(prefix="escalatord-eio-", dir=fast_folder()) as folder:
        yield Path(folder)


async def test_writes_and_syncs_that_fail_lose_nothing(memory: Path):
    """Two nights with failures here and there, checkpoints included: nothing lost, nothing twice, no restart."""
    row = await eio.nights(memory, ["37+301", "180+301"])
    assert (row.lost, row.duplicated) == (0, 0), row
    assert row.count > 4, row


async def test_a_start_that_fails_says_so_and_the_next_one_works(memory: Path):
    """Every fortieth call in the making of a database fails: a sentence and exit code 1."""
    row = await eio.starts_fail(memory, 40)
    assert row.count > 3, row
