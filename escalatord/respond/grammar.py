"""What a text message means, before anybody knows who sent it.

- A code starts the message, after an ack word at most: `K7`, `k 7.`, `ack K7`, `K7 on my way` (the rest is a note).
- A letter behind the code says something else: `K7N` pass on, `K7U` undo, `K7L` list, `K7M` mitigated, `K7+` join; so
  do the words.
- Without a code only a few whole messages ack: `ok`, `ack`, `1`, `on it`. `ALL` means every page that waits.
- Words of the carrier (STOP, START, HELP and their kin), in any case, spacing or Unicode form, are never commands.
- Anything else is unclear, and unclear acks nothing. A refusal after a code (`K7 not me`) is unclear, not an ack.
"""

import re
import unicodedata
from dataclasses import dataclass
from enum import StrEnum

from escalatord.core.codes import DIGITS, LETTERS
from escalatord.core.gsm7 import one_line

TEXT_CHARACTERS_MAX = 1600
NOTE_CHARACTERS_MAX = 500
CODES_MAX = 20

STOP_WORDS = frozenset({"STOP", "STOPALL", "UNSUBSCRIBE", "CANCEL", "END", "QUIT"})
START_WORDS = frozenset({"START", "YES", "UNSTOP"})
INFO_WORDS = frozenset({"HELP", "INFO"})
ACK_WORDS = frozenset({"OK", "OKAY", "ACK", "1", "ON IT", "GOT IT", "I HAVE IT"})
ALL_WORDS = frozenset({"ALL", "ACK ALL", "OK ALL"})
REFUSALS = frozenset(
    {"NO", "NOT", "NOPE", "NEVER", "CANT", "CANNOT", "DONT", "WONT", "ISNT", "WRONG", "UNABLE"}
    | STOP_WORDS
    | START_WORDS
    | INFO_WORDS
)

SIGN = rf"[{LETTERS}]"
DIGIT = rf"[{DIGITS}]{{1,2}}"
LEADING = r"[\s\"'(\[#*.,-]*"
FIRST = re.compile(
    rf"{LEADING}(?:(?:ACK|OK|OKAY|ON\s+IT|GOT\s+IT|I\s+HAVE\s+IT)\b[\s:,.!-]*)?(?P<letter>{SIGN})[\s.\-]*(?P<digits>{DIGIT})"
    r"(?:(?P<suffix>[NULM](?![A-Z0-9])|\s*\+)|(?![A-Z0-9]))(?P<rest>.*)",
)
MORE = re.compile(rf"(?:[\s,;/&]|\bAND\b)+(?P<code>{SIGN}{DIGIT})(?![A-Z0-9+])")
QUIET = re.compile(r"[.,!;:'\"()\[\]*#-]+")


class Meaning(StrEnum):
    """What a message asks for."""

    ACK = "ack"
    BARE_ACK = "bare_ack"
    ACK_ALL = "ack_all"
    PASS_ON = "pass_on"  # noqa: S105 - a verb
    UNDO = "undo"
    JOIN = "join"
    LIST = "list"
    MITIGATED = "mitigated"
    HELP = "help"
    STOP = "stop"
    START = "start"
    CARRIER_INFO = "carrier_info"
    UNCLEAR = "unclear"


SUFFIXES = {"N": Meaning.PASS_ON, "U": Meaning.UNDO, "L": Meaning.LIST, "M": Meaning.MITIGATED, "+": Meaning.JOIN}
WORDS_AFTER_CODE = {
    "N": Meaning.PASS_ON, "NEXT": Meaning.PASS_ON, "PASS": Meaning.PASS_ON, "PASS ON": Meaning.PASS_ON,
    "U": Meaning.UNDO, "UNDO": Meaning.UNDO, "UNACK": Meaning.UNDO,
    "M": Meaning.MITIGATED, "MITIGATED": Meaning.MITIGATED,
    "L": Meaning.LIST, "LIST": Meaning.LIST, "JOIN": Meaning.JOIN, "KEEP": Meaning.ACK, "KEEP IT": Meaning.ACK,
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """A message understood. `text` is the whole of it as one line.

    `codes` is what it names: none, or one. `more` are further codes right behind it, which count only if they are the
    sender's too; `note` is what follows all of them, `rest` what follows the first.
    """

    meaning: Meaning
    text: str
    codes: tuple[str, ...] = ()
    more: tuple[str, ...] = ()
    note: str = ""
    rest: str = ""


def parse_reply(text: str) -> Reply:
    """Return what a text message means; total, and never an ack unless it says so."""
    whole = one_line(unicodedata.normalize("NFKC", text[:TEXT_CHARACTERS_MAX]))
    carrier = _carrier(whole)
    if carrier is not None:
        return Reply(meaning=carrier, text=whole)
    words = _words(whole)
    if words in ACK_WORDS:
        return Reply(meaning=Meaning.BARE_ACK, text=whole)
    if words in ALL_WORDS:
        return Reply(meaning=Meaning.ACK_ALL, text=whole)
    if whole and not whole.strip("? "):
        return Reply(meaning=Meaning.HELP, text=whole)
    first = FIRST.fullmatch(_upper(whole))
    if first is None:
        return Reply(meaning=Meaning.UNCLEAR, text=whole)
    return _coded(whole, first)


def _coded(whole: str, first: re.Match[str]) -> Reply:
    """Return the meaning of a message that starts with a code."""
    codes = (first["letter"] + first["digits"],)
    rest = whole[first.start("rest") :]
    suffix = (first["suffix"] or "").strip()
    note = _note(rest)
    if suffix:
        clear = SUFFIXES[suffix] if not MORE.match(" " + _upper(rest)) else Meaning.UNCLEAR
        return Reply(meaning=clear, text=whole, codes=codes, note=note, rest=note)
    said = _words(rest)
    if said in WORDS_AFTER_CODE:
        return Reply(meaning=WORDS_AFTER_CODE[said], text=whole, codes=codes)
    if rest.lstrip().startswith("?"):
        return Reply(meaning=Meaning.HELP, text=whole, codes=codes)
    if said.partition(" ")[0] in REFUSALS:
        return Reply(meaning=Meaning.UNCLEAR, text=whole, codes=codes)
    more: list[str] = []
    end = 0
    upper = _upper(rest)
    while len(more) < CODES_MAX and (match := MORE.match(upper, end)):
        more.append(match["code"])
        end = match.end()
    return Reply(meaning=Meaning.ACK, text=whole, codes=codes, more=tuple(more), note=_note(rest[end:]), rest=note)


def _carrier(whole: str) -> Meaning | None:
    plain = "".join(c for c in unicodedata.normalize("NFKD", whole) if c.isalnum()).upper()
    if plain in STOP_WORDS:
        return Meaning.STOP
    if plain in START_WORDS:
        return Meaning.START
    return Meaning.CARRIER_INFO if plain in INFO_WORDS else None


def _words(text: str) -> str:
    """Return the words in capitals, punctuation left out: what is compared with the lists above."""
    return " ".join(QUIET.sub("", _upper(text).replace("’", "'")).split())  # noqa: RUF001 - as phones write it


def _upper(text: str) -> str:
    """Return `text` in capitals, place for place: a sign whose capital is longer stays as it is."""
    return "".join(c.upper() if len(c.upper()) == 1 else c for c in text)


def _note(text: str) -> str:
    return text.strip(" .,;:-!\"'()[]")[:NOTE_CHARACTERS_MAX]
