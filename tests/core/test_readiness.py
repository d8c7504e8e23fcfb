"""Figures about whether tonight would work."""

from dataclasses import replace
from datetime import date, time

from escalatord.core.calendar import Hours
from escalatord.core.readiness import people_by_readiness, reviews_overdue, seconds_to_gaps
from escalatord.core.schedule import Layer, Rotation, RotationUnit, Schedule
from tests.fakes.rulesets import threshold
from tests.fakes.world import RULESET, T0


def test_people_are_ready_partly_or_unreachable():
    """One dead address makes a person partly ready; all dead makes them unreachable."""
    dead = {("ana", "sms"), ("bo", "sms"), ("bo", "call"), ("bo", "email")}
    assert people_by_readiness(RULESET, dead) == {"ready": 3, "partly": 1, "unreachable": 1}


def test_the_next_gap_is_counted_in_seconds():
    """A schedule that covers only half of the day has its gap; one that covers all has none within 90 days."""
    rotation = Rotation(unit=RotationUnit.DAILY, at=time(0), starts=date(2026, 1, 1))
    always = Layer(name="a", timezone="UTC", rotation=rotation, people=("ana",))
    half = replace(always, active=(Hours(start=time(0), end=time(12)),))
    schedules = {
        "whole": Schedule(name="whole", timezone="UTC", layers=(always,)),
        "half": Schedule(name="half", timezone="UTC", layers=(half,)),
    }
    found = seconds_to_gaps(replace(RULESET, schedules=schedules), T0, ())
    assert found == {"whole": float("inf"), "half": 11 * 3600.0}


def test_reviews_are_overdue_the_day_after_their_date():
    """The date itself is still in time."""
    rules = tuple(
        replace(threshold(f"r{index}"), review_by=day) for index, day in enumerate(["2026-10-23", "2026-10-24", ""])
    )
    assert reviews_overdue(replace(RULESET, thresholds=rules), T0) == 1
