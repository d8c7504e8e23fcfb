"""Alerts into incidents: admit, evaluate, then one step each.

Two passes over a batch: first every alert is admitted and judged (no incident is needed for that), then the open
incidents of all keys are read at once and the steps are taken in order.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple, assert_never

from escalatord.core.alert import Alert, AlertStatus
from escalatord.core.evaluate import evaluate
from escalatord.core.events import AlertSettled
from escalatord.core.grouping import AdmissionKind, admit, incident_key
from escalatord.core.incident import Cause, Incident, Reason, State
from escalatord.core.mutes import SuppressedBy
from escalatord.core.rules import AlertRecord, Verdict
from escalatord.core.ruleset import Ruleset
from escalatord.core.suppress import going_on
from escalatord.core.values import replace
from escalatord.engine.commands import Accepted, Ingest, Ingested
from escalatord.engine.fired import Told, fired
from escalatord.engine.joining import Place, belongs, member_of, was_in
from escalatord.engine.surroundings import Surroundings
from escalatord.engine.unit import Unit

NEWS = frozenset({AdmissionKind.NEW, AdmissionKind.UPDATED, AdmissionKind.RESOLVED})
LAST_SEEN_SECONDS = 60.0
"""How old `last_seen_at` may grow before a repeat brings it up to date: what repeats faster costs no write."""
RESOLVED_BY_HAND_HOLD_SECONDS = 900.0
"""How long an alert that still fires after a human resolved its incident is left in peace before it opens a new one."""
ALERTS_LOOKED_AFTER_MAX = 10_000
REASON_SUPPRESSED = "suppressed"
AFTER_TROUBLE = timedelta(minutes=5)
"""When an alert whose rules raised is judged again: what they wanted of it must not be forgotten."""


class Judged(NamedTuple):
    """One alert, admitted and judged, not yet acted upon.

    `record` is None for the resolve of something never seen; `verdict` None = there is nothing to judge; `key` is that
    of the incident it may open or join ("" = it pages nobody); `version` that of the surroundings it was judged in.
    """

    alert: Alert
    kind: AdmissionKind
    record: AlertRecord | None
    verdict: Verdict | None = None
    key: str = ""
    version: int = 0
    newly_muted: bool = False


def judge(unit: Unit, command: Ingest) -> tuple[Judged, ...]:
    """Admit and judge every alert of a body, in order; remembers what changed in the unit."""
    return tuple(_judge(unit, alert) for alert in command.alerts)


def keys_of(judged: Iterable[Judged]) -> list[str]:
    """Return the keys of the incidents that these alerts may open or join."""
    return [item.key for item in judged if item.key]


def numbers_of(judged: Iterable[Judged]) -> list[int]:
    """Return the numbers of the incidents that these alerts belong to, of those that are news."""
    return [item.record.incident for item in judged if item.kind in NEWS and item.record and item.record.incident]


def act(unit: Unit, judged: Sequence[Judged]) -> Ingested:
    """Take the steps, in order; what keeps others quiet goes first: a body of cause and symptoms is one page."""
    order: Sequence[int] = range(len(judged))
    if unit.around.cause_names:
        order = sorted(order, key=lambda place: not _may_quiet(unit, judged[place]))
    done = {place: _act(unit, judged[place]) for place in order}
    accepted = tuple(done[place] for place in range(len(judged)))
    known = all(item.kind is AdmissionKind.UNCHANGED and not unit.around.listens_to(item.alert) for item in judged)
    return Ingested(accepted=accepted, changed=any(item.changed for item in accepted), repeatable=known)


def look_again(unit: Unit, record: AlertRecord) -> None:
    """Judge an alert again because an instant named by its rules (or a hold) has come."""
    if not record.firing:
        remember(unit, replace(record, due_at=None), None)
        return
    judge_again(unit, record, AdmissionKind.UPDATED)


def judge_again(unit: Unit, record: AlertRecord, kind: AdmissionKind) -> Accepted:
    """Judge an alert as it is remembered, and act."""
    return _act(unit, _known_key(unit, _evaluated(unit, record, kind)))


def look_soon(unit: Unit, places: Iterable[tuple[str, str]]) -> None:
    """Let alerts that fire be judged again at once: something that they depend on has changed."""
    wanted = list(places)
    unknown: dict[str, list[str]] = {}
    for source, fingerprint in wanted:
        if (source, fingerprint) not in unit.alerts:
            unknown.setdefault(source, []).append(fingerprint)
    for source, fingerprints in unknown.items():
        known = unit.tx.alerts(source, fingerprints)
        unit.alerts.update(((source, fingerprint), record) for fingerprint, record in known.items())
    for place in wanted:
        record = unit.alerts.get(place)
        if record is not None and record.firing and (record.due_at is None or record.due_at > unit.now):
            remember(unit, replace(record, due_at=unit.now), unit.changed_alerts.get(place))


def look_after_closing(unit: Unit, incident: Incident) -> None:
    """A human closed an incident: look again at what of it still fires when it has been left in peace long enough."""
    at = unit.now + timedelta(seconds=RESOLVED_BY_HAND_HOLD_SECONDS)
    for known in unit.tx.alerts_of(incident.number, ALERTS_LOOKED_AFTER_MAX):
        place = (known.alert.source, known.alert.fingerprint)
        record = unit.alerts.get(place, known)
        if record.firing and record.incident == incident.number:
            due_at = min(at, record.due_at or at)
            remember(unit, replace(record, due_at=due_at), unit.changed_alerts.get(place))


def explain(
    ruleset: Ruleset, around: Surroundings, known: Mapping[str, AlertRecord], alerts: Sequence[Alert], now: datetime
) -> tuple[Verdict, ...]:
    """Return what the rules would make of alerts now, changing nothing; a resolve is judged as if it still fired."""
    verdicts = []
    mark = around.mark()
    try:
        for alert in alerts:
            admission = admit(known.get(alert.fingerprint), replace(alert, status=AlertStatus.FIRING), now)
            if admission.record is not None:
                if admission.kind is AdmissionKind.NEW:
                    around.began(admission.record, now)
                verdict = evaluate(ruleset, admission.record, now, around)
                by = verdict.suppressed
                stays = admission.record.severity is not None and by is not None and not by.apply_to_open
                verdicts.append(going_on(verdict) if stays else verdict)
    finally:
        around.undo(mark)
    return tuple(verdicts)


# ------------------------------------------------------------------------------------------------------- private


def _judge(unit: Unit, alert: Alert) -> Judged:
    place = (alert.source, alert.fingerprint)
    if unit.around.makers:
        _hear(unit, alert)
    admission = admit(unit.alerts.get(place), alert, unit.now)
    record, kind = admission.record, admission.kind
    if record is None or kind in (AdmissionKind.LATE_COPY, AdmissionKind.UNKNOWN_RESOLVE):
        return Judged(alert=alert, kind=kind, record=record)
    if kind is AdmissionKind.UNCHANGED:
        if (unit.now - record.last_seen_at).total_seconds() >= LAST_SEEN_SECONDS:
            unit.put(unit.seen_alerts, place, None)
        return Judged(alert=alert, kind=kind, record=record)
    if kind is AdmissionKind.RESOLVED:
        remember(unit, record, None)
        if unit.around.needed:
            unit.around.ended(record, unit.now)
        return Judged(alert=alert, kind=kind, record=record)
    return _evaluated(unit, record, kind)


def _hear(unit: Unit, alert: Alert) -> None:
    """Note what the rules that make their own alerts want to know of a message; a batch tells them once."""
    for name in unit.around.heard(alert):
        unit.put(unit.came, name, None)
    if alert.source in unit.around.counted_sources:
        unit.put(unit.arrived, alert.source, unit.arrived.get(alert.source, 0) + 1)


def _evaluated(unit: Unit, record: AlertRecord, kind: AdmissionKind) -> Judged:
    around = unit.around
    if around.needed:
        if kind is AdmissionKind.NEW:
            around.began(record, unit.now)
        else:
            around.changed(record, unit.now)
    verdict = evaluate(unit.world.ruleset, record, unit.now, around)
    last = record.suppressed
    newly_muted = verdict.suppressed is not None and (last is None or last.ended_at is not None)
    muted = _mute_of(unit, record, verdict)
    if (verdict.held, verdict.next_at, muted) != (record.held, record.due_at, last):
        record = replace(record, held=verdict.held, due_at=verdict.next_at, suppressed=muted)
    remember(unit, record, verdict)
    if around.needed:
        around.judged(record, verdict)
    key = ""
    if verdict.pages:
        # an exception has incidents of its own: nothing that is open already may swallow it
        policy = verdict.policies[0]
        scope = f"{policy}!{verdict.rule}" if verdict.cause is Cause.EXCEPTION else policy
        key = incident_key(verdict, record.alert, scope)
    return Judged(
        alert=record.alert,
        kind=kind,
        record=record,
        verdict=verdict,
        key=key,
        version=around.version,
        newly_muted=newly_muted,
    )


def _mute_of(unit: Unit, record: AlertRecord, verdict: Verdict) -> SuppressedBy | None:
    """Return what mutes an alert now, else what did last, and until when."""
    last = record.suppressed
    if verdict.suppressed is not None or last is None or last.ended_at is not None:
        return verdict.suppressed or last
    return replace(last, ended_at=unit.now)


def _known_key(unit: Unit, item: Judged) -> Judged:
    """Return what was judged outside of a body's first pass, after its open incident was looked for."""
    if item.key and item.key not in unit.by_key:
        unit.know({incident.number: incident for incident in unit.tx.load_open((item.key,)).values()})
    return item


