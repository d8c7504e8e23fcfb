"""What a text message means."""

# ruff: noqa: RUF001 - messages as phones write them

from itertools import product

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from escalatord.core.codes import DIGITS, LETTERS
from escalatord.respond.grammar import INFO_WORDS, START_WORDS, STOP_WORDS, Meaning, parse_reply

ACTS = {Meaning.ACK, Meaning.BARE_ACK, Meaning.ACK_ALL, Meaning.PASS_ON, Meaning.UNDO, Meaning.JOIN}
CARRIER_WORDS = sorted(STOP_WORDS | START_WORDS | INFO_WORDS)

# message, meaning, codes, more codes, note
REPLIES: list[tuple[str, Meaning, str, str, str]] = [
    ("K7", Meaning.ACK, "K7", "", ""),
    ("k7", Meaning.ACK, "K7", "", ""),
    ("K 7.", Meaning.ACK, "K7", "", ""),
    (" k.7 ", Meaning.ACK, "K7", "", ""),
    ("K-7!", Meaning.ACK, "K7", "", ""),
    ('"K7"', Meaning.ACK, "K7", "", ""),
    ("(K7", Meaning.ACK, "K7", "", ""),
    ("Ｋ７", Meaning.ACK, "K7", "", ""),
    ("K\u200b7", Meaning.ACK, "K7", "", ""),
    ("ack K7", Meaning.ACK, "K7", "", ""),
    ("ACK: k7", Meaning.ACK, "K7", "", ""),
    ("ok K7", Meaning.ACK, "K7", "", ""),
    ("on it K7", Meaning.ACK, "K7", "", ""),
    ("got it, K7", Meaning.ACK, "K7", "", ""),
    ("I have it K7", Meaning.ACK, "K7", "", ""),
    ("K7 on my way", Meaning.ACK, "K7", "", "on my way"),
    ("K7, on my way.", Meaning.ACK, "K7", "", "on my way"),
    ("K7\nETA 5 min", Meaning.ACK, "K7", "", "ETA 5 min"),
    ("K7 5 minutes", Meaning.ACK, "K7", "", "5 minutes"),
    ("K77", Meaning.ACK, "K77", "", ""),
    ("k77 here", Meaning.ACK, "K77", "", "here"),
    ("K7 keep", Meaning.ACK, "K7", "", ""),
    ("K7 keep it", Meaning.ACK, "K7", "", ""),
    ("K7 K9", Meaning.ACK, "K7", "K9", ""),
    ("K7, K9 and M4", Meaning.ACK, "K7", "K9 M4", ""),
    ("k7/k9 both mine", Meaning.ACK, "K7", "K9", "both mine"),
    ("K7 P2 page for the db", Meaning.ACK, "K7", "P2", "page for the db"),
    ("K7 a 4 hour job", Meaning.ACK, "K7", "", "a 4 hour job"),
    ("K7N", Meaning.PASS_ON, "K7", "", ""),
    ("k7 n", Meaning.PASS_ON, "K7", "", ""),
    ("K 7 N.", Meaning.PASS_ON, "K7", "", ""),
    ("K7n am driving", Meaning.PASS_ON, "K7", "", "am driving"),
    ("K7 pass on", Meaning.PASS_ON, "K7", "", ""),
    ("K7 next!", Meaning.PASS_ON, "K7", "", ""),
    ("K7M", Meaning.MITIGATED, "K7", "", ""),
    ("k7m rolled back", Meaning.MITIGATED, "K7", "", "rolled back"),
    ("K7 mitigated", Meaning.MITIGATED, "K7", "", ""),
    ("K7U", Meaning.UNDO, "K7", "", ""),
    ("k7 undo", Meaning.UNDO, "K7", "", ""),
    ("K7 u", Meaning.UNDO, "K7", "", ""),
    ("K7 u there?", Meaning.ACK, "K7", "", "u there?"),
    ("K7+", Meaning.JOIN, "K7", "", ""),
    ("K7 +", Meaning.JOIN, "K7", "", ""),
    ("k7 join", Meaning.JOIN, "K7", "", ""),
    ("K7+ five minutes", Meaning.JOIN, "K7", "", "five minutes"),
    ("K7L", Meaning.LIST, "K7", "", ""),
    ("k7 list", Meaning.LIST, "K7", "", ""),
    ("K7?", Meaning.HELP, "K7", "", ""),
    ("K7 ?", Meaning.HELP, "K7", "", ""),
    ("?", Meaning.HELP, "", "", ""),
    (" ?? ", Meaning.HELP, "", "", ""),
    ("ok", Meaning.BARE_ACK, "", "", ""),
    ("OK!", Meaning.BARE_ACK, "", "", ""),
    ("O.K.", Meaning.BARE_ACK, "", "", ""),
    ("okay", Meaning.BARE_ACK, "", "", ""),
    ("Ack", Meaning.BARE_ACK, "", "", ""),
    ("1", Meaning.BARE_ACK, "", "", ""),
    ("on  it", Meaning.BARE_ACK, "", "", ""),
    ("got it", Meaning.BARE_ACK, "", "", ""),
    ("ALL", Meaning.ACK_ALL, "", "", ""),
    ("ack all", Meaning.ACK_ALL, "", "", ""),
    ("ok thx", Meaning.UNCLEAR, "", "", ""),
    ("ok?", Meaning.UNCLEAR, "", "", ""),
    ("not ok", Meaning.UNCLEAR, "", "", ""),
    ("yes K7", Meaning.UNCLEAR, "", "", ""),
    ("no K7", Meaning.UNCLEAR, "", "", ""),
    ("stop K7", Meaning.UNCLEAR, "", "", ""),
    ("K7 not me", Meaning.UNCLEAR, "K7", "", ""),
    ("K7 no", Meaning.UNCLEAR, "K7", "", ""),
    ("K7 can't", Meaning.UNCLEAR, "K7", "", ""),
    ("K7 can’t", Meaning.UNCLEAR, "K7", "", ""),
    ("K7 stop", Meaning.UNCLEAR, "K7", "", ""),
    ("K7, K9N", Meaning.ACK, "K7", "", "K9N"),
    ("K7N K9", Meaning.UNCLEAR, "K7", "", "K9"),
    ("K7th", Meaning.UNCLEAR, "", "", ""),
    ("K777", Meaning.UNCLEAR, "", "", ""),
    ("O7", Meaning.UNCLEAR, "", "", ""),
    ("K1", Meaning.UNCLEAR, "", "", ""),
    ("OK7", Meaning.UNCLEAR, "", "", ""),
    ("see K7", Meaning.UNCLEAR, "", "", ""),
    ("2", Meaning.UNCLEAR, "", "", ""),
    ("4", Meaning.UNCLEAR, "", "", ""),
    ("resolve K7", Meaning.UNCLEAR, "", "", ""),
    ("", Meaning.UNCLEAR, "", "", ""),
    ("\ud800\x00", Meaning.HELP, "", "", ""),
    ("+34 600 000 001", Meaning.UNCLEAR, "", "", ""),
]


