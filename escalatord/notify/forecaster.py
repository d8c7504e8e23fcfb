"""What comes next, foreseen once for incidents that are alike."""

from collections import deque
from datetime import datetime

from escalatord.core import forecast
from escalatord.core.alike import NO_WORDS, filled_in
from escalatord.core.forecast import Rung
from escalatord.core.incident import Incident
from escalatord.core.ruleset import World
from escalatord.core.values import replace

FORESEEN_MAX = 8
"""So many are remembered: what one round of claims opens alike is of few kinds."""


class Forecaster:
    """Foresees `next_tier` once for incidents that are alike: in a storm every page says who follows.

    It remembers the last few, each for as long as the world and the incident stay as they are, words apart.
    """

    def __init__(self) -> None:
        self._known: deque[tuple[World, str, Incident, Rung | None]] = deque(maxlen=FORESEEN_MAX)

    def next_tier(self, incident: Incident, world: World, now: datetime, track: str) -> Rung | None:
        """Return what `next_tier` does."""
        due = incident.next_due_at
        if due is None or due <= now:  # only what lies ahead does not depend on the instant
            return forecast.next_tier(incident, world, now, track)
        alike = replace(filled_in(incident, NO_WORDS), version=0)
        for known_world, known_track, known, rung in self._known:
            if known_world is world and known_track == track and known == alike:
                return rung
        rung = forecast.next_tier(alike, world, now, track)
        self._known.appendleft((world, track, alike, rung))
        return rung
