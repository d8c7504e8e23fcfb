"""What an adapter hands back."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from escalatord.core.alert import Alert
from escalatord.errors import BadInputError
from escalatord.limits import ALERTS_PER_BODY_MAX


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejected:
    """One alert of a body that could not be read: its place among the alerts, and what `BadInputError` would say."""

    index: int
    at: str
    code: str
    say: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Parsed:
    """The alerts of a body, in its order, and those that could not be read."""

    alerts: tuple[Alert, ...]
    rejected: tuple[Rejected, ...] = ()


def each(items: Iterable[tuple[str, object]], read: Callable[[object, str], Alert]) -> Parsed:
    """Read every (pointer, item), keeping the good ones; raise the first `BadInputError` when all are bad."""
    alerts: list[Alert] = []
    rejected: list[Rejected] = []
    for index, (at, item) in enumerate(items):
        if index >= ALERTS_PER_BODY_MAX:
            say = f"more than {ALERTS_PER_BODY_MAX} alerts in one body; from here on none was taken: send fewer at once"
            rejected.append(Rejected(index=index, at=at, code="E103", say=say))
            break
        try:
            alerts.append(read(item, at))
        except BadInputError as error:
            rejected.append(Rejected(index=index, at=error.at, code=error.code, say=error.say))
    if rejected and not alerts:
        raise BadInputError(rejected[0].code, rejected[0].at, rejected[0].say)
    return Parsed(alerts=tuple(alerts), rejected=tuple(rejected))