def _may_quiet(unit: Unit, item: Judged) -> bool:
    """Return whether an alert would open or join an incident that keeps others quiet."""
    names = unit.around.cause_names
    if not names or item.verdict is None or item.verdict.pages is None:
        return False
    return item.verdict.rule in names or item.verdict.policies[0] in names


def remember(unit: Unit, record: AlertRecord, verdict: Verdict | None) -> None:
    """Write an alert at the end of the transaction; without a verdict the one written before stays."""
    place = (record.alert.source, record.alert.fingerprint)
    unit.put(unit.alerts, place, record)
    unit.put(unit.changed_alerts, place, verdict)


def _act(unit: Unit, item: Judged) -> Accepted:
    record = unit.alerts.get((item.alert.source, item.alert.fingerprint), item.record)
    if record is None:
        return _accepted(item, 0, new=False, changed=False)
    match item.kind:
        case AdmissionKind.UNCHANGED | AdmissionKind.LATE_COPY | AdmissionKind.UNKNOWN_RESOLVE:
            return _accepted(item, record.incident, new=False, changed=False)
        case AdmissionKind.RESOLVED:
            settle(unit, record)
            return _accepted(item, record.incident, new=False, changed=True)
        case AdmissionKind.NEW | AdmissionKind.UPDATED:
            return _fire(unit, item, record)
        case _:
            assert_never(item.kind)


