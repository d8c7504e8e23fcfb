"""Whether the loops turn: each says so whenever it does, and who has not for too long is named."""

from collections.abc import Mapping

from escalatord.clock import Clock

STUCK_SECONDS = 30.0


class Pulse:
    """The last sign of life of every eternal loop, on the clock that never jumps. Loops are few and named in code."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._beats: dict[str, float] = {}

    def beat(self, loop: str) -> None:
        """Note that a loop turns; one that was never heard of is not missed."""
        self._beats[loop] = self._clock.monotonic()

    def silent(self) -> Mapping[str, float]:
        """Return the loops not heard of for STUCK_SECONDS, each with its silence in seconds."""
        now = self._clock.monotonic()
        return {loop: now - at for loop, at in self._beats.items() if now - at >= STUCK_SECONDS}
