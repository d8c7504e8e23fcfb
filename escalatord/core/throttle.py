"""How many messages one person gets by one kind of channel, and what becomes of those that are too many.

- Nothing waits in silence. What asks for somebody the first time is told within MERGE_SECONDS of the message before it:
  past a limit everything that waits goes out as one message (a digest), at the first instant at which there may be one.
- While digests are needed there is one at a time; what comes meanwhile waits for the next.
- What is critical waits URGENT_SECONDS at most, and takes along everything that waits.
- What only says it again (a reminder, a later step to somebody who was reached) is left out past a limit. What calls
  off waits for room in all limits, or goes along with the next message.
- Exceptions, statutory clocks and what may not be bundled are never counted against anybody.

Source of limits that providers and people bear: what GoAlert learned in production (`numbers.md` 1.2): SMS 1/1m, 5/15m,
11/1h; calls 1/1m, 3/15m, 7/1h. The default is only a dam against storms: it changes nothing in an ordinary night.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from types import MappingProxyType

from escalatord.core.noise import Limit, Limits
from escalatord.core.roster import ChannelKind
from escalatord.core.units import format_duration

MERGE_SECONDS = 60.0
URGENT_SECONDS = 5.0
LIMITS_DEFAULT: Mapping[ChannelKind, tuple[Limit, ...]] = MappingProxyType(
    {
        ChannelKind.SMS: (Limit(10, 60.0),),
        ChannelKind.CALL: (Limit(5, 60.0),),
        ChannelKind.MAIL: (Limit(30, 60.0),),
        ChannelKind.CHAT: (),
        ChannelKind.WEBHOOK: (),
    },
)


class Standing(StrEnum):
    """How much a message matters to a limit."""

    EXEMPT = "exempt"
    URGENT = "urgent"
    FIRST = "first"
    QUIET = "quiet"
    REPEAT = "repeat"


@dataclass(frozen=True, slots=True)
class Waiting:
    """A message that is to be sent; `due` = now, or it would go along with another.

    `promised` = it was put off until now: it goes, whatever was sent meanwhile.
    """

    reference: str
    standing: Standing
    due: bool = True
    promised: bool = False


@dataclass(frozen=True, slots=True)
class Past:
    """A message that was sent, and whether it told of several things."""

    at: datetime
    digest: bool = False


@dataclass(frozen=True, slots=True)
class Ration:
    """What becomes of messages: sent as they are, together as one, put off until an instant, left out.

    `crowded` = a limit is reached: whatever goes out takes along all that waits.
    """

    alone: Collection[str] = ()
    together: Sequence[str] = ()
    until: Mapping[str, datetime] = field(default_factory=dict)
    left_out: Collection[str] = ()
    crowded: bool = False


def limits_of(limits: Limits, kind: ChannelKind) -> tuple[Limit, ...]:
    """Return the limits of a kind of channel: those of the rules, else the default; shortest time first."""
    given = limits.per_person.get(kind.value)
    return tuple(sorted(LIMITS_DEFAULT[kind] if given is None else given, key=lambda limit: limit.window_seconds))


def ration(waiting: Sequence[Waiting], limits: Sequence[Limit], past: Sequence[Past], now: datetime) -> Ration:
    """Return what becomes of all messages that wait for one person by one kind of channel at `now`.

    `limits` are sorted by their time; `past` are the messages of the longest of these times, in any order.
    """
    free = [each.reference for each in waiting if each.due and each.standing is Standing.EXEMPT]
    counted = [each for each in waiting if each.standing is not Standing.EXEMPT]
    due = [each for each in counted if each.due]
    if calm(len(due), limits, past, now):
        return Ration(alone=[*free, *(each.reference for each in due)])
    left_out = [each.reference for each in due if each.standing is Standing.REPEAT]
    carried = [each for each in counted if each.standing is not Standing.REPEAT]
    times = {
        Standing.URGENT: _urgent_at(limits, past, now),
        Standing.FIRST: _first_at(limits, past, now),
        Standing.QUIET: max(_first_at(limits, past, now), over(limits, _instants(past), now) or now),
    }
    if not any(each.due and (each.promised or times[each.standing] <= now) for each in carried):
        until = {each.reference: times[each.standing] for each in carried if each.due}
        return Ration(alone=free, until=until, left_out=left_out, crowded=True)
    together = [each.reference for each in carried]
    if len(together) == 1:
        return Ration(alone=[*free, *together], left_out=left_out, crowded=True)
    return Ration(alone=free, together=together, left_out=left_out, crowded=True)


def calm(count: int, limits: Sequence[Limit], past: Sequence[Past], now: datetime) -> bool:
    """Return whether so many messages may go as they are: there is room for all, and no digest went out just now."""
    return not limits or (count <= room(limits, past, now) and not _merging(limits, past, now))


def over(limits: Sequence[tuple[int, float]], sent: Sequence[datetime], now: datetime) -> datetime | None:
    """Return None when one more may be sent at `now`, else the first instant at which it may.

    `limits` are (count from 1, window in seconds); `sent` the instants of earlier sends in any order. A send exactly
    one window ago no longer counts; one in the future (a clock was set back) does.
    """
    recent = sorted(sent, reverse=True)
    waits = [
        recent[count - 1] + timedelta(seconds=window)
        for count, window in limits
        if len(recent) >= count and recent[count - 1] + timedelta(seconds=window) > now
    ]
    return max(waits, default=None)


def room(limits: Sequence[Limit], past: Sequence[Past], now: datetime) -> int:
    """Return how many more may be sent at `now`; `limits` has one at least."""
    return min(max(0, limit.messages - used(limit, past, now)) for limit in limits)


def used(limit: Limit, past: Sequence[Past], now: datetime) -> int:
    """Return how much of a limit is used at `now`."""
    since = now - timedelta(seconds=limit.window_seconds)
    return sum(1 for each in past if each.at > since)


def budget(kind: str, limits: Sequence[Limit], past: Sequence[Past], now: datetime) -> str:
    """Return how much of each limit is used: `sms 1 of 5 in 15m, 1 of 11 in 1h`; "" without limits."""
    parts = [f"{used(each, past, now)} of {each.messages} in {format_duration(each.window_seconds)}" for each in limits]
    return f"{kind} {', '.join(parts)}" if parts else ""


def _merging(limits: Sequence[Limit], past: Sequence[Past], now: datetime) -> bool:
    """Return whether a digest went out so lately that what comes now waits for the next."""
    return any(each.digest and each.at + _merge_time(limits) > now for each in past)


def _merge_time(limits: Sequence[Limit]) -> timedelta:
    return timedelta(seconds=min(MERGE_SECONDS, limits[0].window_seconds))


def _first_at(limits: Sequence[Limit], past: Sequence[Past], now: datetime) -> datetime:
    """Return when what asks for somebody the first time may be told: a merge time after the last message at most."""
    last = max((each.at for each in past), default=now)
    at = min(over(limits[:1], _instants(past), now) or now, last + _merge_time(limits))
    digests = [each.at + _merge_time(limits) for each in past if each.digest]
    return max(now, at, *digests)


def _instants(past: Sequence[Past]) -> list[datetime]:
    return [each.at for each in past]


def _urgent_at(limits: Sequence[Limit], past: Sequence[Past], now: datetime) -> datetime:
    last = max((each.at for each in past), default=now)
    return min(_first_at(limits, past, now), max(now, last + timedelta(seconds=URGENT_SECONDS)))
