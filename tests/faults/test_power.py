"""The power is cut at any point of a stretch of alerts, and the disk tears what was not synced (R2)."""

import tempfile
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest

from tests.faults import power
from tests.sim.years.run import fast_folder

CUTS = 1000
pytestmark = [
    pytest.mark.faults,
    pytest.mark.xdist_group("power"),
    pytest.mark.timeout(300),
    pytest.mark.skipif(not power.can_record(), reason="strace is not there, or may not watch a child"),
]


@pytest.fixture
def memory() -> Iterator[Path]:
    """Return a folder in memory where there is one: what counts is the order of writes and syncs, not their time."""
    with tempfile.TemporaryDirectory(prefix="escalatord-power-", dir=fast_folder()) as folder:
        yield Path(folder)


def test_what_was_answered_survives_a_thousand_power_cuts(memory: Path):
    """0 lost, 0 corrupt, the making of the database and many checkpoints included."""
    ops = power.record(memory)
    outcome = power.cut(ops, CUTS, seed=1, folder=memory)
    assert (outcome.lost, outcome.corrupt) == (0, 0), outcome
    assert outcome.answered == power.ALERTS
    assert sum(op.what == "sync" and op.file == "world.db" for op in ops) > 5, "no checkpoint was cut through"
    disk, chance = power.Disk(), Random(2)
    marks = [number for number, op in enumerate(ops) if op.what == "answered"]
    for number, op in enumerate(ops):
        if op.what != "answered":
            disk.do(op)
        if number in marks[::6]:
            assert power.opens(disk.after_a_cut(chance), memory), "the store does not take what was left"


def test_a_store_that_syncs_less_loses(memory: Path):
    """With `synchronous=NORMAL`, common advice, answered alerts are lost: the cuts can find what they look for."""
    outcome = power.cut(power.record(memory, synchronous="NORMAL"), 300, seed=1, folder=memory)
    assert outcome.lost > 0, outcome
