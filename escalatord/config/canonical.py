"""Values of the core as canonical JSON, so that equal content has an equal hash in every process and release."""

import json
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from datetime import date, datetime, time
from hashlib import sha256

from escalatord.config.secrets import Secret

HASH_DIGITS = 16


def content_hash(value: object) -> str:
    """Return the first 16 hex digits of the SHA-256 of `value` as canonical JSON."""
    text = json.dumps(plain(value), sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)
    return sha256(text.encode()).hexdigest()[:HASH_DIGITS]


def plain(value: object) -> object:
    """Return `value` as what JSON knows.

    Dataclasses carry their type's name, leave out what does not compare and what is called `hash`; a secret is a fixed
    word, so that turning a key does not look like another rule set. Raise TypeError for what is not a value.
    """
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, str):
        return str(value)
    if isinstance(value, Secret):
        return "a secret"
    if is_dataclass(value) and not isinstance(value, type):
        kept = {
            item.name: plain(getattr(value, item.name))
            for item in fields(value)
            if item.compare and item.name != "hash"
        }
        return {"is": type(value).__name__, **kept}
    if isinstance(value, Mapping):
        return {str(key): plain(inner) for key, inner in value.items()}
    if isinstance(value, frozenset | set):
        return sorted(str(item) for item in value)
    if isinstance(value, tuple | list):
        return [plain(item) for item in value]
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    raise TypeError(f"{type(value).__name__} is not a value")
