"""Tokens of ack links and number matching."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from escalatord.core.tokens import ALPHABET, is_long, mint, numbers, right_number, token_hash

KEY = b"0123456789abcdef0123456789abcdef"
TOKENS = st.text(st.sampled_from(ALPHABET), min_size=26, max_size=26)


def test_a_short_token_has_13_characters_and_a_long_one_26() -> None:
    """65 and 130 bits, in an alphabet without look-alikes."""
    short = mint(KEY, 142, "ana", "sms", "technical", long=False)
    long = mint(KEY, 142, "ana", "mail", "technical", long=True)
    assert (len(short), len(long), is_long(short), is_long(long)) == (13, 26, False, True)
    assert set(short + long) <= set(ALPHABET)
    assert not set("ILOU") & set(ALPHABET)


def test_a_token_is_the_same_again_and_another_for_anything_else() -> None:
    """The link of a message lost with a disk can be written again; no two bindings share one."""
    bindings = [
        (142, "ana", "sms", "technical"),
        (143, "ana", "sms", "technical"),
        (142, "bo", "sms", "technical"),
        (142, "ana", "mail", "technical"),
        (142, "ana", "sms", "stakeholder"),
        (142, "anas", "ms", "technical"),
    ]
    tokens = [mint(KEY, *binding, long=long) for binding in bindings for long in (False, True)]
    assert tokens == [mint(KEY, *binding, long=long) for binding in bindings for long in (False, True)]
    assert len(tokens) == len(set(tokens))
    assert not any(one != other and other.startswith(one) for one in tokens for other in tokens)
    assert mint(b"x" * 32, *bindings[0], long=False) != tokens[0]


def test_a_short_key_is_refused() -> None:
    """A guessable key would make every link guessable."""
    with pytest.raises(ValueError, match="needs 32"):
        mint(b"short", 1, "ana", "sms", "technical", long=False)


@pytest.mark.parametrize("typed", ["7qf3m9tx2b4kp", "7QF3-M9TX-2B4KP", "7QF3 M9TX 2B4KP"])
def test_the_hash_forgives_how_a_token_is_typed(typed: str) -> None:
    """Case, hyphens and spaces do not matter."""
    assert token_hash("7QF3M9TX2B4KP") == token_hash(typed)


def test_the_hash_reads_look_alikes_as_digits() -> None:
    """Somebody who types O and l means 0 and 1."""
    assert token_hash("0011000000000") == token_hash("oOlI000000000")


@given(st.text(st.characters(exclude_categories=()), max_size=300))
def test_any_text_has_a_hash(token: str) -> None:
    """Whatever stands in the path of a request is a token that nobody was given."""
    assert len(token_hash(token)) == 64


@given(TOKENS)
def test_the_right_number_is_the_middle_one_of_three(token: str) -> None:
    """The right button is never the first nor the last of the page."""
    three = numbers(token)
    assert len(set(three)) == 3
    assert all(10 <= number <= 99 for number in three)
    assert three[1] == right_number(token)
    assert three == numbers(token.lower())
