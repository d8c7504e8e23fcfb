"""Acks against everything else that happens at their instant: no page starts after its ack (R19)."""

import pytest

from tests.sim.years.races import races

TIMES_EACH = 500


@pytest.mark.timeout(600)
@pytest.mark.parametrize("part", range(4), ids=lambda part: f"part {part + 1}")
def test_no_page_starts_after_its_ack_whoever_is_first(part: int):
    """Five hundred races each: acks, passes and ends at the instant of a deadline, in any order of the loop's turns."""
    tally = races(1 + 100 * part, TIMES_EACH)
    assert tally.races == TIMES_EACH
    assert len(tally.orders) > TIMES_EACH * 0.8, "chance must make different races"
    assert tally.acked > TIMES_EACH * 0.3
    assert tally.withdrawn > 0
