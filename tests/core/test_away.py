"""When somebody is away."""

from escalatord.core.away import Away, away_at
from tests.fakes.world import at

SPANS = (
    Away(person="ana", start=at(0), end=at(10), why="a"),
    Away(person="ana", start=at(5), end=at(20), why="b"),
    Away(person="bo", start=at(0), end=at(60)),
)


def test_a_span_holds_from_its_start_until_just_before_its_end():
    """Half-open, like every other span here."""
    assert [bool(away_at("ana", SPANS, at(minute))) for minute in (-1, 0, 19.9, 20)] == [False, True, True, False]


def test_of_several_the_one_that_ends_last_tells_when_they_are_back():
    """Whoever asks wants to know until when."""
    assert away_at("ana", SPANS, at(7)).why == "b"
    assert away_at("cy", SPANS, at(7)) is None


def test_who_wrote_an_absence_down_makes_it_no_other_absence():
    """Rules that are compared do not differ by that."""
    assert Away(person="a", start=at(0), end=at(1), by="bo") == Away(person="a", start=at(0), end=at(1))
