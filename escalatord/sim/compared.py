"""Two tellings of one night beside each other: which incidents took another course, and what the night came to."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from escalatord.core.roster import ChannelKind
from escalatord.core.ruleset import Ruleset
from escalatord.core.wallclock import to_local
from escalatord.sim.recording import Course, paging
from escalatord.store.rows import OutboxRow

AT_ONCE = timedelta(seconds=60)
"""What arrives within it interrupts once."""
SLEEP_FROM_HOUR = 22
SLEEP_UNTIL_HOUR = 8
SILENT = frozenset({ChannelKind.MAIL, ChannelKind.WEBHOOK})
SAME_SECONDS = 5.0
"""Two pages of one person so near to one another are at the same time: a provider takes a moment, or a little more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """One incident as it was and as it would be; None = there was, or would be, none."""

    was: Course | None
    would_be: Course | None

    @property
    def differs(self) -> bool:
        """Return whether anything that a human would notice is another."""
        if self.was is None or self.would_be is None:
            return True
        return _noticed(self.was) != _noticed(self.would_be) or any(
            abs(one - other) > SAME_SECONDS
            for one, other in zip(_seconds(self.was), _seconds(self.would_be), strict=True)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Sum:
    """What a night came to: people and messages that paged, interruptions of sleep, acks and their mean (seconds)."""

    people: int
    messages: int
    woken: int
    incidents: int
    acked: int
    ack_seconds: float | None
    last_resorts: int


def pairs(was: Sequence[Course], would_be: Sequence[Course]) -> tuple[Pair, ...]:
    """Return incidents beside each other, those of the same alerts in their order; what is new comes last."""
    left = list(would_be)
    found = []
    for course in was:
        other = next((one for one in left if one.alerts & course.alerts), None)
        if other is not None:
            left.remove(other)
        found.append(Pair(was=course, would_be=other))
    return (*found, *(Pair(was=None, would_be=course) for course in left))


def summed(courses: Sequence[Course], attempts: Iterable[OutboxRow], ruleset: Ruleset) -> Sum:
    """Return what a night came to; channels that the rules do not have count as ones that wake."""
    paged = paging(row for row in attempts if any(course.number == row.incident for course in courses))
    acks = [course.acked[1] for course in courses if course.acked is not None]
    return Sum(
        people=len({row.person for _, row in paged}),
        messages=len(paged),
        woken=_woken(paged, ruleset),
        incidents=len(courses),
        acked=len(acks),
        ack_seconds=sum(acks) / len(acks) if acks else None,
        last_resorts=sum(course.last_resort for course in courses),
    )


def _woken(paged: Iterable[tuple[datetime, OutboxRow]], ruleset: Ruleset) -> int:
    """Return how often somebody was interrupted between 22 and 8 in their own zone."""
    last: dict[str, datetime] = {}
    count = 0
    for at, row in sorted(paged, key=lambda told: told[0]):
        spec, person = ruleset.channels.get(row.channel), ruleset.people.get(row.person)
        if spec is not None and spec.kind in SILENT:
            continue
        hour = to_local(at, person.timezone if person else "UTC").hour
        known = last.get(row.person)
        if (hour >= SLEEP_FROM_HOUR or hour < SLEEP_UNTIL_HOUR) and (known is None or at - known > AT_ONCE):
            count += 1
            last[row.person] = at
    return count


def _noticed(course: Course) -> tuple[object, ...]:
    """Return what is compared but for times: how bad, whom, in which order, and who took it."""
    acked = course.acked[0] if course.acked else None
    return course.severity, course.policy, tuple(who for who, _ in course.paged), acked, course.last_resort


def _seconds(course: Course) -> tuple[float, ...]:
    return (*(seconds for _, seconds in course.paged), *((course.acked[1],) if course.acked else ()))
