"""A process that dies at any point of a night: everybody hears what they had to hear, and once (R1)."""

from functools import cache

import pytest

from tests.sim.years.crashes import Told, die_everywhere, lasting, night

EVERY = 20
EVERY_UNASKED = 40


@cache
def whole(*, can_ask: bool) -> Told:
    """Return the night in which nothing dies."""
    return night(can_ask=can_ask)


def test_the_night_passes_every_kind_of_point():
    """Commits, calls, questions to providers, and the making of the database are all in it."""
    points = set(whole(can_ask=True).points)
    assert {"begin", "commit", "committed", "send", "sent", "lookup", "looked"} <= points
    assert {"CREATE TABLE outbox", "INSERT settings", "INSERT overrides", "INSERT dead_letters"} <= points


@pytest.mark.timeout(600)
@pytest.mark.parametrize("offset", [0, 7, 13])
def test_nothing_is_lost_and_nothing_doubled_where_the_provider_can_be_asked(offset: int):
    """Every so manieth point of the night: 0 lost, 0 twice; `python -m tests.sim.years.crashes` dies at all of them."""
    numbers = lasting(whole(can_ask=True).points)
    tally = die_everywhere(numbers[offset :: 3 * EVERY], whole(can_ask=True), can_ask=True)
    assert tally.nights > len(numbers) // (3 * EVERY) - 1
    assert tally.in_flight > 0


@pytest.mark.timeout(600)
def test_at_most_what_was_in_flight_is_made_twice_where_nobody_can_be_asked():
    """Providers that never answer a question: after 3 s the page goes out all the same, at most once more."""
    numbers = lasting(whole(can_ask=False).points)
    tally = die_everywhere(numbers[::EVERY_UNASKED], whole(can_ask=False), can_ask=False)
    assert tally.in_flight > 0


@pytest.mark.timeout(600)
def test_a_database_in_the_making_survives_death_at_every_statement():
    """The first start dies before each statement of the migration; the next one makes the database whole."""
    points = whole(can_ask=True).points
    making = [number for number, point in enumerate(points[:60], start=1) if point.startswith(("CREATE", "PRAGMA"))]
    assert len(making) > 30
    die_everywhere(making, whole(can_ask=True), can_ask=True)
