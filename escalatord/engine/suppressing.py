"""What the engine does about silences: who is quiet until when, in force with the commit.

A silence never reaches into the past. It leaves open incidents alone unless it says `apply_to_open`: then the alerts
that match are looked at in the same second (or when it begins), and leave their incidents. One that is expired before
its time lets everything it held back be looked at at once.
"""

from datetime import datetime, timedelta

from escalatord.core.mutes import Silence
from escalatord.core.rules import NO_TRAITS, AlertRecord
from escalatord.core.values import replace
from escalatord.engine import intake
from escalatord.engine.unit import Unit
from escalatord.engine.wishes import AddSilence, ExpireSilence, Silenced, SilenceReason

SILENCES_MAX = 1_000
SILENCE_DAYS_MAX = 30
SILENCE_AHEAD_DAYS_MAX = 366
SILENCE_MATCHERS_CHARS_MAX = 4_096
SILENCE_WHY_CHARS_MAX = 500
ALERTS_MATCHED_MAX = 20_000
"""Past it the oldest alerts are not counted, and not taken out of their incidents."""


def run(unit: Unit, command: AddSilence | ExpireSilence) -> Silenced:
    """Run a command about silences."""
    return add_silence(unit, command) if isinstance(command, AddSilence) else expire_silence(unit, command)


def add_silence(unit: Unit, command: AddSilence) -> Silenced:
    """Let what matches be quiet."""
    wanted = replace(command.silence, id=0, start=max(command.silence.start, unit.now))
    refused = _refused(unit, command.silence, wanted)
    if refused is not None:
        return Silenced(reason=refused, at=unit.now)
    made = replace(wanted, id=unit.tx.add_silence(wanted))
    unit.record("silence_added", body_of(made), actor=made.by, via=command.via)
    unit.around.silence((*_live(unit), made))
    paging, quiet = _matching(unit, made)
    if made.apply_to_open:
        _look_at(unit, paging, made.start)
    return Silenced(
        reason=SilenceReason.ADDED, silence=made, paging=len(paging), firing=len(paging) + len(quiet), at=unit.now
    )


def expire_silence(unit: Unit, command: ExpireSilence) -> Silenced:
    """Let a silence end now."""
    found = unit.tx.end_silence(command.id, unit.now)
    if found is None:
        return Silenced(reason=SilenceReason.UNKNOWN_SILENCE, at=unit.now)
    unit.record("silence_expired", body_of(found), actor=command.by, via=command.via)
    held = unit.around.held_by((found.key,))[found.key]
    unit.around.silence(one for one in _live(unit) if one.id != found.id)
    unit.around.unmuted(found.key)
    return Silenced(reason=SilenceReason.EXPIRED, silence=found, firing=held, at=unit.now)


def body_of(silence: Silence) -> dict[str, object]:
    """Return what the journal says of a silence."""
    return {
        "id": silence.id,
        "mute": silence.kind.value,
        "matchers": silence.match.text,
        "start": silence.start.isoformat(),
        "end": silence.end.isoformat(),
        "why": silence.why,
        "by": silence.by,
        "apply_to_open": silence.apply_to_open,
    }


def _refused(unit: Unit, asked: Silence, wanted: Silence) -> SilenceReason | None:
    """Return why a silence cannot be, None when it can."""
    checks = (
        (SilenceReason.NO_WHY, not asked.why.strip()),
        (SilenceReason.ENDS_FIRST, asked.end <= asked.start),
        (SilenceReason.PAST, asked.end <= unit.now),
        (SilenceReason.TOO_LONG, wanted.end - wanted.start > timedelta(days=SILENCE_DAYS_MAX)),
        (SilenceReason.TOO_FAR, wanted.start - unit.now > timedelta(days=SILENCE_AHEAD_DAYS_MAX)),
        (SilenceReason.MATCHES_ALL, wanted.match.matches({})),
        (SilenceReason.TOO_MANY, len(_live(unit)) >= SILENCES_MAX),
    )
    return next((reason for reason, so in checks if so), None)


def _live(unit: Unit) -> list[Silence]:
    return [one for one in unit.around.silences().all if one.end > unit.now]


def _matching(unit: Unit, silence: Silence) -> tuple[list[AlertRecord], list[AlertRecord]]:
    """Return the alerts that fire and match: those in an incident, and the others."""
    paging: list[AlertRecord] = []
    quiet: list[AlertRecord] = []
    services = unit.world.ruleset.services
    for known in unit.tx.firing_alerts(ALERTS_MATCHED_MAX):
        record = unit.alerts.get((known.alert.source, known.alert.fingerprint), known)
        service = services.get(record.alert.labels.get("service", ""))
        traits = service.traits if service is not None else NO_TRAITS
        if record.firing and silence.match.matches(record.alert.labels, traits):
            (paging if record.severity is not None else quiet).append(record)
    return paging, quiet


def _look_at(unit: Unit, records: list[AlertRecord], at: datetime) -> None:
    """Let alerts be judged again at the instant `at`, or earlier when they would be anyway."""
    for known in records:
        place = (known.alert.source, known.alert.fingerprint)
        record = unit.alerts.setdefault(place, known)
        if record.due_at is None or record.due_at > at:
            intake.remember(unit, replace(record, due_at=at), unit.changed_alerts.get(place))
