"""A bounded memory of what came lately: for replays, limits and answers already given.

Losing an entry (a restart, too many others) never changes what is true: the incident's own state guards every effect.
"""

from collections import OrderedDict
from collections.abc import Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")

RECENT_MAX = 10_000


class Recent(Generic[K, V]):
    """The newest `limit` entries; touching one makes it the newest."""

    def __init__(self, limit: int = RECENT_MAX) -> None:
        self._limit = limit
        self._entries: OrderedDict[K, V] = OrderedDict()

    def __len__(self) -> int:
        return len(self._entries)

    def __contains__(self, key: object) -> bool:
        return key in self._entries

    def get(self, key: K) -> V | None:
        """Return what is known of `key`."""
        return self._entries.get(key)

    def put(self, key: K, value: V) -> None:
        """Remember `value`, forgetting the oldest entry when there are too many."""
        self._entries[key] = value
        self._entries.move_to_end(key)
        if len(self._entries) > self._limit:
            self._entries.popitem(last=False)

    def drop(self, key: K) -> None:
        """Forget `key`."""
        self._entries.pop(key, None)