@pytest.mark.parametrize(("text", "meaning", "code", "more", "note"), REPLIES, ids=[repr(row[0]) for row in REPLIES])
def test_a_reply_means(text: str, meaning: Meaning, code: str, more: str, note: str) -> None:
    """The table of replies: forgiving in form, strict in what acks."""
    reply = parse_reply(text)
    assert (meaning, code, more, note) == (reply.meaning, "".join(reply.codes), " ".join(reply.more), reply.note)


def spaced(word: str) -> list[str]:
    """Return a word in every dress that a phone, a person or an attacker gives it."""
    wide = "".join(chr(ord(letter) + 0xFEE0) for letter in word)
    bold = "".join(chr(0x1D400 + ord(letter) - ord("A")) for letter in word)
    circled = "".join(chr(0x24B6 + ord(letter) - ord("A")) for letter in word)
    return [
        word,
        word.lower(),
        word.capitalize(),
        word.swapcase(),
        f" {word} ",
        f"{word}.",
        f"\t{word}!\n",
        " ".join(word),
        ".".join(word),
        "\u200b".join(word),
        "\u0301".join([*word, ""]),
        f"\ufeff{word}",
        f"“{word}”",
        wide,
        wide.lower(),
        bold,
        circled,
        "\u00a0".join(wide),
    ]


@pytest.mark.parametrize("word", CARRIER_WORDS)
def test_words_of_the_carrier_are_never_commands(word: str) -> None:
    """In every case, spacing and Unicode form they mean what the carrier means by them."""
    expected = Meaning.STOP if word in STOP_WORDS else Meaning.START if word in START_WORDS else Meaning.CARRIER_INFO
    assert {expected} == {parse_reply(text).meaning for text in spaced(word)}


@pytest.mark.parametrize(("word", "tail"), list(product(CARRIER_WORDS, (" please", " K7", ", thanks", " 1", " ok"))))
def test_a_message_that_starts_with_such_a_word_acks_nothing(word: str, tail: str) -> None:
    """More words behind one do not make it a command of ours."""
    assert parse_reply(word + tail).meaning not in ACTS


@given(st.text(st.characters(exclude_categories=()), max_size=400))
@example("K7" * 800)
def test_any_text_has_a_meaning(text: str) -> None:
    """The grammar is total; a code is read only where its two signs stand at the start."""
    reply = parse_reply(text)
    assert "\n" not in reply.text
    for code in (*reply.codes, *reply.more):
        assert code[0] in LETTERS
        assert set(code[1:]) <= set(DIGITS)
    if reply.meaning in ACTS:
        assert reply.codes or reply.meaning in {Meaning.BARE_ACK, Meaning.ACK_ALL}


def test_a_long_message_is_bounded() -> None:
    """A note is kept up to its limit, a flood of codes too."""
    assert len(parse_reply("K7 " + "x" * 3000).note) == 500
    assert len(parse_reply("K7 " + "K9 " * 300).more) == 20
