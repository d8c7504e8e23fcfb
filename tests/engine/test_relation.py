"""Alerts by key and keys by alert: both sides agree, and everything can be taken back."""

from hypothesis import given
from hypothesis import strategies as st

from escalatord.engine.relation import Relation

PLACES = st.sampled_from([("am", "a"), ("am", "b"), ("x", "a")])
WANTED = st.dictionaries(st.sampled_from("klm"), st.integers(0, 3))


def shown(relation):
    """Return the whole of it from both sides."""
    places = {place: frozenset(relation.keys_of(place)) for place in relation.places()}
    return {key: dict(group) for key, group in relation.items()}, places


@given(st.lists(st.tuples(PLACES, WANTED), max_size=12), st.integers(0, 12))
def test_changes_are_kept_on_both_sides_and_undone_in_reverse(changes, mark):
    """After any changes the two sides are the same relation; undoing leads back to what was there."""
    undo, states = [], []
    relation = Relation(undo)
    marks = []
    for place, wanted in changes:
        marks.append(len(undo))
        states.append(shown(relation))
        relation.put(place, wanted)
        by_key, by_place = shown(relation)
        assert by_place.get(place, frozenset()) == wanted.keys()
        assert {(key, at) for key, group in by_key.items() for at in group} == {
            (key, at) for at, keys in by_place.items() for key in keys
        }
    if mark < len(marks):
        while len(undo) > marks[mark]:
            undo.pop()()
        assert shown(relation) == states[mark]


def test_who_belongs_already_keeps_the_value():
    """Putting the same keys again changes nothing, not even the values."""
    undo = []
    relation = Relation(undo)
    relation.put(("am", "a"), {"k": 1})
    relation.put(("am", "a"), {"k": 2, "l": 3})
    assert (dict(relation.of("k")), dict(relation.of("l")), dict(relation.of("m"))) == (
        {("am", "a"): 1},
        {("am", "a"): 3},
        {},
    )
