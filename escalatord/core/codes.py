"""Reply codes: a letter and a digit that stand for one incident with one person.

No look-alikes (no I O Q S Z B G, no 0 1). Codes that follow one another differ in both signs, so a slip of one sign
meets no other code of the same night. A code rests until 24 h after its incident closed; the store keeps that, and
codes that still rest are in use.
"""

import re
import unicodedata
from collections.abc import Collection, Iterator

LETTERS = "KLMNPRTUVWXYACDEFHJ"
DIGITS = "79436285"
# 19 letters and 8 digits share no divisor, so counting both on together meets every pair once.
SINGLE_MAX = len(LETTERS) * len(DIGITS)
DOUBLE_MAX = SINGLE_MAX * len(DIGITS)
CODES_MAX = SINGLE_MAX + DOUBLE_MAX
CODE = re.compile(rf"([{LETTERS}])[\s.\-]*([{DIGITS}]{{1,2}})")


def free_codes(in_use: Collection[str]) -> Iterator[str]:
    """Yield the codes not in use: 152 of one digit, then 1,216 of two; none when a person has all of them."""
    for place in range(SINGLE_MAX):
        code = _single(place)
        if code not in in_use:
            yield code
    for place in range(DOUBLE_MAX):
        code = _single(place) + DIGITS[place // SINGLE_MAX]
        if code not in in_use:
            yield code


def parse(text: str) -> str:
    """Return the code that `text` is, written any way (`k7`, `K 7.`, full-width), "" when it is none."""
    match = CODE.fullmatch(unicodedata.normalize("NFKC", text).strip(" .,!\t\r\n").upper())
    return match[1] + match[2] if match else ""


def _single(place: int) -> str:
    return LETTERS[place % len(LETTERS)] + DIGITS[place % len(DIGITS)]
