"""Tokens of ack links, and the numbers of number matching.

A token is bound to one incident, person, channel and track. It is computed from a key that never leaves the server, so
the same link can be written again after a crash, and only its hash is stored. Short ones (65 bits) fit a text message;
long ones (130 bits) are for mail and chat, whose scanners follow links: there a human must choose the number that the
message showed. Alphabet: Crockford's base 32, which has no I, L, O and U.
"""

import hashlib
import hmac

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
SHORT_CHARACTERS = 13
LONG_CHARACTERS = 26
BITS_EACH = 5
KEY_BYTES_MIN = 32
TOKEN_CHARACTERS_MAX = 64
NUMBER_MIN = 10
NUMBERS = 90
LOOKALIKES = str.maketrans({"O": "0", "I": "1", "L": "1", "-": "", " ": ""})


def mint(key: bytes, incident: int, person: str, channel: str, track: str, *, long: bool) -> str:
    """Return the token of 13 characters (26 when `long`) for a link; ValueError when the key has less than 32 bytes."""
    if len(key) < KEY_BYTES_MIN:
        raise ValueError(f"the key of ack links has {len(key)} bytes; it needs {KEY_BYTES_MIN}")
    bound = ["long" if long else "short", str(incident), person, channel, track]
    message = b"".join(len(part.encode()).to_bytes(4, "big") + part.encode() for part in bound)
    number = int.from_bytes(hmac.digest(key, b"ack-link\x00" + message, "sha256"), "big")
    count = LONG_CHARACTERS if long else SHORT_CHARACTERS
    return "".join(ALPHABET[(number >> (BITS_EACH * place)) & 31] for place in range(count))


def normalise(token: str) -> str:
    """Return a token as it was minted: upper case, look-alikes read as digits, hyphens and spaces left out."""
    return token[:TOKEN_CHARACTERS_MAX].upper().translate(LOOKALIKES)


def token_hash(token: str) -> str:
    """Return what is stored of a token: the SHA-256, in hex, of its normal form."""
    return hashlib.sha256(normalise(token).encode(errors="replace")).hexdigest()


def is_long(token: str) -> bool:
    """Return whether the link went through mail or chat, so that a number must be matched."""
    return len(normalise(token)) > SHORT_CHARACTERS


def numbers(token: str) -> tuple[int, int, int]:
    """Return the three different two-digit numbers of the page, in the order of their buttons.

    The right one is the middle one: a scanner that presses the first button, the last, or all in order, presses a wrong
    one first.
    """
    digest = hashlib.sha256(b"numbers\x00" + normalise(token).encode(errors="replace")).digest()
    first = digest[0] % NUMBERS
    second = (first + 1 + digest[1] % (NUMBERS - 1)) % NUMBERS
    others = [number for number in range(NUMBERS) if number not in (first, second)]
    return NUMBER_MIN + first, NUMBER_MIN + second, NUMBER_MIN + others[digest[2] % len(others)]


def right_number(token: str) -> int:
    """Return the number that the message shows."""
    return numbers(token)[1]
