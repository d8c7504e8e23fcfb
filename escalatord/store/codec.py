"""Core values to JSON and back, exactly; instants to integer microseconds and back.

pydantic reads the frozen dataclasses as they are. Between two releases one apart, fields that a reader does not know
are ignored and fields that a writer did not know take their defaults. Numbers that JSON lacks (an infinite observed
value) travel as words.

What is read back is checked against the types: a row edited by hand to nonsense raises ValueError here, not later
in the middle of a decision.
"""

from datetime import UTC, datetime, timedelta
from typing import Generic, TypeVar, cast, overload

from pydantic import ConfigDict, TypeAdapter

from escalatord.core.incident import Incident
from escalatord.core.policy import Policy
from escalatord.core.rules import AlertRecord, Verdict

T = TypeVar("T")

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
DAY_MICROSECONDS = 86_400_000_000
SECOND_MICROSECONDS = 1_000_000
# Alert text is hostile and may hold what must not reach a log: an error names the field, never its value.
ADAPTER_CONFIG = ConfigDict(ser_json_inf_nan="strings", hide_input_in_errors=True)


class Codec(Generic[T]):
    """Turns values of one type into JSON text and back.

    `apart` names fields that have a column of their own and are left out of the text; `briefly`, those are left out too
    that hold their defaults. A default is then a part of what is stored: it must never change.
    """

    def __init__(self, kind: type[T], apart: frozenset[str] = frozenset(), *, briefly: bool = False) -> None:
        # pydantic takes a config only around a dataclass, not for the dataclass itself: hence the union with None.
        self._adapter: TypeAdapter[T | None] = TypeAdapter(cast("type[T]", kind | None), config=ADAPTER_CONFIG)
        self._apart = set(apart) or None
        self._briefly = briefly
        self._to_json = self._adapter.serializer.to_json  # dump_json costs as much again around a small value

    def encode(self, value: T) -> str:
        """Return `value` as JSON; ValueError when it holds text that is not Unicode."""
        return self._to_json(value, exclude=self._apart, exclude_defaults=self._briefly).decode()

    def decode(self, text: str, apart: str = "") -> T:
        """Return the value in `text`; `apart` holds the members kept outside, as JSON, each with a comma after it.

        Raise ValueError when the text does not fit the type.
        """
        # The text begins with a brace, so it is never the None that the adapter would also take.
        return cast("T", self._adapter.validate_json("{" + apart + text[1:]))


incident_codec = Codec(Incident, apart=frozenset({"version"}), briefly=True)
alert_codec = Codec(AlertRecord, apart=frozenset({"last_seen_at"}), briefly=True)
verdict_codec = Codec(Verdict)
policy_codec = Codec(Policy)


@overload
def to_micros(at: datetime) -> int: ...
@overload
def to_micros(at: datetime | None) -> int | None: ...
def to_micros(at: datetime | None) -> int | None:
    """Return microseconds since 1970 in UTC; TypeError when `at` has no zone."""
    if at is None:
        return None
    since = at - EPOCH
    return since.days * DAY_MICROSECONDS + since.seconds * SECOND_MICROSECONDS + since.microseconds


@overload
def from_micros(value: int) -> datetime: ...
@overload
def from_micros(value: int | None) -> datetime | None: ...
def from_micros(value: int | None) -> datetime | None:
    """Return the instant `value` microseconds after 1970, aware, in UTC."""
    return None if value is None else EPOCH + timedelta(microseconds=value)
