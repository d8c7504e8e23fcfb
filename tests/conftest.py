"""What every test stands on: chance that can be replayed, no deadlines on a wall clock, and a PostgreSQL of our own."""

from collections.abc import Iterator

import pytest
from hypothesis import settings

from tests.fakes.postgres import Server
from tests.fakes.postgres import server as running

settings.register_profile("default", deadline=None)
settings.load_profile("default")


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    """Return a PostgreSQL of our own, started when the first test asks for it."""
    with running() as started:
        yield started
