"""Which incident an alert that pages belongs to: an open one, one that has just ended, a storm's bundle, or its own.

In this order: the open one of its key; where flapping is damped, the one it was in a moment ago, or the one of its key
that has just ended; the bundle of its storm; a new one. An exception has its own in any case.
"""

from datetime import timedelta
from typing import NamedTuple

from escalatord.core import bundle
from escalatord.core.events import Member
from escalatord.core.flap import may_reopen
from escalatord.core.incident import Cause, Incident, State
from escalatord.core.noise import Group, may_bundle
from escalatord.core.rules import AlertRecord, Verdict
from escalatord.engine.unit import Unit


class Place(NamedTuple):
    """Where an alert belongs. `incident` None = a new one; `group` is that of a bundle that it opens or joins."""

    key: str
    incident: Incident | None = None
    group: Group | None = None


def belongs(unit: Unit, record: AlertRecord, verdict: Verdict, key: str) -> Place:
    """Return where an alert belongs that is in no open incident; what begins by it is counted."""
    current = unit.open_of(key)
    if current is None and verdict.cause is not Cause.EXCEPTION:
        current = _a_moment_ago(unit, record, verdict.policies[0]) or _just_ended(unit, key)
        if current is None:
            return _in_storm(unit, record, verdict, key)
    if current is not None and current.bundle is not None:
        return Place(key=current.key, incident=current, group=_group(unit, current))
    return Place(key=key, incident=current)


def was_in(unit: Unit, record: AlertRecord, number: int) -> bool:
    """Return whether an alert was in an incident a moment ago, so that its coming back to it is no news."""
    flap = unit.world.ruleset.flap
    if flap is None or not number:
        return False
    if record.incident == number:
        return True
    is_recent = record.left_at is not None and unit.now - record.left_at <= timedelta(
        seconds=flap.reopen_within_seconds
    )
    return record.before == number and is_recent


def member_of(unit: Unit, where: Place, record: AlertRecord) -> Member | None:
    """Return what the bundle that an alert opens or joins has to know of it, None where it is in none."""
    if where.group is None:
        return None
    service = unit.world.ruleset.services.get(record.alert.labels.get("service", ""))
    known = where.incident.bundle if where.incident is not None else None
    if service is None or (known is not None and service.name in known.services):
        return Member(group=where.group, labels=record.alert.labels)
    trouble = unit.open_of_services(service.depends_on)
    cause, number = next(iter(trouble.items()), ("", 0))
    label = f"INC-{number}" if number else ""
    return Member(group=where.group, labels=record.alert.labels, cause=cause, cause_label=label)


def _a_moment_ago(unit: Unit, record: AlertRecord, policy: str) -> Incident | None:
    """Return the open incident that the alert has just left and comes back to; of another policy it is not."""
    for number in (record.incident, record.before):
        known = unit.incident(number) if was_in(unit, record, number) else None
        if known is not None and known.state is not State.RESOLVED and known.policy == policy:
            return known
    return None


def _just_ended(unit: Unit, key: str) -> Incident | None:
    flap = unit.world.ruleset.flap
    known = unit.over_of(key) if flap is not None else None
    return known if known is not None and may_reopen(known, flap, unit.now) else None


def _in_storm(unit: Unit, record: AlertRecord, verdict: Verdict, key: str) -> Place:
    storms, alert = unit.around.storms, record.alert
    group = storms.group_of(alert)
    policies = [unit.world.ruleset.policies[name] for name in verdict.policies]
    if group is None or verdict.rule in unit.around.cause_names or not all(map(may_bundle, policies)):
        return Place(key=key)
    is_storm = bundle.is_storm(group, storms.begun(group, alert), unit.now)
    storms.begin(group, alert, unit.now)
    if not is_storm:
        return Place(key=key)
    key = bundle.key_of(group, alert, policies[0].name)
    return Place(key=key, incident=unit.open_of(key) or _just_ended(unit, key), group=group)


def _group(unit: Unit, incident: Incident) -> Group | None:
    name = incident.bundle.group if incident.bundle is not None else ""
    return next((group for group in unit.world.ruleset.groups if group.name == name), None)
