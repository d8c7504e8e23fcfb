"""A resolver that hangs, briefly: what `make faults` does at full length."""

from pathlib import Path

import pytest

from tests.faults import dns

pytestmark = [
    pytest.mark.faults,
    pytest.mark.asyncio,
    pytest.mark.xdist_group("dns"),
    pytest.mark.timeout(90),
    pytest.mark.skipif(not dns.can_hang(), reason="nothing can be mounted in a namespace here"),
]


@pytest.mark.parametrize("known", [True, False], ids=["the address is known", "the address was never known"])
async def test_a_resolver_that_hangs_holds_up_nobody(tmp_path: Path, *, known: bool):
    """Pages go on by the kept address, or by the fallback; the other channel feels nothing."""
    row = await dns.names_hang(tmp_path, 3, known=known)
    assert (row.lost, row.duplicated) == (0, 0), row
