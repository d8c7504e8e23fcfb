"""Incidents whose steps raised: put aside for a while, longer each time, so that everybody else is on time."""

from datetime import datetime, timedelta

POISON_SECONDS = 30.0
POISON_SECONDS_MAX = 3600.0


class Poison:
    """What is put aside, and until when."""

    def __init__(self) -> None:
        self._until: dict[int, tuple[datetime, float]] = {}

    def __bool__(self) -> bool:
        return bool(self._until)

    def put_aside(self, number: int, now: datetime) -> None:
        """Look at an incident later."""
        _until, seconds = self._until.get(number, (None, POISON_SECONDS / 2))
        seconds = min(seconds * 2, POISON_SECONDS_MAX)
        self._until[number] = (now + timedelta(seconds=seconds), seconds)

    def aside(self, now: datetime) -> tuple[int, ...]:
        """Return the incidents that are not to be looked at now."""
        return tuple(number for number, (until, _seconds) in self._until.items() if until > now)
