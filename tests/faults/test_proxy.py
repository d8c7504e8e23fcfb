"""A bad way to the provider, briefly: what `make faults` does at full length."""

from pathlib import Path

import pytest

from tests.faults.proxy import Mode, way_is_bad

pytestmark = [pytest.mark.faults, pytest.mark.asyncio, pytest.mark.xdist_group("proxy"), pytest.mark.timeout(90)]


@pytest.mark.parametrize("mode", [Mode.CUT, Mode.GARBAGE])
async def test_a_bad_way_to_the_provider_costs_no_page(tmp_path: Path, mode: Mode):
    """Answers cut off after the provider has the text, and garbage: everybody is paged in time, nothing twice."""
    row = await way_is_bad(tmp_path, mode, 2)
    assert (row.lost, row.duplicated) == (0, 0), row
