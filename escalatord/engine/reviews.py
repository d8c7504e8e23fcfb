"""Overdue reviews of rules: their owners are told, once for each date (see `core.review`).

Each rule with a date has a row among our own alerts whose deadline is the instant of telling: exact, durable, and found
again after a restart. The row itself never fires: no rule judges it. What it opens is an incident of its own, whose key
names the rule; a new date, or a rule that is gone, settles that.
"""

from collections.abc import Mapping
from datetime import datetime

from escalatord.core.alert import Alert, AlertStatus, Severity
from escalatord.core.events import AlertFired, AlertSettled
from escalatord.core.incident import Cause
from escalatord.core.policy import Policy
from escalatord.core.review import due_at, policy_for
from escalatord.core.rules import OWN_SOURCE, AlertRecord, ThresholdRule
from escalatord.core.values import replace
from escalatord.engine import intake
from escalatord.engine.unit import Unit

PREFIX = "review/"
DATE_LABEL = "review_by"


def is_review(record: AlertRecord) -> bool:
    """Return whether one of our own alerts stands for the review of a rule."""
    return record.alert.fingerprint.startswith(PREFIX)


def arm(unit: Unit, known: Mapping[str, AlertRecord]) -> None:
    """Let every date of review have its row and its deadline; let go of what was told of dates that are gone."""
    dated = {PREFIX + rule.name: rule for rule in unit.world.ruleset.thresholds if rule.review_by}
    for name, rule in dated.items():
        record = known.get(name)
        if record is not None and _date_of(record) == rule.review_by and record.due_at is None and _told(record):
            continue
        if record is not None and _date_of(record) != rule.review_by:
            _settle(unit, name)
        _keep(unit, _row(name, rule.review_by, unit.now), due_at(rule, unit.world.ruleset, unit.now))
    for name, record in known.items():
        if is_review(record) and name not in dated and _date_of(record):
            _settle(unit, name)
            _keep(unit, _row(name, "", unit.now), None)


def look(unit: Unit, record: AlertRecord) -> None:
    """The deadline of a review has come: tell whoever answers for the rule, unless it is not due after all."""
    rule = next((r for r in unit.world.ruleset.thresholds if PREFIX + r.name == record.alert.fingerprint), None)
    due = due_at(rule, unit.world.ruleset, unit.now) if rule is not None else None
    if rule is None or due is None or due > unit.now:
        _keep(unit, record, due)
        return
    _tell(unit, rule)
    _keep(unit, replace(record, starts=(unit.now,)), None)


def _tell(unit: Unit, rule: ThresholdRule) -> None:
    policy = policy_for(rule, unit.world.ruleset)
    unit.tx.pin([policy])  # it stands in no file, so nobody else pins it
    _know(unit, {policy.hash: policy})
    event = AlertFired(
        number=unit.next_number(),
        key=_key(PREFIX + rule.name),
        source=OWN_SOURCE,
        fingerprint=PREFIX + rule.name,
        title=f"Review overdue: {rule.name}",
        summary=f"It was to be reviewed by {rule.review_by}. Look at its figures, set the next date, or delete it.",
        links={},
        service="",
        severity=Severity.INFO,
        cause=Cause.THRESHOLD,
        rule=rule.name,
        policies=(policy,),
        why={DATE_LABEL: rule.review_by},
    )
    unit.happen(None, event)


def _settle(unit: Unit, name: str) -> None:
    """End what was opened for the review, if it is still open."""
    key = _key(name)
    unit.know({incident.number: incident for incident in unit.tx.load_open((key,)).values()})
    incident = unit.incident(unit.by_key.get(key, 0))
    if incident is not None:
        _know(unit, unit.tx.policies({track.policy for track in incident.tracks}))
        unit.happen(incident, AlertSettled(fingerprint=name, severity=Severity.INFO))


def _know(unit: Unit, policies: Mapping[str, Policy]) -> None:
    """Let the rest of the batch look such policies up, as those of the rules are."""
    unit.world = replace(unit.world, policies={**unit.world.policies, **policies})


def _key(name: str) -> str:
    return f"{OWN_SOURCE}|{name}"


def _row(name: str, date: str, now: datetime) -> AlertRecord:
    alert = Alert(
        source=OWN_SOURCE,
        fingerprint=name,
        status=AlertStatus.RESOLVED,
        starts_at=now,
        ends_at=now,
        title=f"Review of {name.removeprefix(PREFIX)}",
        labels={DATE_LABEL: date},
    )
    return AlertRecord(alert=alert, opened_at=now, last_seen_at=now)


def _keep(unit: Unit, record: AlertRecord, due: datetime | None) -> None:
    intake.remember(unit, replace(record, due_at=due), None)


def _date_of(record: AlertRecord) -> str:
    return record.alert.labels.get(DATE_LABEL, "")


def _told(record: AlertRecord) -> bool:
    return bool(record.starts)
