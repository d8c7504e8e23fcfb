"""Reply codes."""

from collections.abc import Collection
from itertools import pairwise

import pytest

from escalatord.core.codes import DIGITS, DOUBLE_MAX, LETTERS, SINGLE_MAX, free_codes, parse


def next_code(in_use: Collection[str]) -> str:
    """Return the code that is given next, "" when there is none."""
    return next(free_codes(in_use), "")


def all_codes(count: int) -> list[str]:
    """Return the first codes that somebody gets who keeps them all."""
    used: dict[str, None] = {}
    for _ in range(count):
        used[next_code(used)] = None
    return list(used)


def test_the_first_code_is_k7() -> None:
    """The code in every example is the one a first page really has."""
    assert next_code(()) == "K7"


def test_all_codes_of_one_digit_come_before_those_of_two() -> None:
    """152 pages of one person have a letter and a digit; the next ones two digits."""
    codes = all_codes(SINGLE_MAX + 3)
    assert SINGLE_MAX == 152 == len({code for code in codes if len(code) == 2})
    assert all(len(code) == 3 for code in codes[SINGLE_MAX:])


def test_neighbours_differ_in_both_signs() -> None:
    """A slip of one sign does not meet the code given just before or after."""
    codes = all_codes(SINGLE_MAX)
    assert all(one[0] != other[0] and one[1] != other[1] for one, other in pairwise(codes))


def test_no_code_has_a_look_alike() -> None:
    """Signs that are taken for one another on a small screen are not used."""
    assert not set("IOQSZBG01") & set(LETTERS + DIGITS)


def test_a_free_code_is_given_again() -> None:
    """What nobody uses any more comes first."""
    codes = all_codes(5)
    assert codes[2] == next_code(set(codes) - {codes[2]})


def test_nobody_gets_a_code_twice_and_the_end_is_said() -> None:
    """Past 1,368 codes there is none: an empty one, and the message offers its link alone."""
    every = [letter + digit + more for letter in LETTERS for digit in DIGITS for more in ("", *DIGITS)]
    assert len(set(every)) == SINGLE_MAX + DOUBLE_MAX == 1368
    assert sorted(free_codes(())) == sorted(every)
    assert list(free_codes(every)) == []
    assert all(next_code(set(every) - {code}) == code for code in every[::97])


@pytest.mark.parametrize(
    ("expected", "text"),
    [
        ("K7", "K7"),
        ("K7", "k7"),
        ("K7", " K 7. "),
        ("K7", "k-7!"),
        ("K7", "Ｋ７"),  # noqa: RUF001 - full-width on purpose
        ("K77", "k77"),
        ("", "K777"),
        ("", "K1"),
        ("", "O7"),
        ("", "7K"),
        ("", "K"),
        ("", ""),
        ("", "K7 now"),
    ],
)
def test_parse_reads_a_code_written_any_way(expected: str, text: str) -> None:
    """Case, spaces, dots and wide letters do not matter; anything else is no code."""
    assert expected == parse(text)
