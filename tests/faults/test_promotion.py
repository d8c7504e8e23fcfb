"""The promotion of a replica, briefly: what `make faults` does again and again."""

from pathlib import Path

import pytest

from tests.faults import promotion

pytestmark = [
    pytest.mark.faults,
    pytest.mark.asyncio,
    pytest.mark.xdist_group("nodes"),
    pytest.mark.timeout(120),
    pytest.mark.skipif(not promotion.can_copy(), reason="pg_basebackup is not here: apt install postgresql"),
]


async def test_a_synchronous_replica_has_all_that_was_answered(tmp_path: Path):
    """The primary dies under load, its replica is promoted: 0 lost, 0 twice, and senders get 2xx again."""
    row = await promotion.replica_is_promoted(tmp_path)
    assert (row.lost, row.duplicated) == (0, 0), row
