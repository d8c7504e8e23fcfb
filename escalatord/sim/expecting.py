"""Is what happened what was expected? And if not, both beside one another, in order of time, like a diff."""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from escalatord.core.incident import Incident
from escalatord.core.ruleset import Ruleset
from escalatord.core.units import format_duration
from escalatord.notify.simulated import SimMessage
from escalatord.sim.cases import AckedPart, Case, Expected, IncidentPart, SentPart, described
from escalatord.sim.lines import Line, lines, paged
from escalatord.sim.story import Played
from escalatord.store.rows import JournalEntry

SAME_SECONDS = 0.5
LINES_SHOWN_MAX = 60
ELAPSED_COLUMNS = 8
WHAT_COLUMNS = 44


@dataclass(frozen=True, slots=True, kw_only=True)
class Missed:
    """An expectation that was not met: in words, where it stands, and when it was expected (None = at no time).

    `instead` are the things that happened and were not to happen, as (seconds, words).
    """

    say: str
    place: str
    seconds: float | None = None
    instead: tuple[tuple[float, str], ...] = ()


def missed(case: Case, played: Played) -> tuple[Missed, ...]:
    """Return what of a case was not met, in the order in which it is expected."""
    return tuple(found for expected in case.expected if (found := _look(expected, played)) is not None)


def as_diff(played: Played, ruleset: Ruleset, misses: Iterable[Missed]) -> list[str]:
    """Return what happened, with `-` what was expected and is missing, with `+` what was not to happen."""
    happened = lines(played, ruleset)[:LINES_SHOWN_MAX]
    told = [(line.seconds, 1, f"  {_row(line)}") for line in happened]
    for miss in misses:
        told += [(seconds, 2, f"+ {_elapsed(seconds)}{words}") for seconds, words in miss.instead]
        # what was expected at no special time stands at the end
        at = math.inf if miss.seconds is None else miss.seconds
        told.append((at, 0, f"- {_elapsed(miss.seconds)}{miss.say}    {miss.place}"))
    return [text for _, _, text in sorted(told, key=lambda each: each[:2])]


def _row(line: Line) -> str:
    what = f"{line.what:<{WHAT_COLUMNS}}  {line.then}" if line.then else line.what
    return f"{_elapsed(line.seconds)}{what}"


def _elapsed(seconds: float | None) -> str:
    return f"{'' if seconds is None else format_duration(seconds):<{ELAPSED_COLUMNS}}"


# ------------------------------------------------------------------------------------------------------- looking


def _look(expected: Expected, played: Played) -> Missed | None:
    """Return the expectation when it was not met."""
    looks: Mapping[str, Callable[[Expected, Played], Missed | None]] = {
        "incident": _incident,
        "sent": _sent,
        "not_sent": _not_sent,
        "acked": _acked,
        "pages": _pages,
    }
    return looks[expected.way](expected, played)


def _miss(
    expected: Expected, seconds: float | None = None, instead: Iterable[tuple[float, str]] = (), also: str = ""
) -> Missed:
    return Missed(say=described(expected) + also, place=expected.place, seconds=seconds, instead=tuple(instead))


def _incident(expected: Expected, played: Played) -> Missed | None:
    part: IncidentPart = expected.part
    found = [incident for incident in played.incidents if _is_like(incident, part, played)]
    if part.count is not None:
        return None if len(found) == part.count else _miss(expected, part.at, also=f" (there are {len(found)})")
    if found:
        return None
    others = (f"INC-{one.number} is {_facts(one)}" for one in played.incidents)
    return _miss(expected, part.at, also=f" ({'; '.join(others) or 'there is no incident'})")


