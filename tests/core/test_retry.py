"""The lattice of what is known of an attempt, and pauses between tries."""

from functools import reduce
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from escalatord.core.incident import Attempt
from escalatord.core.retry import CHAIN, FINAL, advance

NEWS = st.lists(st.sampled_from(Attempt), max_size=12)


def test_every_state_has_its_place_in_the_chain() -> None:
    """A new state without a place in the order fails here."""
    assert sorted(Attempt) == sorted(CHAIN)


@pytest.mark.parametrize(
    ("expected", "current", "news"),
    [
        (Attempt.DELIVERED, Attempt.ACCEPTED, Attempt.DELIVERED),
        (Attempt.DELIVERED, Attempt.DELIVERED, Attempt.ACCEPTED),
        (Attempt.DELIVERED, Attempt.FAILED_PERMANENT, Attempt.DELIVERED),
        (Attempt.DELIVERED, Attempt.DELIVERED, Attempt.FAILED_PERMANENT),
        (Attempt.DELIVERED, Attempt.WITHDRAWN, Attempt.DELIVERED),
        (Attempt.WITHDRAWN, Attempt.WITHDRAWN, Attempt.ACCEPTED),
        (Attempt.WITHDRAWN, Attempt.WITHDRAWN, Attempt.FAILED_PERMANENT),
        (Attempt.ACCEPTED, Attempt.FAILED_TEMPORARY, Attempt.ACCEPTED),
        (Attempt.ACCEPTED, Attempt.ACCEPTED, Attempt.FAILED_TEMPORARY),
        (Attempt.FAILED_PERMANENT, Attempt.ACCEPTED, Attempt.FAILED_PERMANENT),
        (Attempt.SENDING, Attempt.PENDING, Attempt.SENDING),
        (Attempt.SENDING, Attempt.SENDING, Attempt.PENDING),
    ],
)
def test_advance_only_climbs(expected: Attempt, current: Attempt, news: Attempt) -> None:
    """Old news is no news; delivered beats every failure."""
    assert expected == advance(current, news)


@given(st.lists(st.sampled_from(Attempt), max_size=5))
def test_any_permutation_of_receipts_ends_in_the_same_state(news: list[Attempt]) -> None:
    """Callbacks may come in any order."""
    ends = {reduce(advance, order, Attempt.PENDING) for order in permutations(news)}
    assert 1 == len(ends)  # noqa: SIM300 - the expected value stands on the left


@given(NEWS)
def test_repeated_receipts_change_nothing(news: list[Attempt]) -> None:
    """Callbacks may come twice."""
    once = reduce(advance, news, Attempt.PENDING)
    assert once == reduce(advance, news + news, Attempt.PENDING) == reduce(advance, news, once)


@given(st.sampled_from(sorted(FINAL)), NEWS)
def test_a_final_state_is_left_only_for_one_that_is_final(state: Attempt, news: list[Attempt]) -> None:
    """Nothing that ended begins again by a callback."""
    assert reduce(advance, news, state) in FINAL
