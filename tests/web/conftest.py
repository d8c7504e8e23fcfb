"""One night for each test of the web floor."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio

from tests.fakes.web_engine import Night, night


@pytest_asyncio.fixture
async def world(tmp_path: Path) -> AsyncIterator[Night]:
    """Return a daemon with the shipped rules, without tokens and without sender."""
    async with night(tmp_path) as made:
        yield made


@pytest_asyncio.fixture
async def guarded(tmp_path: Path) -> AsyncIterator[Night]:
    """Return a daemon with one token for each role."""
    async with night(tmp_path) as made:
        made.give_tokens()
        yield made
