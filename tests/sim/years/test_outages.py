"""A database that goes away at any point of a night and comes back minutes later: pages go on, once (R3, R4)."""

from functools import cache

import pytest

from tests.sim.years.crashes import Told, lasting, night
from tests.sim.years.outages import Absence, be_away_everywhere

EVERY = 260


@cache
def whole() -> Told:
    """Return the night in which nothing is away."""
    return night()


def absences(first: int, **how: bool) -> list[Absence]:
    """Return an absence at every so manieth commit and call of the night."""
    return [Absence(point=point, **how) for point in lasting(whole().points)[first::EVERY]]


@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    ("first", "how"),
    [
        pytest.param(40, {}, id="the process goes on from memory"),
        pytest.param(90, {"in_doubt": True}, id="the last commit was carried out and nobody heard"),
        pytest.param(140, {"deadly": True}, id="the process dies before the database is back"),
    ],
)
def test_nothing_is_lost_and_nothing_doubled_without_the_database(first: int, how: dict[str, bool]):
    """`python -m tests.sim.years.outages` goes through all of the night."""
    tally, memories = be_away_everywhere(absences(first, **how), whole())
    assert tally.nights > 1
    assert memories > 0
