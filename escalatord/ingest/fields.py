"""Single fields of an alert: identities, texts, times, links; the same rules for every wire format."""

import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import cast

from pydantic_core import to_json

from escalatord.core.alert import fingerprint_of
from escalatord.errors import BadInputError
from escalatord.ingest.body import CONTAINERS, deeper_than, kind_of, pointer
from escalatord.limits import (
    BODY_DEPTH_MAX,
    IDENTITY_CHARACTERS_MAX,
    LABELS_PER_ALERT_MAX,
    LINK_CHARACTERS_MAX,
    TEXT_CHARACTERS_MAX,
    TITLE_CHARACTERS_MAX,
)

NOTE = "escalatord_note"
CUT_MARK = "… (cut)"
ONLY_TEXT = {str}
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
INSTANT_LAST = datetime(2200, 1, 1, tzinfo=UTC)
"""Deadlines are reckoned from these instants: one near the end of the calendar would overflow there."""
FINGERPRINT_CHARACTERS_MAX = 65_536
"""Label sets this large come from no Prometheus; they get a hash that is fast in C."""


def as_text(value: object, at: str) -> str:
    """Return a JSON value as text: strings as they are, everything else as JSON (`true`, `8.2`, `NaN`, `{"a":1}`)."""
    if isinstance(value, str):
        return value
    if type(value) in CONTAINERS and deeper_than(value, BODY_DEPTH_MAX):
        raise BadInputError("E103", at, f"this nests more than {BODY_DEPTH_MAX} levels deep")
    return to_json(value, inf_nan_mode="constants").decode()


def text_map(value: object, at: str) -> Mapping[str, str]:
    """Return an object of texts; members that are null are left out. Raise `BadInputError` E101 when it is none."""
    if type(value) is dict:
        if set(map(type, value.values())) <= ONLY_TEXT:
            return value
        return {name: as_text(item, pointer(at, name)) for name, item in value.items() if item is not None}
    if value is None:
        return {}
    raise BadInputError("E101", at, f"{at.rpartition('/')[2]} must be an object, this is {kind_of(value)}")


def limited(texts: Mapping[str, str], what: str, notes: list[str]) -> Mapping[str, str]:
    """Return `texts` within the limits of number and length; what was left out is told in `notes`."""
    if len(texts) > LABELS_PER_ALERT_MAX:
        notes.append(f"{len(texts) - LABELS_PER_ALERT_MAX} of {len(texts)} {what} left out")
        texts = {name: texts[name] for name in sorted(texts)[:LABELS_PER_ALERT_MAX]}
    if texts and max(map(len, texts.values())) > TEXT_CHARACTERS_MAX:
        notes.append(f"{what} cut to {TEXT_CHARACTERS_MAX} characters")
        texts = {name: cut(value, TEXT_CHARACTERS_MAX) for name, value in texts.items()}
    return texts


def cut(text: str, characters: int) -> str:
    """Return `text`, or its beginning and a mark when it is longer than `characters`."""
    return text if len(text) <= characters else text[: characters - len(CUT_MARK)] + CUT_MARK


def title_of(*candidates: str) -> str:
    """Return the first candidate that is more than white space, within the limit of titles."""
    return cut(next((text.strip() for text in candidates if text.strip()), ""), TITLE_CHARACTERS_MAX)


def identity(text: str) -> str:
    """Return a sender's own key; one that is too long to be a key is replaced by its SHA-256."""
    if len(text) <= IDENTITY_CHARACTERS_MAX:
        return text
    return "sha256:" + hashlib.sha256(text.encode()).hexdigest()


def fingerprint(labels: Mapping[str, str]) -> str:
    """Return the fingerprint of a label set: Prometheus' own, except for sets larger than any of Prometheus'."""
    if sum(map(len, labels.values())) + sum(map(len, labels)) <= FINGERPRINT_CHARACTERS_MAX:
        return fingerprint_of(labels)
    digest = hashlib.blake2b(digest_size=8)
    for name in sorted(labels):
        digest.update(b"%b\xff%b\xff" % (name.encode(), labels[name].encode()))
    return digest.hexdigest()


def instant(value: object) -> datetime | None:
    """Return the instant that an RFC 3339 text names, in UTC; None for anything else and for 0001-01-01 ("unset").

    Fractions of a second count to the microsecond; instants before 1970 and after 2200 are nobody's alert.
    """
    try:
        at = datetime.fromisoformat(cast("str", value))
        if at.tzinfo is not UTC:
            if at.tzinfo is None:
                return None
            at = at.astimezone(UTC)
    except (TypeError, ValueError, OverflowError):
        return None
    return at if EPOCH <= at <= INSTANT_LAST else None


def epoch_instant(value: object, per_second: int) -> datetime | None:
    """Return the instant that lies `value`/`per_second` seconds after 1970, None when that names no sensible one."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        at = EPOCH + timedelta(seconds=float(value) / per_second)
    except (ValueError, OverflowError):
        return None
    return at if EPOCH < at <= INSTANT_LAST else None


def link(value: object) -> str:
    """Return an address that may be offered to a reader: http or https, one printable word; else "".

    Nothing here is ever fetched.
    """
    if not isinstance(value, str) or len(value) > LINK_CHARACTERS_MAX:
        return ""
    if value[:8].lower().startswith(("https://", "http://")) and value.isprintable() and " " not in value:
        return value
    return ""
