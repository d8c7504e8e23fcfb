"""Copies of frozen values are what `dataclasses.replace` makes."""

import dataclasses
from dataclasses import dataclass

import pytest

from escalatord.core.incident import Page, Track, TrackState
from escalatord.core.matchers import Matcher, MatchOp
from escalatord.core.values import replace
from tests.store.samples import NOW

TRACK = Track(name="technical", policy="p", pages=(Page(person="ana", tier=1, target="person ana", at=NOW),))


@dataclass(frozen=True, slots=True, kw_only=True)
class Alone:
    """A value with one field only."""

    field: int


@pytest.mark.parametrize("changes", [{}, {"tier": 2}, {"state": TrackState.RUNNING, "pages": ()}], ids=str)
def test_a_copy_has_the_changes_and_the_rest(changes):
    """It equals the standard library's copy, and the original stays as it was."""
    before = dataclasses.replace(TRACK)
    assert dataclasses.replace(TRACK, **changes) == replace(TRACK, **changes)
    assert before == TRACK
    with pytest.raises(dataclasses.FrozenInstanceError):
        replace(TRACK).tier = 3


def test_a_field_that_is_none_is_refused():
    """A misspelt field is an error and no silence."""
    with pytest.raises(TypeError, match="Track has no field 'teir'"):
        replace(TRACK, teir=2)


def test_a_value_of_one_field_is_copied_too():
    """One field or forty: the copy equals the original and is another object."""
    alone = Alone(field=1)
    assert replace(alone) == alone
    assert replace(alone) is not alone
    assert replace(alone, field=2) == Alone(field=2)


def test_values_that_check_themselves_are_left_to_the_library():
    """A class with a __post_init__ would skip it here: it is refused."""
    with pytest.raises(TypeError, match=r"dataclasses\.replace"):
        replace(Matcher(name="a", op=MatchOp.EQUAL, value="b"))
