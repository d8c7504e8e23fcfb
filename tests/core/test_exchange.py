"""Exchanges: whose shift is next, and which two can be swapped."""

import pytest

from escalatord.core.exchange import NoSwap, Swap, next_shift, swap
from escalatord.core.schedule import Layer, RotationUnit, Shift
from tests.fakes.duty import duty, hours, layer, stand_in, turns, utc

WEEKLY = duty(layer("ana bo cy", turns(RotationUnit.WEEKLY), zone="UTC"))
NOW = utc("2026-01-07 12:00")


def shift(person: str, start: str, end: str, because: str = "layer eu") -> Shift:
    """Return a shift between two instants given in UTC."""
    return Shift(person=person, start=utc(start), end=utc(end), because=because)


def test_the_next_shift_starts_later() -> None:
    """Ana has duty now, so her next shift is two weeks after this one; Bo's is next week."""
    assert next_shift(WEEKLY, "ana", NOW) == shift("ana", "2026-01-26 09:00", "2026-02-02 09:00")
    assert next_shift(WEEKLY, "bo", NOW) == shift("bo", "2026-01-12 09:00", "2026-01-19 09:00")


def test_a_shift_that_starts_at_the_instant_is_the_next() -> None:
    """At the hand-off itself the new person's shift counts, a moment later it is under way."""
    assert next_shift(WEEKLY, "bo", utc("2026-01-12 09:00")) == shift("bo", "2026-01-12 09:00", "2026-01-19 09:00")
    assert next_shift(WEEKLY, "bo", utc("2026-01-12 09:00:00.000001")).start == utc("2026-02-02 09:00")


def test_overrides_are_shifts_too() -> None:
    """Somebody who stands in next has that as the next shift."""
    dentist = stand_in("cy", "2026-01-08", "2026-01-09", "dentist")
    found = next_shift(WEEKLY, "cy", NOW, (dentist,))
    assert found == shift("cy", "2026-01-08", "2026-01-09", "override: dentist")


def test_far_and_endless_shifts() -> None:
    """A turn in half a year is found; a duty that never ends is nobody's next shift."""
    seldom = duty(layer("ana bo", turns(RotationUnit.MONTHLY, every=6), zone="UTC"))
    assert next_shift(seldom, "bo", NOW) == shift("bo", "2026-07-05 09:00", "2027-01-05 09:00")
    alone = duty(layer("ana", turns(starts="2026-02-01"), zone="UTC"))
    assert next_shift(alone, "ana", NOW) is None


def test_two_shifts_are_swapped() -> None:
    """Each gets the other's next one."""
    assert swap(WEEKLY, ("bo", "cy"), NOW) == Swap(
        first=shift("bo", "2026-01-12 09:00", "2026-01-19 09:00"),
        second=shift("cy", "2026-01-19 09:00", "2026-01-26 09:00"),
    )


@pytest.mark.parametrize(
    ("people", "why"),
    [
        pytest.param(("bo", "bo"), NoSwap.SAME_PERSON, id="with oneself"),
        pytest.param(("bo", "dee"), NoSwap.NO_SHIFT, id="with somebody without shifts"),
        pytest.param(("dee", "bo"), NoSwap.NO_SHIFT, id="of somebody without shifts"),
    ],
)
def test_some_shifts_cannot_be_swapped(people: tuple[str, str], why: NoSwap) -> None:
    """The reason is named."""
    assert swap(WEEKLY, people, NOW) is why


def test_shifts_at_the_same_time_cannot_be_swapped() -> None:
    """Who is on call together has nothing to exchange."""
    daily = (hours("08:00-20:00"),)
    crew = Layer(name="crew", timezone="UTC", rotation=None, people=("ana", "bo"), active=daily)
    assert swap(duty(crew), ("ana", "bo"), NOW) is NoSwap.OVERLAP