def _is_like(incident: Incident, part: IncidentPart, played: Played) -> bool:
    wanted = (
        (part.severity, incident.severity.value),
        (part.opened_severity, incident.opened_severity.value),
        (part.policy, incident.policy),
        (part.service, incident.service),
        (part.rule, incident.rule),
        (part.cause, incident.cause.value),
        (part.state, incident.state.value),
        (part.alerts, incident.alerts),
    )
    if any(want is not None and want != have for want, have in wanted):
        return False
    if part.title is not None and part.title.casefold() not in incident.title.casefold():
        return False
    return part.at is None or _same(part.at, (incident.opened_at - played.began).total_seconds())


def _facts(incident: Incident) -> str:
    return (
        f"{incident.severity.value} by {incident.rule or incident.cause.value}, policy {incident.policy}, "
        f"{incident.state.value}, {incident.alerts} alerts"
    )


def _sent(expected: Expected, played: Played) -> Missed | None:
    part: SentPart = expected.part
    if any(_fits(part, message, played) for message in played.messages.values()):
        return None
    # what comes closest: the same words to the same person at another time or by another way
    near = [message for message in played.messages.values() if message.person == part.to]
    if part.contains is not None and part.at is not None:
        same = [message for message in near if _same(part.at, _age(message, played))]
        return _miss(expected, part.at, ((_age(each, played), _words(each)) for each in same))
    return _miss(expected, part.at)


def _not_sent(expected: Expected, played: Played) -> Missed | None:
    part: SentPart = expected.part
    found = [message for message in played.messages.values() if _fits(part, message, played)]
    if not found:
        return None
    return _miss(expected, part.at, ((_age(message, played), _words(message)) for message in found))


def _fits(part: SentPart, message: SimMessage, played: Played) -> bool:
    if message.person != part.to or (part.by is not None and part.by not in (message.name, message.channel)):
        return False
    if part.kind is not None and part.kind != message.kind:
        return False
    if part.contains is not None and part.contains.casefold() not in f"{message.title}\n{message.text}".casefold():
        return False
    return part.at is None or _same(part.at, _age(message, played))


def _acked(expected: Expected, played: Played) -> Missed | None:
    part: AckedPart = expected.part
    for entry in _acks(played):
        told = entry.body
        if told.get("person") != part.by or part.via not in (None, told.get("via")):
            continue
        if part.track not in (None, told.get("track")):
            continue
        if part.after is None or _same(part.after, (entry.at - played.began).total_seconds()):
            return None
    return _miss(expected, part.after)


def _acks(played: Played) -> Iterator[JournalEntry]:
    return (row.entry for row in played.journal if row.entry.kind == "acknowledged")


def _pages(expected: Expected, played: Played) -> Missed | None:
    wanted = int(expected.part)
    firsts: dict[str, SimMessage] = {}
    for row in paged(played.attempts, played):
        firsts.setdefault(row.person, played.messages[row.reference])
    also = ""
    if len(firsts) != wanted:
        also = f" (it pages {len(firsts)})"
    elif expected.because and not any(expected.because.casefold() in why.casefold() for why in _reasons(played)):
        also = f" (the reasons are: {'; '.join(dict.fromkeys(_reasons(played))) or 'none'})"
    if not also:
        return None
    surplus = firsts.values() if len(firsts) > wanted else ()
    return _miss(expected, None, ((_age(message, played), _words(message)) for message in surplus), also)


def _reasons(played: Played) -> Iterator[str]:
    """Yield what the rules said of every alert, at its arrival and last."""
    for taken in played.taken:
        for reason in taken.accepted.verdict.reasons if taken.accepted.verdict else ():
            yield f"{reason.rule}: {reason.say}"
    for verdict in played.verdicts:
        found = verdict.get("reasons")
        for reason in found if isinstance(found, list) else ():
            yield f"{reason.get('rule')}: {reason.get('say')}"


def _words(message: SimMessage) -> str:
    return f"sent to {message.person} by {message.name}: {message.text!r}"


def _age(message: SimMessage, played: Played) -> float:
    return (message.at - played.began).total_seconds()


def _same(seconds: float, other: float) -> bool:
    return abs(seconds - other) < SAME_SECONDS
