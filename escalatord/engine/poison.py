"""Incidents whose steps raise: put aside one by one and looked at again later, each time later; people hear of it.

Everybody else is on time. What is put aside is in memory alone: a restart looks at it at once, and puts it aside again.
"""

from datetime import datetime, timedelta

from escalatord.clock import Clock
from escalatord.engine.commands import Remark
from escalatord.engine.written import Written

POISON_SECONDS = 30.0
POISON_SECONDS_MAX = 3600.0
TELL_EVERY_SECONDS = 3600.0
ADVICE = "The log says what it was, the journal what it was about. Everything else goes on. Please report it."


class Poison:
    """What is put aside, and until when."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._until: dict[int, tuple[datetime, float]] = {}
        self._told_at = float("-inf")

    def put_aside(self, now: datetime) -> tuple[int, ...]:
        """Return the incidents that are not to be looked at now."""
        return tuple(number for number, (until, _seconds) in self._until.items() if until > now)

    def hear(self, written: Written) -> Remark | None:
        """Put aside what raised in a transaction; return what people have to hear of it, once an hour.

        Of alerts that failed with their body people hear by its dead letter.
        """
        for number in written.poisoned:
            _before, seconds = self._until.get(number, (None, POISON_SECONDS / 2))
            seconds = min(seconds * 2, POISON_SECONDS_MAX)
            self._until[number] = (self._clock.now() + timedelta(seconds=seconds), seconds)
        kinds = [entry.kind for entry in written.entries]
        now = self._clock.monotonic()
        failed = kinds.count("command_failed") > kinds.count("dead_letter")
        if not failed or now - self._told_at < TELL_EVERY_SECONDS:
            return None
        self._told_at = now
        which = f": incident {written.poisoned[0]} is put aside and tried again" if written.poisoned else ""
        tell = f"escalatord failed at something and took it back{which}"
        return Remark(kind="failure_told", body={"incidents": list(written.poisoned)}, tell=tell, advice=ADVICE)
