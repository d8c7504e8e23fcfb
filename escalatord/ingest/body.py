"""From octets to a tree of JSON values that is safe to keep.

The compiled parser is strict. What it refuses is read once more, leniently, because a page must not be lost to a
broken emoji: lone surrogates, control characters and octets that are not UTF-8 survive as visible escapes. NUL is
escaped too: no database keeps it. Numbers that are not finite stay what they are until they become text.
"""

import json
import re
from typing import cast
from urllib.parse import parse_qsl

from pydantic_core import from_json

from escalatord.errors import BadInputError
from escalatord.limits import BODY_BYTES_MAX, BODY_DEPTH_MAX, FORM_FIELDS_MAX

BYTE_ORDER_MARK = b"\xef\xbb\xbf"
NUL_ESCAPE = b"\\u0000"
UNKEEPABLE = re.compile("[\x00\ud800-\udfff]")
FOREIGN_OCTET_FIRST, FOREIGN_OCTET_LAST = 0xDC80, 0xDCFF
EXACT_DIGITS_MAX = 300
FORM = "application/x-www-form-urlencoded"
CONTAINERS = frozenset({dict, list})
SHOWN_CHARACTERS_MAX = 120


def load_json(body: bytes) -> object:
    """Return the JSON value in `body`; raise `BadInputError` E100 or E103 when there is none."""
    if len(body) > BODY_BYTES_MAX:
        raise BadInputError("E103", "", f"the body has {len(body)} octets, more than {BODY_BYTES_MAX}")
    try:
        tree: object = from_json(body)
    except ValueError as error:
        if "recursion limit" in str(error):
            raise _too_deep() from None
        return _load_leniently(body, str(error))
    return _keepable(tree) if NUL_ESCAPE in body else tree


def load_form(body: bytes) -> dict[str, object]:
    """Return the fields of a URL-encoded form, repeated ones as lists; raise `BadInputError` when it is none."""
    if len(body) > BODY_BYTES_MAX:
        raise BadInputError("E103", "", f"the body has {len(body)} octets, more than {BODY_BYTES_MAX}")
    try:
        text = body.decode("utf-8", "surrogateescape")
        pairs = parse_qsl(text, keep_blank_values=True, errors="surrogateescape", max_num_fields=FORM_FIELDS_MAX)
    except ValueError:
        raise BadInputError("E103", "", f"the form has more than {FORM_FIELDS_MAX} fields") from None
    fields: dict[str, object] = {}
    for name, value in pairs:
        known = fields.get(name)
        if name not in fields:
            fields[name] = value
        elif isinstance(known, list):
            known.append(value)
        else:
            fields[name] = [known, value]
    if not fields:
        raise BadInputError("E100", "", "the form is empty")
    return cast("dict[str, object]", _keepable(fields))


def deeper_than(tree: object, depth: int) -> bool:
    """Return whether `tree` nests objects and lists more than `depth` levels deep."""
    level = [tree] if type(tree) in CONTAINERS else []
    for _ in range(depth):
        if not level:
            return False
        level = [
            child
            for node in level
            for child in (node.values() if isinstance(node, dict) else cast("list[object]", node))
            if type(child) in CONTAINERS
        ]
    return bool(level)


def pointer(at: str, name: str | int) -> str:
    """Return the JSON pointer of the member `name` of what `at` points to (RFC 6901)."""
    return f"{at}/{str(name).replace('~', '~0').replace('/', '~1')}"


def kind_of(value: object) -> str:
    """Return what a JSON value is, for a sentence: `a list`, `an object`, `null`."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true or false"
    if isinstance(value, int | float):
        return "a number"
    if isinstance(value, str):
        return "a string"
    return "a list" if isinstance(value, list) else "an object"


def shown(text: str) -> str:
    """Return hostile text for a sentence about it: one short printable line."""
    line = "".join(character if character.isprintable() else "·" for character in text[:SHOWN_CHARACTERS_MAX])
    return line + "…" if len(text) > SHOWN_CHARACTERS_MAX else line


def _load_leniently(body: bytes, complaint: str) -> object:
    """Read what the strict parser refused for its letters; `complaint` is told when it is no JSON at all."""
    text = body.removeprefix(BYTE_ORDER_MARK).decode("utf-8", "surrogateescape")
    try:
        return _keepable(json.loads(text, strict=False, parse_int=_whole_number))
    except RecursionError:
        raise _too_deep() from None
    except ValueError:
        if not body.strip():
            raise BadInputError("E100", "", "the body is empty") from None
        raise BadInputError("E100", "", f"the body is not JSON: {shown(complaint)}") from None


def _whole_number(digits: str) -> int | str:
    """Return the number, or its digits when they are too many to be one: Python's limit would refuse the body."""
    return int(digits) if len(digits) <= EXACT_DIGITS_MAX else digits


def _keepable(tree: object, depth: int = 0) -> object:
    """Return `tree` with every NUL and lone surrogate as a visible escape, in keys and values."""
    if isinstance(tree, str):
        return UNKEEPABLE.sub(_escape, tree)
    if depth > BODY_DEPTH_MAX:
        if isinstance(tree, dict | list):
            raise _too_deep()
        return tree
    if isinstance(tree, dict):
        return {UNKEEPABLE.sub(_escape, name): _keepable(value, depth + 1) for name, value in tree.items()}
    if isinstance(tree, list):
        return [_keepable(value, depth + 1) for value in tree]
    return tree


def _escape(match: re.Match[str]) -> str:
    code = ord(match[0])
    if FOREIGN_OCTET_FIRST <= code <= FOREIGN_OCTET_LAST:
        return f"\\x{code - 0xDC00:02x}"
    return f"\\u{code:04x}"


def _too_deep() -> BadInputError:
    return BadInputError("E103", "", f"the body nests more than {BODY_DEPTH_MAX} levels deep")
