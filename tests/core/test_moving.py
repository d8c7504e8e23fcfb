"""What is remembered moves with a clock that was set; what a calendar says stays."""

from datetime import timedelta

import pytest

from escalatord.core.incident import Timer, TimerKind
from escalatord.core.moving import moved_alert, moved_incident
from tests.store import samples

BY = timedelta(hours=3)


@pytest.mark.parametrize("by", [BY, -BY], ids=["forth", "back"])
def test_every_instant_of_an_incident_moves_and_nothing_else(by: timedelta):
    """Its age, its deadlines and what its pages waited stay as long as they were; moved back it is the same."""
    shift = Timer(kind=TimerKind.SHIFT_END, at=samples.minutes(60), track="technical", subject="night")
    before = samples.incident(1)
    before = samples.replace(before, timers=(*before.timers, shift))
    after = moved_incident(before, by)
    assert after.opened_at == before.opened_at + by
    assert after.timers == (samples.replace(before.timers[0], at=before.timers[0].at + by), shift)
    assert after.tracks[0].pages[0].at == before.tracks[0].pages[0].at + by
    assert moved_incident(after, -by) == before


@pytest.mark.parametrize("by", [BY, -BY], ids=["forth", "back"])
def test_an_alert_is_looked_at_no_later_and_its_durations_stay(by: timedelta):
    """What a rule has counted goes on; the next look is the earlier of both; what the sender said stays."""
    due, held = samples.minutes(5), samples.minutes(-2)
    before = samples.alert(due_at=due, held={"slow/error": held})
    after = moved_alert(before, by)
    assert after.held == {"slow/error": held + by}
    assert after.due_at == min(due, due + by)
    assert after.alert == before.alert
    assert after.last_seen_at - after.opened_at == before.last_seen_at - before.opened_at
