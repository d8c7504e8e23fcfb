"""A year on call on every commit: no seed breaks an invariant, and a seed tells the same story twice."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.sim.years.run import simulate

ROOT = Path(__file__).resolve().parents[3]
SEEDS_EACH = 7
DAYS_EACH = 13.1
PARTS = 4


@pytest.mark.timeout(600)
@pytest.mark.parametrize("part", range(PARTS), ids=lambda part: f"quarter {part + 1}")
def test_a_year_on_call_breaks_no_invariant(part: int):
    """Twenty-eight stretches of 13 days, with everything going wrong that can: I1 to I12 hold after every step."""
    for seed in range(1 + part * SEEDS_EACH, 1 + (part + 1) * SEEDS_EACH):
        outcome = simulate(seed, DAYS_EACH)
        assert not outcome.broken, outcome.report
        assert outcome.pages, "a quiet fortnight proves nothing"


@pytest.mark.timeout(300)
def test_a_seed_replays_bit_for_bit():
    """Two processes, whose sets are in different orders, come to the same hash of everything that happened."""
    told = []
    for order in ("1", "2"):
        command = [sys.executable, "-m", "tests.sim.years", "--seed", "5", "--days", "3", "--quiet"]
        environ = {**os.environ, "PYTHONHASHSEED": order}
        done = subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True, check=True, timeout=200)
        told.append([line for line in done.stdout.splitlines() if line.startswith("hash ")])
    assert len(told[0]) == 1
    assert told[0] == told[1]


def test_a_failure_says_how_to_see_it_again(monkeypatch: pytest.MonkeyPatch):
    """What breaks an invariant is told with its number, its seed, its step, and the lines just before."""
    monkeypatch.setattr("tests.sim.years.invariants.violations", lambda _incident: ("planted",))
    outcome = simulate(5, 3.0)
    assert outcome.broken.startswith("I3: INC-1: planted")
    assert "make sim SEED=5 DAYS=3" in outcome.report
    assert 0 < len(outcome.story) <= 30
