"""Anomalies: what is usual, what departs from it, and how that is said."""

from datetime import UTC, datetime

import pytest

from escalatord.core.anomaly import HOURS_PER_WEEK, departs, hour_of, same_hours, say, score, start_of, usual
from escalatord.core.rules import AnomalyKind

STORM, SILENCE = AnomalyKind
HOUR = hour_of(datetime(2026, 10, 24, 3, 59, 59, tzinfo=UTC))


def test_hours_are_counted_from_1970():
    """The number of an hour leads back to its beginning."""
    assert start_of(HOUR) == datetime(2026, 10, 24, 3, tzinfo=UTC)
    assert hour_of(start_of(HOUR + 1)) == HOUR + 1


def test_the_same_hour_of_four_weeks_is_compared():
    """Newest first, what is not known left out, and no fifth week."""
    past = {HOUR - HOURS_PER_WEEK * week: week * 10 for week in (1, 3, 4, 5)}
    assert same_hours({**past, HOUR - 1: 99}, HOUR) == (10, 30, 40)


@pytest.mark.parametrize(
    ("counts", "expected"),
    [
        ((), None),
        ((40, 40), None),
        ((40, 60, 50), (50.0, 25.0, 100.0)),
        ((40, 400, 50, 60), (55.0, 27.5, 110.0)),
        ((0, 0, 0), (0.0, 0.0, 20.0)),
    ],
)
def test_the_median_of_enough_weeks_is_usual(counts, expected):
    """One strange week moves nothing; fewer than three weeks say nothing."""
    known = usual(counts, 2.0)
    assert (known and (known.expected, known.low, known.high)) == expected


@pytest.mark.parametrize(
    ("kind", "counts", "observed", "expected"),
    [
        (STORM, (40, 40, 40), 120, False),
        (STORM, (40, 40, 40), 121, True),
        (STORM, (0, 0, 0), 30, False),
        (STORM, (0, 0, 0), 31, True),
        (SILENCE, (30, 30, 30), 10, False),
        (SILENCE, (30, 30, 30), 9, True),
        (SILENCE, (9, 9, 9), 0, False),
        (SILENCE, (10, 10, 10), 0, True),
    ],
)
def test_a_departure_begins_past_the_factor(kind, counts, observed, expected):
    """At the limit it is usual still; small numbers are chance."""
    assert departs(kind, observed, usual(counts, 3.0)) is expected


@pytest.mark.parametrize(
    ("kind", "observed", "expected"), [(STORM, 160, 4.0), (STORM, 40, 1.0), (SILENCE, 10, 4.0), (SILENCE, 0, 40.0)]
)
def test_the_score_is_how_many_times(kind, observed, expected):
    """A rule compares one number, whichever way it departs."""
    assert score(kind, observed, usual((40, 40, 40), 3.0)) == expected


def test_a_departure_is_explained():
    """What was observed, what is usual, and the very counts it rests on."""
    assert say("am", HOUR, 160, usual((40, 38, 45), 3.0)) == (
        "160 alerts from am between 03:00 and 04:00 UTC; 13 to 120 are usual (this hour in past weeks: 40, 38, 45)"
    )
