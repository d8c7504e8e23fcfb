"""Which alerts belong to what, looked up from both sides; every change can be taken back."""

from collections.abc import Callable, Collection, Hashable, Iterable, Mapping
from types import MappingProxyType
from typing import Generic, TypeAlias, TypeVar

Place: TypeAlias = tuple[str, str]
"""An alert's identity: source and fingerprint."""
K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Relation(Generic[K, V]):
    """Alerts by key and keys by alert, a value for each pair. Changes append how to undo them to `undo`."""

    __slots__ = ("_by_key", "_by_place", "_undo")

    def __init__(self, undo: list[Callable[[], object]]) -> None:
        self._undo = undo
        self._by_key: dict[K, dict[Place, V]] = {}
        self._by_place: dict[Place, dict[K, None]] = {}

    def of(self, key: K) -> Mapping[Place, V]:
        """Return the alerts that belong to `key`, with their values; a view."""
        return self._by_key.get(key) or MappingProxyType({})

    def keys_of(self, place: Place) -> Collection[K]:
        """Return what an alert belongs to; a copy."""
        return tuple(self._by_place.get(place, ()))

    def places(self) -> Collection[Place]:
        """Return every alert that belongs to anything; a view."""
        return self._by_place.keys()

    def items(self) -> Iterable[tuple[K, Mapping[Place, V]]]:
        """Return the alerts by key; a view."""
        return self._by_key.items()

    def enter(self, key: K, place: Place, value: V) -> None:
        """Let an alert belong to `key`; it must not yet."""
        self._enter(key, place, value)
        self._undo.append(lambda: self._leave(key, place))

    def leave(self, key: K, place: Place) -> None:
        """Let an alert that belongs to `key` no longer do so."""
        value = self._leave(key, place)
        self._undo.append(lambda: self._enter(key, place, value))

    def put(self, place: Place, wanted: Mapping[K, V]) -> None:
        """Let an alert belong to just these; those it belongs to already keep their values."""
        known = self.keys_of(place)
        for key in known:
            if key not in wanted:
                self.leave(key, place)
        for key, value in wanted.items():
            if key not in known:
                self.enter(key, place, value)

    def _enter(self, key: K, place: Place, value: V) -> None:
        self._by_key.setdefault(key, {})[place] = value
        self._by_place.setdefault(place, {})[key] = None

    def _leave(self, key: K, place: Place) -> V:
        group, keys = self._by_key[key], self._by_place[place]
        value = group.pop(place)
        del keys[key]
        if not group:
            del self._by_key[key]
        if not keys:
            del self._by_place[place]
        return value
