"""Commands about who has duty, each to the one that does it."""

from typing import TypeAlias, assert_never

from escalatord.engine import absences, overriding
from escalatord.engine.unit import Unit
from escalatord.engine.wishes import (
    Absence,
    AddAway,
    AddOverride,
    CancelAway,
    CancelOverride,
    Overridden,
    RememberFeed,
    SwapShifts,
)

DutyCommand: TypeAlias = AddAway | AddOverride | CancelAway | CancelOverride | RememberFeed | SwapShifts


def run(unit: Unit, command: DutyCommand) -> Overridden | Absence | None:
    """Do what a command about duty says."""
    match command:
        case AddOverride():
            return overriding.add_override(unit, command)
        case CancelOverride():
            return overriding.cancel_override(unit, command)
        case SwapShifts():
            return overriding.swap_shifts(unit, command)
        case AddAway():
            return absences.add_away(unit, command)
        case CancelAway():
            return absences.cancel_away(unit, command)
        case RememberFeed():
            overriding.remember_feed(unit, command)
            return None
        case _:
            assert_never(command)
