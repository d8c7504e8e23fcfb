"""Exchanges: somebody's next shift, and what two people need who swap theirs.

A shift is the time somebody is on call without a break and for one reason: in a layer with hours, one day's hours.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from escalatord.core.schedule import RESOLUTION, Override, Schedule, Shift, shifts

LOOK_AHEAD_DAYS = (30, 120, 400)
"""Looked through one after another: most shifts are near, and a year of hourly turns takes a while."""


class NoSwap(StrEnum):
    """Why two shifts cannot be swapped."""

    SAME_PERSON = "same_person"
    NO_SHIFT = "no_shift"
    OVERLAP = "overlap"


@dataclass(frozen=True, slots=True, kw_only=True)
class Swap:
    """`first` gives away their next shift and gets that of `second`, and the other way round."""

    first: Shift
    second: Shift


def next_shift(schedule: Schedule, person: str, after: datetime, overrides: Sequence[Override] = ()) -> Shift | None:
    """Return the next shift of `person` that starts at or after `after`, whole; None when none starts and ends soon.

    A shift that is under way at `after` does not count: it is not the next one.
    """
    for days in LOOK_AHEAD_DAYS:
        end = after + timedelta(days=days)
        # from a moment before, so that what is under way is seen to have started earlier
        for shift in shifts(schedule, after - RESOLUTION, end, overrides):
            if shift.person == person and shift.start >= after and shift.end < end:
                return shift
    return None


def swap(
    schedule: Schedule, people: tuple[str, str], after: datetime, overrides: Sequence[Override] = ()
) -> Swap | NoSwap:
    """Return the next shifts of two people that start at or after `after`, or why they cannot be swapped."""
    if people[0] == people[1]:
        return NoSwap.SAME_PERSON
    first, second = (next_shift(schedule, person, after, overrides) for person in people)
    if first is None or second is None:
        return NoSwap.NO_SHIFT
    if first.start < second.end and second.start < first.end:
        return NoSwap.OVERLAP
    return Swap(first=first, second=second)
