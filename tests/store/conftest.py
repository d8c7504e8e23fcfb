"""A store for each test, on each database we support."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from escalatord.store.store import Store

BACKENDS = ("sqlite", "postgresql")


@pytest.fixture(params=BACKENDS)
def url(request, tmp_path: Path) -> str:
    """Return the address of an empty database, of either kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'escalatord.db'}"
    return request.getfixturevalue("server").make_schema()


@pytest.fixture
def open_store(url: str) -> Iterator[Callable[..., Store]]:
    """Return a function that opens another store at `url`; all are closed at the end."""
    opened: list[Store] = []

    def open_one(**settings) -> Store:
        store = Store(url, **{"ballast_bytes": 4096, **settings})
        store.open()
        opened.append(store)
        return store

    yield open_one
    for store in opened:
        store.close()


@pytest.fixture
def store(open_store) -> Store:
    """Return an open store."""
    return open_store()
