"""The alphabet of a text message."""

# ruff: noqa: RUF001 - look-alikes are what is tested

import pytest
from hypothesis import given
from hypothesis import strategies as st

from escalatord.core.gsm7 import BASIC, EXTENSION, Cut, cut, fit, one_line, septets, to_gsm7

ANY_TEXT = st.text(st.characters(exclude_categories=()), max_size=300)


def test_the_alphabet_has_127_characters_and_10_of_two_septets() -> None:
    """Every code of the default alphabet but the escape is a character, and each stands once."""
    assert (len(BASIC), len(set(BASIC)), len(EXTENSION)) == (127, 127, 10)


@pytest.mark.parametrize(
    ("expected", "text"),
    [
        (0, ""),
        (5, "hello"),
        (2, "€"),
        (18, "^{}\\[~]|€"),
        (3, "a\nb"),
        (4, "Ñ@ß¿"),
    ],
)
def test_septets_counts_extension_characters_twice(expected: int, text: str) -> None:
    """Characters of the extension table cost two, all others one."""
    assert expected == septets(text)


def test_septets_names_the_character_that_is_not_in_the_alphabet() -> None:
    """A character outside of the alphabet is an error that says which."""
    with pytest.raises(ValueError, match=r"U\+4E2D"):
        septets("ok 中")


@pytest.mark.parametrize(
    ("expected", "text"),
    [
        ("plain @£$ text", "plain @£$ text"),
        ("\"quoted\" 'so' - ... *", "“quoted” ‘so’ — … •"),
        ("a b c d", "a\u00a0b\tc\u2009d"),
        ("Lodz", "Łódź"),
        ("cafféc", "cafféç"),
        ("1/2 fi (tm)", "½ ﬁ ™"),
        ("Privet, mir", "Привет, мир"),
        ("shchi", "щи"),
        ("AB kosmos", "ΑΒ κοσμος"),
        ("? disk", "検索 disk"),
        ("? ?", "\U0001f525 \U0001f525"),
        ("?", "?\U0001f525"),
        ("?", "\ud800"),
        ("ab", "a\u200b\u202eb"),
        ("x[y]~|", "x[y]~|"),
        ("a b", "a\x07b"),
        ("e", "e\u0335"),
    ],
)
def test_to_gsm7_reads_what_it_can(expected: str, text: str) -> None:
    """Every text has a reading in the alphabet; what has none is one question mark for each run."""
    assert expected == to_gsm7(text)


@given(ANY_TEXT)
def test_to_gsm7_is_total(text: str) -> None:
    """Any string at all, lone surrogates included, can be sent afterwards."""
    assert septets(to_gsm7(text)) >= 0


@pytest.mark.parametrize(
    ("expected", "text"),
    [
        ("a b", "a\r\nb"),
        ("a b", "  a \t\x00 b "),
        ("ab", "a\u202e\u200bb"),
        ("a ? b", "a \ud800 b"),
        ("a b c", "a\u2028b\u2029c"),
    ],
)
def test_one_line_leaves_no_second_line(expected: str, text: str) -> None:
    """Line ends, controls and writing directions of a hostile title do not reach a human."""
    assert expected == one_line(text)


def test_fit_cuts_in_the_order_given_and_nothing_else() -> None:
    """The part with the lowest order is cut first; uncuttable text stays whole."""
    text = fit(["CODE ", Cut("service", 2), ": ", Cut("a long title", 1), "\nLINK"], limit=24)
    assert "CODE service: a l..\nLINK" == text  # noqa: SIM300 - the expected value stands on the left


def test_fit_keeps_the_least_of_a_part_before_it_cuts_the_next() -> None:
    """`least` is kept in the first round and given up in the second."""
    parts = [Cut("title title", 1, least=8), Cut(" why you", 2, whole=True), " LINK"]
    assert [
        fit(parts, limit=30),
        fit(parts, limit=13),
        fit(parts, limit=10),
    ] == ["title title why you LINK", "title.. LINK", "tit.. LINK"]


def test_fit_never_cuts_what_is_not_marked() -> None:
    """When the uncuttable alone is too long, it goes out whole rather than unanswerable."""
    assert fit(["x" * 200, Cut("gone")]) == "x" * 200


@given(ANY_TEXT, ANY_TEXT)
def test_fit_stays_within_the_limit_when_it_can(title: str, service: str) -> None:
    """Whatever is to be cut, the result is one segment and keeps both ends."""
    text = fit(["CRIT K7 ", Cut(service, 2), ": ", Cut(title), "\nReply K7\nhttps://x.example/a/T"])
    assert septets(text) <= 160
    assert text.startswith("CRIT K7 ")
    assert text.endswith("\nReply K7\nhttps://x.example/a/T")


@pytest.mark.parametrize(("expected", "room"), [("abcdef", 6), ("abc..", 5), ("a..", 3), ("", 2), ("", 0)])
def test_cut_marks_that_text_goes_on(expected: str, room: int) -> None:
    """A cut text ends in two dots; where not even one character fits, nothing is left."""
    assert expected == cut("abcdef", room)


def test_cut_does_not_split_a_character_of_two_septets() -> None:
    """A character of the extension table is kept whole or left out."""
    assert "€.." == cut("€€€€", 5)  # noqa: SIM300 - the expected value stands on the left
