"""Alerts that escalatord makes itself: nothing came for too long, more or fewer came than usual.

- Each is a row like any other alert, of source `escalatord`, and its clock is that row's deadline: exact, durable, and
  found again after a restart. While it does not fire the row lies there as resolved.
- `absent`: any message that matches, also a repeat or a resolve, is a sign of life. It ends the alert and starts its
  clock again, in the transaction that brings it.
- After a start nothing is overdue at once: for GRACE_SECONDS senders may come back that found us away.
- `anomaly`: a storm is seen with the alert that makes it one, a silence when the hour is over. In shadow nothing fires:
  the journal says what would have paged.
- A rule that is no longer there lets its alert go.
- Dates of review that pass are rows among them too; see `reviews`.
"""

from datetime import datetime, timedelta

from escalatord.core import anomaly
from escalatord.core.alert import Alert, AlertStatus
from escalatord.core.evaluate import RULE_LABEL
from escalatord.core.grouping import AdmissionKind
from escalatord.core.matchers import Matchers, MatchOp
from escalatord.core.rules import (
    EPISODE_STARTS_MAX,
    OWN_SOURCE,
    Absent,
    AlertRecord,
    Anomaly,
    AnomalyKind,
    ThresholdRule,
)
from escalatord.core.units import Quantity, format_duration
from escalatord.core.values import replace
from escalatord.engine import arrivals, intake, reviews
from escalatord.engine.arrivals import Arrivals, Hour
from escalatord.engine.unit import Unit

GRACE_SECONDS = 300.0
OWN_ALERTS_MAX = 10_000


def arm(unit: Unit, *, beside_others: bool = False) -> None:
    """Let every rule that makes alerts have its row and its clock; let go of what no rule makes any more.

    `beside_others` = other nodes heard everything meanwhile: there is no grace, and the hour under way is whole.
    """
    grace_seconds = 0.0 if beside_others else GRACE_SECONDS
    known = {record.alert.fingerprint: record for record in unit.tx.alerts_of_source(OWN_SOURCE, OWN_ALERTS_MAX)}
    wanted: dict[str, ThresholdRule] = {}
    for rule in unit.world.ruleset.thresholds:
        for name in rule.own_fingerprints:
            wanted[name] = rule
            record = known.get(name)
            if record is None:
                record = _idle(rule, name, unit.now)
            if not record.firing:
                intake.remember(unit, replace(record, due_at=_due(unit, rule, record, grace_seconds)), None)
    for name, record in known.items():
        unit.alerts.setdefault((OWN_SOURCE, name), record)
        if name not in wanted and record.firing:
            _end(unit, record, None)
    reviews.arm(unit, known)
    for source in {rule.anomaly.source for rule in wanted.values() if rule.anomaly is not None}:
        if not beside_others:
            arrivals.begin(unit.tx, source, unit.now)


def take_in(unit: Unit) -> None:
    """Let the rules know what this transaction heard."""
    for name in unit.came:
        record = _known(unit, name)
        if record is not None:
            rule = unit.around.makers.get(name)
            due_at = None if rule is None or rule.absent is None else _after(unit.now, rule.absent.for_seconds)
            if record.firing:
                _end(unit, record, due_at)
            else:
                intake.remember(unit, replace(record, last_seen_at=unit.now, due_at=due_at), None)
    for source, more in unit.arrived.items():
        standing = arrivals.count(unit.tx, source, unit.now, more)
        for rule in unit.world.ruleset.thresholds:
            if rule.anomaly is not None and rule.anomaly.source == source and AnomalyKind.STORM in rule.anomaly.kinds:
                _look_at(unit, rule, (rule.anomaly, AnomalyKind.STORM), standing, standing.now)


def beat(unit: Unit, source: str) -> None:
    """A source says that it is alive, and nothing else."""
    rule = unit.world.ruleset.heartbeat_of(source)
    if rule is not None:
        unit.put(unit.came, rule.name, None)


def look(unit: Unit, record: AlertRecord) -> None:
    """The deadline of one of our own alerts has come."""
    rule = unit.around.makers.get(record.alert.fingerprint)
    if reviews.is_review(record):
        reviews.look(unit, record)
    elif rule is None:
        intake.remember(unit, replace(record, due_at=None), None)
    elif rule.anomaly is not None:
        _hour_is_over(unit, rule, rule.anomaly, record)
    elif record.firing:
        intake.look_again(unit, record)
    elif rule.absent is not None:
        due_at = _due(unit, rule, record, 0.0)
        if due_at is not None and due_at <= unit.now:
            _fire(unit, record, _silent(rule, rule.absent, record, due_at))
        else:
            intake.remember(unit, replace(record, due_at=due_at), None)


# ---------------------------------------------------------------------------------------------------- anomalies


def _hour_is_over(unit: Unit, rule: ThresholdRule, own: Anomaly, record: AlertRecord) -> None:
    """Judge the hour that is over, and look again at the end of the next."""
    standing = arrivals.count(unit.tx, own.source, unit.now, 0)
    kind = AnomalyKind(record.alert.fingerprint.rpartition("/")[2])
    last = standing.last
    place = (OWN_SOURCE, record.alert.fingerprint)
    if last is not None and last.number == standing.now.number - 1 and (last.whole or kind is AnomalyKind.STORM):
        usual = anomaly.usual(last.past, own.factor)
        if record.firing and (usual is None or not anomaly.departs(kind, last.count, usual)):
            _end(unit, record, None)
        elif kind is AnomalyKind.SILENCE:
            _look_at(unit, rule, (own, kind), standing, last)
    if unit.alerts.get(place, record).firing:
        intake.look_again(unit, unit.alerts.get(place, record))
    _look_at_the_hours_end(unit, unit.alerts.get(place, record))


