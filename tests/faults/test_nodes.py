"""The faults of several nodes, briefly: what `make faults` does at full length."""

from pathlib import Path

import pytest

from tests.faults import nodes

pytestmark = [pytest.mark.faults, pytest.mark.asyncio, pytest.mark.xdist_group("nodes"), pytest.mark.timeout(150)]


async def test_a_dead_nodes_work_is_done_by_the_other(tmp_path: Path):
    """One of two nodes is killed under load and stays dead: nothing is lost, nothing twice, and it is missed."""
    row = await nodes.node_stays_dead(tmp_path)
    assert (row.lost, row.duplicated) == (0, 0), row
    assert row.slowest_page_seconds <= 20, row


async def test_a_node_stopped_for_longer_than_its_lease_takes_nothing_back(tmp_path: Path):
    """SIGSTOP for 13 s: the other one does its work, and it sends nothing of what it held when it goes on."""
    row = await nodes.node_is_stopped(tmp_path, 1, 13)
    assert (row.lost, row.duplicated) == (0, 0), row
    assert row.slowest_page_seconds <= 20, row


async def test_an_outage_of_the_database_ends_nobody(tmp_path: Path):
    """PostgreSQL is away for 20 s: 503 for senders, open incidents climb to their last resort from memory."""
    row = await nodes.database_is_away(tmp_path, 20)
    assert (row.lost, row.duplicated) == (0, 0), row
