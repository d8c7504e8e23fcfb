"""Whether the loops turn: each says so whenever it does, and who has not for too long is named."""

from collections.abc import Collection

from escalatord.clock import Clock

STUCK_SECONDS = 30.0


class Pulse:
    """The last sign of life of every eternal loop, on the clock that never jumps.

    Loops are few and named in code; lanes of the sender count as loops. `idle` are the lanes in which nothing is under
    way as far as the sender knows: what waits there for long has been forgotten.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._beats: dict[str, tuple[float, float]] = {}
        self.idle: frozenset[str] = frozenset()

    def beat(self, loop: str, patience_seconds: float = STUCK_SECONDS) -> None:
        """Note that a loop turns, and for how long it may be silent now; one that was never heard of is not missed."""
        self._beats[loop] = (self._clock.monotonic(), patience_seconds)

    def keep(self, prefix: str, loops: Collection[str]) -> None:
        """Forget the loops whose names begin with `prefix`, but these."""
        for gone in [loop for loop in self._beats if loop.startswith(prefix) and loop not in loops]:
            del self._beats[gone]

    def silent(self) -> tuple[str, ...]:
        """Return the loops that have been silent for too long, by name."""
        now = self._clock.monotonic()
        return tuple(sorted(loop for loop, (at, patience) in self._beats.items() if now - at >= patience))