def settle(unit: Unit, record: AlertRecord, why: str = "", muted_by: str = "") -> None:
    """Let an alert leave its incident: its sender says that it is over, its rules let go of it (`why`), or a mute."""
    incident = unit.incident(record.incident) if record.incident else None
    if incident is not None and incident.state is not State.RESOLVED and record.severity is not None:
        fingerprint, severity = record.alert.fingerprint, record.severity
        event = AlertSettled(fingerprint=fingerprint, severity=severity, why=why, muted_by=muted_by)
        unit.happen(incident, event)
    place = (record.alert.source, record.alert.fingerprint)
    unit.put(unit.alerts, place, replace(record, severity=None))
    unit.around.settled(place)


def _fire(unit: Unit, item: Judged, record: AlertRecord) -> Accepted:
    if item.key and item.version != unit.around.version:  # a cause began or ended since it was judged
        item = _known_key(unit, _evaluated(unit, record, AdmissionKind.UPDATED))._replace(kind=item.kind)
        record = item.record or record
    verdict = item.verdict
    current = unit.incident(record.incident) if record.incident else None
    attached = current is not None and current.state is not State.RESOLVED
    if verdict is not None and verdict.suppressed is not None:
        if not (attached and record.severity is not None) or _reaches(verdict, current):
            return _muted(unit, item, record, current if attached else None)
        return _go_on(unit, item, record)
    if verdict is None or verdict.severity is None:
        return _below(unit, item, record, current if attached else None)
    # one whose rules had let go of it was not closed by hand
    by_hand = current is not None and not attached and record.severity is not None
    if item.kind is AdmissionKind.UPDATED and current is not None and by_hand:
        return _after_hand_resolve(unit, item, record, current)
    if attached and record.severity is verdict.severity:
        return _accepted(item, record.incident, new=False, changed=True)
    return _page(unit, item, record, current if attached else None)


