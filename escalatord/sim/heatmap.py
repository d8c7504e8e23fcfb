"""Who would be paged first, for as long as the calendar is asked about; and every hole in it.

The same incident is opened at every instant of the span by the engine's own step, so that backups, roles, overrides and
`when_empty` count as they would that night. One row is one day of the reader's zone.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from string import ascii_letters

from escalatord.core.escalation import step
from escalatord.core.events import AlertFired, Record
from escalatord.core.incident import Incident
from escalatord.core.ruleset import Ruleset, World
from escalatord.core.wallclock import MONTHS, WEEKDAYS, Style, format_local, to_local

SLOTS_MAX = 50_000
DAY_MINUTES = 1440
DAY_COLUMNS = 12
GAPS_SHOWN_MAX = 20
GAP = "!"
SEVERAL = "*"
NOTHING = " "


@dataclass(frozen=True, slots=True, kw_only=True)
class Slot:
    """Who is paged first in an incident that opens at `at`; `gap` says why it is not the first tier ("" = it is)."""

    at: datetime
    first: tuple[str, ...]
    gap: str = ""


def slots(ruleset: Ruleset, incident: Incident, start_at: int, instants: Sequence[datetime]) -> tuple[Slot, ...]:
    """Return who is paged first on the main track of an incident like this one, at each of the instants.

    `start_at` is the tier at which its rule starts, 0 = all at once. Raise ValueError past SLOTS_MAX instants.
    """
    if len(instants) > SLOTS_MAX:
        raise ValueError(f"more than {SLOTS_MAX} instants; ask less often or for less time")
    known = {policy.hash: policy for policy in ruleset.policies.values()}
    world = World(ruleset=ruleset, policies=known)
    event = AlertFired(
        number=incident.number,
        key=incident.key,
        source=incident.source,
        fingerprint="",
        title=incident.title,
        summary="",
        links={},
        service=incident.service,
        severity=incident.opened_severity,
        cause=incident.cause,
        rule=incident.rule,
        policies=tuple(known[digest] for digest in dict.fromkeys(track.policy for track in incident.tracks)),
        start_at=start_at,
    )
    return tuple(_slot(event, at, world) for at in instants)


def every(start: datetime, every_seconds: float, for_seconds: float) -> list[datetime]:
    """Return the instants from `start` on, so many seconds apart."""
    count = int(for_seconds // every_seconds) if every_seconds > 0 else 0
    return [start + timedelta(seconds=every_seconds * number) for number in range(min(count, SLOTS_MAX + 1))]


def drawn(found: Sequence[Slot], zone: str, columns_max: int) -> list[str]:
    """Return the map as lines of at most `columns_max` columns, its legend, and every gap with its times."""
    letters = _letters(found)
    steps = {(later.at - sooner.at) for sooner, later in pairwise(found)}
    minutes = max(1, round(min(steps, default=timedelta(minutes=30)).total_seconds() / 60))
    width = columns_max - DAY_COLUMNS
    # as many minutes to a column as make a day fit, in whole steps of what was asked
    per_column = minutes * -(-DAY_MINUTES // (minutes * width))
    columns = -(-DAY_MINUTES // per_column)
    days: dict[str, list[str]] = {}
    for slot in found:
        local = to_local(slot.at, zone)
        day = f"{WEEKDAYS[local.weekday()]} {local.day:>2} {MONTHS[local.month - 1]}"
        row = days.setdefault(day, [NOTHING] * columns)
        column = (local.hour * 60 + local.minute) // per_column
        row[column] = _worse(row[column], _mark(slot, letters))
    drawing = [f"{'':<{DAY_COLUMNS}}{_hours(columns, per_column)}".rstrip()]
    drawing += [f"{day:<{DAY_COLUMNS}}{''.join(row)}".rstrip() for day, row in days.items()]
    legend = [f"{letter} {person}" for person, letter in letters.items()]
    legend += [f"{SEVERAL} several at once"] if any(_mark(slot, letters) == SEVERAL for slot in found) else []
    legend += [f"{GAP} gap"] if any(slot.gap for slot in found) else ["no gap"]
    return [*drawing, "", "   ".join([*legend, f"(a column is {_minutes(per_column)}, times in {zone})"])]


def gaps(found: Sequence[Slot], zone: str) -> list[str]:
    """Return every stretch in which the first tier is empty, with its times and who is paged instead."""
    told = []
    for first, end in _runs(found):
        since = format_local(first.at, zone, Style.DATE)
        until = format_local(end, zone, Style.DATE)
        told.append(f"{GAP} {since} to {until}: {first.gap}, so {', '.join(first.first) or 'nobody'} is first")
    more = len(told) - GAPS_SHOWN_MAX
    return [*told[:GAPS_SHOWN_MAX], f"… and {more} more gaps"] if more > 0 else told


def _slot(event: AlertFired, at: datetime, world: World) -> Slot:
    outcome = step(None, event, at, world)
    assert outcome.incident is not None  # noqa: S101 - an alert that fires opens one
    main = outcome.incident.main
    empty = [
        str(effect.body["tier"])
        for effect in outcome.effects
        if isinstance(effect, Record) and effect.kind == "tier_skipped" and effect.track == main.name
    ]
    gap = f"nobody in tier {', '.join(empty)}" if empty else ""
    return Slot(at=at, first=tuple(page.person for page in main.pages), gap=gap)


def _runs(found: Sequence[Slot]) -> Iterator[tuple[Slot, datetime]]:
    """Yield the first slot of each gap, and when it ends (at the latest that is known)."""
    begun: Slot | None = None
    for slot in found:
        if begun is not None and (slot.gap, slot.first) != (begun.gap, begun.first):
            yield begun, slot.at
            begun = None
        if slot.gap and begun is None:
            begun = slot
    if begun is not None:
        yield begun, found[-1].at


def _letters(found: Sequence[Slot]) -> dict[str, str]:
    """Return a letter for everybody, by order of appearance: one of their name where it is free."""
    taken: dict[str, str] = {}
    for person in dict.fromkeys(person for slot in found for person in slot.first):
        wanted = [*person.lower(), *person.upper(), *ascii_letters]
        free = (letter for letter in wanted if letter in ascii_letters and letter not in taken.values())
        taken[person] = next(free, "?")
    return taken


def _mark(slot: Slot, letters: dict[str, str]) -> str:
    if slot.gap or not slot.first:
        return GAP
    return SEVERAL if len(slot.first) > 1 else letters[slot.first[0]]


def _worse(known: str, mark: str) -> str:
    """Return what a column shows that stands for several instants: a gap before anything else, then the first."""
    if GAP in (known, mark):
        return GAP
    return mark if known == NOTHING else known


def _hours(columns: int, per_column: int) -> str:
    ruler = [NOTHING] * columns
    for hour in range(0, 24, 3):
        at = hour * 60 // per_column
        ruler[at : at + 2] = f"{hour:02}"
    return "".join(ruler[:columns])


def _minutes(minutes: int) -> str:
    return f"{minutes // 60}h" if minutes % 60 == 0 else f"{minutes}m"
