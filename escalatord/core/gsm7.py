"""The alphabet of one SMS segment: counting septets, writing any text in it, cutting a text to fit.

- A segment holds 160 septets of the GSM 7 bit default alphabet; characters of its extension table take two. One
  character outside of both turns the whole message into 16 bit units and 70 of them fit, so nothing else goes out.
- `to_gsm7` is total: any string, lone surrogates included, becomes a readable one, `?` standing for what has none.
- `fit` shortens only what its caller marked, in the caller's order. What must not be cut is never cut; when that alone
  is longer than the limit, the text is too long rather than unanswerable, and costs a second segment.

Source of the tables: 3GPP TS 23.038, 6.2.1 (default alphabet) and 6.2.1.1 (extension table).
"""

# ruff: noqa: RUF001 - the tables of readings list look-alikes on purpose

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

SEPTETS_MAX = 160
# In the order of their codes 0x00 to 0x7F; the escape 0x1B is left out, it is no character.
BASIC = (
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
EXTENSION = "\f^{}\\[~]|€"
COSTS: dict[str, int] = dict.fromkeys(BASIC, 1) | dict.fromkeys(EXTENSION, 2)
UNKNOWN = "?"
MARK = ".."

FALLBACKS: dict[str, str] = {
    "‘": "'", "’": "'", "‚": "'", "`": "'", "´": "'", "ʼ": "'",
    "“": '"', "”": '"', "„": '"', "«": '"', "»": '"',
    "‐": "-", "‑": "-", "‒": "-", "–": "-", "—": "-", "―": "-", "−": "-",
    "…": "...", "•": "*", "·": ".", "×": "x", "÷": "/", "±": "+-", "≥": ">=", "≤": "<=", "≠": "!=", "≈": "~",
    "→": "->", "←": "<-", "⇒": "=>", "⏎": "\n", "°": "deg", "µ": "u", "©": "(c)", "®": "(r)", "™": "(tm)",
    "¢": "c", "¹": "1", "²": "2", "³": "3", "¦": "|", "¬": "!", "¶": " ", "⁄": "/", "∞": "inf", "√": "sqrt",
    "ł": "l", "Ł": "L", "đ": "d", "Đ": "D", "ð": "d", "Ð": "D", "þ": "th", "Þ": "Th", "œ": "oe", "Œ": "OE", "ı": "i",
    "ħ": "h", "Ħ": "H", "ŧ": "t", "Ŧ": "T", "ŋ": "n", "Ŋ": "N", "ĸ": "k", "ẞ": "SS", "ə": "e", "Ə": "E",
    "\t": " ", "\u2028": "\n", "\u2029": "\n", "\u0085": "\n",
}  # fmt: skip
GREEK = dict(zip("ΑΒΕΖΗΙΚΜΝΟΡΤΥΧ", "ABEZHIKMNOPTYX", strict=True))
GREEK_SMALL = (
    "a", "v", "g", "d", "e", "z", "i", "th", "i", "k", "l", "m", "n", "x", "o", "p", "r", "s", "s", "t", "y",
    "f", "ch", "ps", "o",
)  # fmt: skip
CYRILLIC_SMALL = (
    "a", "b", "v", "g", "d", "e", "zh", "z", "i", "i", "k", "l", "m", "n", "o", "p", "r", "s", "t", "u", "f",
    "kh", "ts", "ch", "sh", "shch", "y", "e", "yu", "ya", "ie", "i", "i", "g",
)  # fmt: skip
CYRILLIC = dict(zip("абвгдежзийклмнопрстуфхцчшщыэюяєіїґ", CYRILLIC_SMALL, strict=True)) | {"ъ": "", "ь": ""}
READINGS: dict[str, str] = (
    FALLBACKS
    | GREEK
    | dict(zip("αβγδεζηθικλμνξοπρσςτυφχψω", GREEK_SMALL, strict=True))
    | CYRILLIC
    | {letter.upper(): reading.capitalize() for letter, reading in CYRILLIC.items()}
)


@dataclass(frozen=True, slots=True)
class Cut:
    """Text that may be shortened: lowest `order` first, down to `least` septets; then once more, to nothing.

    `whole` text is not shortened but left out.
    """

    text: str
    order: int = 1
    least: int = 0
    whole: bool = False


def septets(text: str) -> int:
    """Return how many septets `text` takes; ValueError names a character that is not in the alphabet."""
    try:
        return sum(COSTS[character] for character in text)
    except KeyError as error:
        raise ValueError(f"U+{ord(error.args[0]):04X} is not in the GSM 7 bit alphabet") from None


def to_gsm7(text: str) -> str:
    """Return `text` in the GSM alphabet: itself, a reading, or one `?` for each run that has none."""
    written: list[str] = []
    for character in text:
        if character in COSTS:
            written.append(character)
            continue
        reading = _reading(character)
        if reading != UNKNOWN or not written or written[-1] != UNKNOWN:
            written.append(reading)
    return "".join(written)


def one_line(text: str) -> str:
    """Return `text` as one line: controls, line ends and invisible marks become spaces or vanish, spaces collapse.

    For hostile content on its way to a human: no second line, no reversed writing order, no lone surrogate.
    """
    if text.isprintable():  # no control, no line end, no invisible mark, no surrogate: nearly every text
        return " ".join(text.split())
    seen = [
        " " if unicodedata.category(c) in ("Cc", "Zl", "Zp") else c for c in text if unicodedata.category(c) != "Cf"
    ]
    return " ".join("".join(UNKNOWN if unicodedata.category(c) == "Cs" else c for c in seen).split())


def fit(parts: Sequence[str | Cut], limit: int = SEPTETS_MAX) -> str:
    """Return the parts joined, in the GSM alphabet, at most `limit` septets if cutting every `Cut` can achieve it."""
    texts = [to_gsm7(part.text if isinstance(part, Cut) else part) for part in parts]
    over = sum(map(septets, texts)) - limit
    cuts = sorted(
        ((place, part) for place, part in enumerate(parts) if isinstance(part, Cut)), key=lambda pair: pair[1].order
    )
    for least_counts in (True, False):
        for place, part in cuts:
            if over <= 0:
                break
            before = septets(texts[place])
            room = max(before - over, min(part.least, before) if least_counts else 0)
            texts[place] = cut(texts[place], room) if not part.whole or room >= before else ""
            over -= before - septets(texts[place])
    return "".join(texts)


def cut(text: str, room: int) -> str:
    """Return `text` (GSM characters) in at most `room` septets, `..` marking a cut; "" when not even that fits."""
    if septets(text) <= room:
        return text
    left = room - septets(MARK)
    if left <= 0:
        return ""
    kept = sum(1 for total in accumulate(COSTS[character] for character in text) if total <= left)
    return text[:kept].rstrip(" ,;:.-(") + MARK


def _reading(character: str) -> str:
    """Return how a character outside of the alphabet is written in it: "" for marks, a space for controls."""
    if character in READINGS:
        return READINGS[character]
    category = unicodedata.category(character)
    if category in ("Mn", "Me", "Cf"):
        return ""
    if category in ("Cc", "Zs"):
        return " "
    parts = unicodedata.normalize("NFKD", character)
    if parts == character:
        return UNKNOWN
    readings = [part if part in COSTS else READINGS.get(part, _mark(part)) for part in parts]
    return UNKNOWN if UNKNOWN in readings else "".join(readings)


def _mark(part: str) -> str:
    return "" if unicodedata.combining(part) else UNKNOWN