def _page(unit: Unit, item: Judged, record: AlertRecord, current: Incident | None) -> Accepted:
    """Open an incident for the alert, or let it join (or change in) the one that is open."""
    verdict = item.verdict
    assert verdict is not None and verdict.severity is not None  # noqa: S101, PT018 - both seen by the caller
    where = Place(key=item.key, incident=current)
    if current is None:
        where = belongs(unit, record, verdict, item.key)
        current = where.incident
    opens = current is None
    number = unit.next_number() if current is None else current.number
    previous = record.severity if current is not None and record.incident == number else None
    told = Told(number, where.key, verdict.severity, previous)
    place = (record.alert.source, record.alert.fingerprint)
    paged = replace(record, incident=number, severity=verdict.severity)
    if opens and where.group is None and unit.open_like(told, item.alert, verdict, record.suppressed):
        reason = Reason.OPENED
    else:
        event = replace(
            fired(unit.world.ruleset, item.alert, verdict, told, record.suppressed),
            again=not opens and was_in(unit, record, number),
            member=member_of(unit, where, record),
        )
        reason = unit.happen(current, event, {policy.hash: policy for policy in event.policies}).reason
    unit.put(unit.alerts, place, paged)
    unit.put(unit.changed_alerts, place, verdict)
    if unit.around.cause_names:
        current = unit.incident(number)
        assert current is not None  # noqa: S101 - it has just been told
        unit.around.paged(paged, current)
    return _accepted(item, number, new=opens or previous is None, changed=True, reason=reason.value)


def _reaches(verdict: Verdict, current: Incident | None) -> bool:
    """Return whether a mute takes an alert out of its open incident; an exception's it never does."""
    by = verdict.suppressed
    return by is not None and by.apply_to_open and current is not None and current.cause is not Cause.EXCEPTION


def _muted(unit: Unit, item: Judged, record: AlertRecord, current: Incident | None) -> Accepted:
    """It pages nobody for as long as it is muted; what it paged before is called off."""
    by = record.suppressed
    if by is not None and item.newly_muted:
        unit.put(unit.newly_muted, (record.alert.source, record.alert.fingerprint), by.kind)
    if by is not None and current is not None and record.severity is not None:
        settle(unit, record, muted_by=by.say)
    return _accepted(item, 0, new=item.kind is AdmissionKind.NEW, changed=True, reason=REASON_SUPPRESSED)


def _go_on(unit: Unit, item: Judged, record: AlertRecord) -> Accepted:
    """A mute that began later leaves what is open alone: the alert goes on in its incident as if there were none."""
    verdict = going_on(item.verdict) if item.verdict is not None else None
    record = replace(record, suppressed=None)
    remember(unit, record, verdict)
    if verdict is not None and unit.around.needed:
        unit.around.judged(record, verdict)
    return _fire(unit, item._replace(verdict=verdict, version=unit.around.version), record)


def _below(unit: Unit, item: Judged, record: AlertRecord, current: Incident | None) -> Accepted:
    """No severity is reached: it pages nobody; where it paged before, its incident learns when its rules let go."""
    if current is None or record.severity is None:
        return _accepted(item, 0, new=item.kind is AdmissionKind.NEW, changed=True)
    # What pages stays paged until its sender resolves it or a `clear` says so: falling below a line is no recovery.
    if item.verdict is not None and item.verdict.cleared:
        settle(unit, record, item.verdict.cleared)
    return _accepted(item, current.number, new=False, changed=True)


def _after_hand_resolve(unit: Unit, item: Judged, record: AlertRecord, closed: Incident) -> Accepted:
    """A human resolved it and it still fires: leave it in peace for a while, then open again and say so."""
    again_at = (closed.resolved_at or unit.now) + timedelta(seconds=RESOLVED_BY_HAND_HOLD_SECONDS)
    if unit.now < again_at:
        place = (record.alert.source, record.alert.fingerprint)
        unit.put(unit.alerts, place, replace(record, due_at=min(again_at, record.due_at or again_at)))
        return _accepted(item, closed.number, new=False, changed=True)
    fresh = replace(record, incident=0, severity=None)
    return _page(unit, item, fresh, None)


def _accepted(item: Judged, incident: int, *, new: bool, changed: bool, reason: str = "") -> Accepted:
    return Accepted(
        fingerprint=item.alert.fingerprint,
        incident=incident,
        new=new,
        changed=changed,
        verdict=item.verdict,
        reason=reason or item.kind.value,
    )
