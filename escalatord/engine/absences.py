"""What the engine does about people who are away: kept by person in the settings, in force with the commit.

Away matters only to targets that ask for it (`& available`). Like an override it never reaches into the past; one that
has begun ends when it is cancelled.
"""

import json
from collections.abc import Iterable
from datetime import datetime, timedelta

from escalatord.core.away import Away
from escalatord.core.values import replace
from escalatord.engine.unit import Unit
from escalatord.engine.wishes import Absence, AbsenceReason, AddAway, CancelAway
from escalatord.store.codec import from_micros, to_micros
from escalatord.store.tx import Tx

AWAY_SETTING = "away/"
"""Settings that start so hold when a person is away."""
AWAY_DAYS_MAX = 366
AWAY_PER_PERSON_MAX = 50


def add_away(unit: Unit, command: AddAway) -> Absence:
    """Note that somebody is away for a while."""
    known = [one for one in unit.world.away if one.person == command.person and one.end > unit.now]
    start = max(command.start, unit.now)
    refused = None
    if command.person not in unit.world.ruleset.people:
        refused = AbsenceReason.UNKNOWN_PERSON
    elif command.end <= command.start:
        refused = AbsenceReason.ENDS_FIRST
    elif command.end <= unit.now:
        refused = AbsenceReason.PAST
    elif command.end - start > timedelta(days=AWAY_DAYS_MAX):
        refused = AbsenceReason.TOO_LONG
    elif len(known) >= AWAY_PER_PERSON_MAX:
        refused = AbsenceReason.TOO_MANY
    if refused is not None:
        return Absence(reason=refused, at=unit.now)
    made = Away(person=command.person, start=start, end=command.end, why=command.why, by=command.by)
    _keep(unit, command.person, (*known, made))
    unit.record("away_added", _body(made), actor=command.by, via=command.via)
    return Absence(reason=AbsenceReason.ADDED, spans=(made,), at=unit.now)


def cancel_away(unit: Unit, command: CancelAway) -> Absence:
    """Somebody is back: what was noted of them at run time ends now, and what was to come is dropped."""
    known = [one for one in unit.world.away if one.person == command.person and one.end > unit.now]
    if not known:
        return Absence(reason=AbsenceReason.NOT_AWAY, at=unit.now)
    _keep(unit, command.person, ())
    for one in known:
        unit.record("away_cancelled", _body(one), actor=command.by, via=command.via)
    return Absence(reason=AbsenceReason.CANCELLED, spans=tuple(known), at=unit.now)


def load_away(tx: Tx, now: datetime) -> tuple[Away, ...]:
    """Return who is away, made known at run time and not over by `now`, by person and start."""
    return away_from(tx.settings(AWAY_SETTING), now)


def away_from(settings: dict[str, str], now: datetime) -> tuple[Away, ...]:
    """Return the same from settings that were read already."""
    found = []
    for name, text in settings.items():
        for start, end, why, by in json.loads(text):
            person = name.removeprefix(AWAY_SETTING)
            found.append(Away(person=person, start=from_micros(start), end=from_micros(end), why=why, by=by))
    return tuple(sorted((one for one in found if one.end > now), key=lambda one: (one.person, one.start)))


def _keep(unit: Unit, person: str, spans: Iterable[Away]) -> None:
    """Write the absences of a person and put them in force for the rest of the batch."""
    kept = tuple(spans)
    rows = [[to_micros(one.start), to_micros(one.end), one.why, one.by] for one in kept]
    unit.tx.set_setting(AWAY_SETTING + person, json.dumps(rows, separators=(",", ":")))
    unit.tx.turn_world()
    others = (one for one in unit.world.away if one.person != person)
    unit.world = replace(unit.world, away=(*others, *kept))


def _body(one: Away) -> dict[str, object]:
    return {
        "person": one.person,
        "start": one.start.isoformat(),
        "end": one.end.isoformat(),
        "why": one.why,
        "by": one.by,
    }
