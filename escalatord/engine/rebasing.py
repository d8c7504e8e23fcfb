"""Incidents and the rules that they are pinned to: moving them onto those in force, and counting those that are not."""

from operator import attrgetter
from typing import assert_never

from escalatord.core.events import HoursChanged, Rebase
from escalatord.core.incident import Incident, Reason, State, TimerKind
from escalatord.core.ruleset import Ruleset
from escalatord.engine.commands import Answered, LookAtRules, Move, MoveAll, Moved
from escalatord.engine.unit import Unit


def is_outdated(incident: Incident, ruleset: Ruleset) -> bool:
    """Return whether an incident is pinned to a policy that was edited or dropped since."""
    in_force = {policy.hash for policy in ruleset.policies.values()}
    return incident.state is not State.RESOLVED and any(track.policy not in in_force for track in incident.tracks)


def act(unit: Unit, command: Move | MoveAll | LookAtRules) -> Answered | Moved | int:
    """Do what a command about rules asks for, inside one transaction."""
    match command:
        case Move():
            return _move(unit, command)
        case MoveAll():
            return _move_all(unit, command)
        case LookAtRules():
            return _look(unit)
        case _:
            assert_never(command)


def _move(unit: Unit, command: Move) -> Answered:
    before = unit.incident(command.incident)
    policies = unit.world.ruleset.policies
    event = Rebase(person=command.person, via=command.via, policies=tuple(policies.values()))
    outcome = unit.happen(before, event, {policy.hash: policy for policy in policies.values()})
    return Answered(incident=outcome.incident, before=before, reason=outcome.reason, at=unit.now)


def _move_all(unit: Unit, command: MoveAll) -> Moved:
    moved = []
    for incident in sorted(unit.all_known(), key=attrgetter("number")):
        number = incident.number
        if is_outdated(incident, unit.world.ruleset):
            done = _move(unit, Move(incident=number, person=command.person, via=command.via))
            if done.reason is Reason.REBASED:
                moved.append(number)
    return Moved(incidents=tuple(moved), at=unit.now)


def _look(unit: Unit) -> int:
    for incident in unit.all_known():
        if any(timer.kind is TimerKind.HOURS_START for timer in incident.timers):
            unit.happen(incident, HoursChanged())
    return sum(is_outdated(incident, unit.world.ruleset) for incident in unit.incidents.values())
