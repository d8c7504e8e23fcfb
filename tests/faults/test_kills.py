"""The short form of the kills: the same program, fewer times."""

from pathlib import Path

import pytest

from tests.faults.kills import die_at_points, kill_again_and_again

pytestmark = [pytest.mark.faults, pytest.mark.asyncio, pytest.mark.xdist_group("kills"), pytest.mark.timeout(180)]


async def test_nothing_is_lost_and_nothing_sent_twice_when_the_provider_can_be_asked(tmp_path: Path):
    """Ten kills under load: every answered alert climbs to its end, and no attempt is created twice."""
    row = await kill_again_and_again(tmp_path, 10, seed=1)
    assert (row.lost, row.duplicated) == (0, 0), row
    assert row.alerts > 30


async def test_at_most_what_was_in_flight_is_sent_twice_when_the_provider_cannot_be_asked(tmp_path: Path):
    """Five kills, the provider's list answers 500: nothing is lost, copies are no more than the attempts in flight."""
    row = await kill_again_and_again(tmp_path, 5, seed=2, can_ask=False)
    assert row.lost == 0, row
    assert row.duplicated <= row.begun_again, row


async def test_death_at_every_named_point_loses_and_doubles_nothing(tmp_path: Path):
    """The real process dies before and after a commit, a call and a question: what counts is the same everywhere."""
    row = await die_at_points(tmp_path, (1,))
    assert (row.lost, row.duplicated) == (0, 0), row
