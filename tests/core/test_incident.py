"""The incident as a value."""

from dataclasses import replace

from escalatord.core.events import Resolve
from escalatord.core.incident import Via
from tests.fakes.world import T0, at, opened, run


def test_incident_is_called_as_humans_call_it():
    """Everybody says INC-142."""
    assert opened(number=142).label == "INC-142"


def test_main_is_the_first_track():
    """The first track speaks for the incident."""
    incident = opened()
    assert incident.main is incident.tracks[0]
    assert incident.main.name == "technical"


def test_track_is_found_by_name_or_not_at_all():
    """An unknown name is answered with None, not with a guess."""
    incident = opened()
    assert incident.track("stakeholder") is incident.tracks[1]
    assert incident.track("nowhere") is None


def test_next_due_is_the_earliest_deadline_of_any_track():
    """The indexed column is derived from the timers, and empty once it is over."""
    incident = opened()
    assert incident.next_due_at == at(3)
    swapped = replace(incident, timers=incident.timers[::-1])
    assert swapped.next_due_at == at(3)
    closed = run(incident, (Resolve(person="ana", via=Via.WEB), T0)).incident
    assert closed.next_due_at is None