def _look_at_the_hours_end(unit: Unit, record: AlertRecord) -> None:
    """Let one of our alerts be looked at when the hour is over, or before where its rule wants that."""
    place = (OWN_SOURCE, record.alert.fingerprint)
    boundary = anomaly.start_of(anomaly.hour_of(unit.now) + 1)
    due_at = min(boundary, record.due_at or boundary) if record.firing else boundary
    intake.remember(unit, replace(record, due_at=due_at), unit.changed_alerts.get(place))


def _look_at(
    unit: Unit, rule: ThresholdRule, what: tuple[Anomaly, AnomalyKind], standing: Arrivals, hour: Hour
) -> None:
    """Fire, or say that it would have, when an hour is not as usual."""
    own, kind = what
    usual = anomaly.usual(hour.past, own.factor)
    if usual is None or not anomaly.departs(kind, hour.count, usual):
        return
    name = f"{rule.name}/{kind}"
    record = _known(unit, name)
    say = anomaly.say(own.source, hour.number, hour.count, usual)
    measured = {
        "observed": Quantity(float(hour.count)),
        "expected": Quantity(usual.expected),
        "score": Quantity(round(anomaly.score(kind, hour.count, usual), 3)),
    }
    if own.shadow:
        if arrivals.tell(unit.tx, own.source, standing, f"{name}/{hour.number}"):
            figures = {what: quantity.value for what, quantity in measured.items()}
            unit.record("would_have_paged", {"rule": rule.name, "kind": kind.value, "say": say, **figures})
    elif record is not None and not record.firing:
        labels = {RULE_LABEL: rule.name, "source": own.source, "anomaly": kind.value}
        title = f"{'More' if kind is AnomalyKind.STORM else 'Fewer'} alerts than usual from {own.source}"
        alert = _alert(record.alert.fingerprint, title, labels, unit.now)
        _fire(unit, record, replace(alert, summary=say, values=measured))
        _look_at_the_hours_end(unit, unit.alerts[OWN_SOURCE, name])


# ------------------------------------------------------------------------------------------------------- private


def _known(unit: Unit, name: str) -> AlertRecord | None:
    place = (OWN_SOURCE, name)
    if place not in unit.alerts:
        found = unit.tx.alerts(OWN_SOURCE, (name,)).get(name)
        if found is not None:
            unit.alerts[place] = found
    return unit.alerts.get(place)


def _due(unit: Unit, rule: ThresholdRule, record: AlertRecord, grace_seconds: float) -> datetime | None:
    """Return when a row that does not fire has to be looked at; not before a grace that begins now."""
    if rule.absent is None:
        return anomaly.start_of(anomaly.hour_of(unit.now) + 1)
    due_at = _after(record.last_seen_at, rule.absent.for_seconds)
    grace_seconds = min(grace_seconds, rule.absent.for_seconds)
    return max(due_at, _after(unit.now, grace_seconds)) if grace_seconds else due_at


def _idle(rule: ThresholdRule, name: str, now: datetime) -> AlertRecord:
    alert = _alert(name, f"Watch of {rule.name}", {RULE_LABEL: rule.name}, now)
    return AlertRecord(alert=replace(alert, status=AlertStatus.RESOLVED, ends_at=now), opened_at=now, last_seen_at=now)


def _alert(name: str, title: str, labels: dict[str, str], starts_at: datetime) -> Alert:
    return Alert(
        source=OWN_SOURCE,
        fingerprint=name,
        status=AlertStatus.FIRING,
        starts_at=starts_at,
        title=title,
        labels=labels,
    )


def _silent(rule: ThresholdRule, absent: Absent, record: AlertRecord, since: datetime) -> Alert:
    """Return the alert that says that nothing came; it has the labels that what is missing would have for certain."""
    labels = {**_equal(absent.match), RULE_LABEL: rule.name}
    whence = f" from {absent.source}" if absent.source else ""
    title = f"Nothing came{whence} for {format_duration(absent.for_seconds)}: {absent.match.text}"
    if absent.heartbeat:
        title = f"No heartbeat from {absent.source} for {format_duration(absent.for_seconds)}"
    last = f"The last {'' if absent.heartbeat else 'that matched '}came at {record.last_seen_at:%Y-%m-%d %H:%M:%S} UTC."
    return replace(_alert(rule.name, title, labels, since), summary=last)


def _equal(match: Matchers) -> dict[str, str]:
    return {matcher.name: matcher.value for matcher in match.matchers if matcher.op is MatchOp.EQUAL and matcher.value}


def _fire(unit: Unit, record: AlertRecord, alert: Alert) -> None:
    starts = (*record.starts, unit.now)[-EPISODE_STARTS_MAX:]
    fresh = AlertRecord(
        alert=alert,
        opened_at=unit.now,
        last_seen_at=record.last_seen_at,
        starts=starts,
        before=record.incident,
        left_at=record.alert.ends_at,
    )
    intake.judge_again(unit, fresh, AdmissionKind.NEW)


def _end(unit: Unit, record: AlertRecord, due_at: datetime | None) -> None:
    """End an alert of ours; its clock starts again where `due_at` says so."""
    ended = replace(record.alert, status=AlertStatus.RESOLVED, ends_at=unit.now)
    record = replace(record, alert=ended, last_seen_at=unit.now, held={}, due_at=due_at)
    intake.remember(unit, record, None)
    unit.around.ended(record, unit.now)
    intake.settle(unit, record)


def _after(at: datetime, seconds: float) -> datetime:
    return at + timedelta(seconds=seconds)
