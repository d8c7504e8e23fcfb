"""What a transaction came to: told to whoever asked, to the figures, and to the loops that wait for news."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from escalatord.core.mutes import MuteKind
from escalatord.core.values import replace
from escalatord.engine.relation import Place
from escalatord.errors import EscalatordError
from escalatord.store.rows import JournalEntry


class CommandFailedError(EscalatordError):
    """This command alone failed, was taken back, and is journaled; everything else in its batch is committed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """What one transaction came to, one result (or error) per command, in order.

    `touched` are the alerts that it changed, `outbox` the lanes in which it left something to send. `limited` are
    (channel, how) of messages that did not go out as they were, because of a limit. `alike` are journals that stand for
    so many more, of incidents which opened alike and differ in nothing that figures count. `muted` says of each alert
    that is newly muted by what, `held_back` how many are.
    """

    results: tuple[object, ...]
    changed: tuple[int, ...]
    touched: tuple[Place, ...]
    entries: tuple[JournalEntry, ...]
    alike: tuple[tuple[Sequence[JournalEntry], int], ...] = ()
    seq: int
    outbox: frozenset[str]
    retries: tuple[datetime, ...]
    next_due: datetime | None
    poisoned: tuple[int, ...]
    violations: tuple[str, ...]
    lateness: tuple[tuple[str, float], ...]
    asks: tuple[str, ...]
    limited: tuple[tuple[str, str], ...]
    muted: tuple[MuteKind, ...]
    held_back: Mapping[MuteKind, int]
    at: datetime


def nothing(error: CommandFailedError, now: datetime) -> Written:
    """Return a transaction that came to nothing but the error of its one command."""
    return replace(joined((), now), results=(error,))


def joined(parts: Sequence[Written], now: datetime) -> Written:
    """Return several transactions as one."""
    return Written(
        results=tuple(result for part in parts for result in part.results),
        changed=tuple(dict.fromkeys(number for part in parts for number in part.changed)),
        touched=tuple(place for part in parts for place in part.touched),
        entries=tuple(entry for part in parts for entry in part.entries),
        alike=tuple(one for part in parts for one in part.alike),
        seq=max((part.seq for part in parts), default=0),
        outbox=frozenset[str]().union(*(part.outbox for part in parts)),
        retries=tuple(at for part in parts for at in part.retries),
        next_due=min((part.next_due for part in parts if part.next_due), default=None),
        poisoned=tuple(number for part in parts for number in part.poisoned),
        violations=tuple(name for part in parts for name in part.violations),
        lateness=tuple(late for part in parts for late in part.lateness),
        limited=tuple(one for part in parts for one in part.limited),
        asks=tuple(dict.fromkeys(query for part in parts for query in part.asks)),
        muted=tuple(kind for part in parts for kind in part.muted),
        held_back=parts[-1].held_back if parts else {},
        at=now,
    )
