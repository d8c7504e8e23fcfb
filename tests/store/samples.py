"""Values to store, each with one word to tell it from others."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from escalatord.core.alert import Alert, AlertStatus, Severity
from escalatord.core.incident import (
    Attempt,
    Cause,
    Incident,
    NoticeKind,
    Page,
    Reason,
    State,
    StepProgress,
    Timer,
    TimerKind,
    Track,
    TrackState,
    Via,
)
from escalatord.core.policy import (
    ContactPlan,
    LastResort,
    PlanStep,
    Policy,
    Target,
    TargetKind,
    Tier,
    TrackKind,
    TrackPolicy,
)
from escalatord.core.rules import AlertRecord, RuleReason, Verdict
from escalatord.store.outbox import returned, settled
from escalatord.store.rows import JournalEntry, OutboxRow
from escalatord.store.tx import Tx

NOW = datetime(2026, 10, 24, 3, 11, 0, 123457, tzinfo=UTC)


def minutes(count: float) -> datetime:
    """Return the instant `count` minutes after NOW."""
    return NOW + timedelta(minutes=count)


def incident(number: int, **changes) -> Incident:
    """Return an open incident; `due` sets its one timer (None = no timer)."""
    due = changes.pop("due", minutes(5))
    page = Page(person="ana", tier=1, target="person ana", at=NOW, steps=(StepProgress(channel="sms"),))
    track = Track(name="technical", policy="0123456789abcdef", state=TrackState.RUNNING, tier=1, epoch=1, pages=(page,))
    timers = () if due is None else (Timer(kind=TimerKind.TIER_DEADLINE, at=due, track="technical"),)
    plain = Incident(
        number=number,
        key=f"key-{number}",
        severity=Severity.ERROR,
        opened_severity=Severity.ERROR,
        cause=Cause.THRESHOLD,
        policy="payments",
        service="checkout",
        source="am",
        rule="slow",
        title="Checkout is slow",
        opened_at=NOW,
        tracks=(track,),
        timers=timers,
    )
    return replace(plain, **changes)


def resolved(value: Incident) -> Incident:
    """Return the incident as it is when it is over."""
    return replace(value, state=State.RESOLVED, resolved_at=minutes(9), timers=())


def alert(fingerprint: str = "f1", **changes) -> AlertRecord:
    """Return a firing alert that pages nobody yet; `labels` and `status` change the alert itself."""
    told = Alert(
        source=changes.pop("source", "am"),
        fingerprint=fingerprint,
        status=changes.pop("status", AlertStatus.FIRING),
        starts_at=NOW,
        title="Slow",
        labels=changes.pop("labels", {"service": "checkout"}),
    )
    return replace(AlertRecord(alert=told, opened_at=NOW, last_seen_at=NOW, starts=(NOW,)), **changes)


def verdict(say: str = "failure rate 7% is over 5%") -> Verdict:
    """Return a verdict with one reason."""
    reason = RuleReason(
        rule="slow", kind="threshold", severity=Severity.ERROR, say=say, predicates=(("rate > 5%", "7%", True),)
    )
    return Verdict(severity=Severity.ERROR, cause=Cause.THRESHOLD, rule="slow", service="checkout", reasons=(reason,))


def entry(number: int, kind: str = "opened", **changes) -> JournalEntry:
    """Return a journal entry."""
    plain = JournalEntry(
        incident=number,
        at=NOW,
        actor="am",
        via=Via.SOURCE,
        kind=kind,
        body={"title": "Zahlung läuft nicht"},
        policy="abc",
    )
    return replace(plain, **changes)


def attempt(reference: str, number: int = 1, **changes) -> OutboxRow:
    """Return a pending page by SMS."""
    plain = OutboxRow(
        reference=reference,
        incident=number,
        track="technical",
        tier=1,
        epoch=1,
        kind=NoticeKind.PAGE,
        person="ana",
        channel="sms",
        lane="sms/sim",
        rank=2,
        late=False,
        reason=Reason.OPENED,
        actor="",
        due_at=NOW,
        state=Attempt.PENDING,
    )
    return replace(plain, **changes)


def policy(name: str = "payments", content: str = "0123456789abcdef") -> Policy:
    """Return a policy with one tier."""
    plan = ContactPlan(name="usual", steps=(PlanStep(by="sms", if_failed=("call",)),))
    target = Target(TargetKind.ONCALL, "first")
    tier = Tier(name="first", page=(target,), within_seconds=300.0, plan=plan)
    return Policy(
        name=name,
        hash=content,
        tracks=(TrackPolicy(name="technical", kind=TrackKind.TECHNICAL, tiers=(tier,)),),
        last_resort=LastResort(page=(target,), plan=plan),
        ack_hold_seconds={Severity.CRITICAL: 3600.0},
        never=frozenset({"night"}),
    )


def settle(tx: Tx, reference: str, state: Attempt, *news: str, at: datetime = NOW) -> bool:
    """Record news of an attempt (the provider's id, a word why) as the engine does; return whether anything changed."""
    row = tx.outbox_get(reference)
    provider_id, why = (*news, "", "")[:2]
    return _changed(tx, row, row and settled(row, state, (provider_id, why), at))


def put_back(tx: Tx, reference: str, due_at: datetime, why: str) -> bool:
    """Let an attempt wait as the engine does; return whether it may still be tried."""
    row = tx.outbox_get(reference)
    return _changed(tx, row, row and returned(row, due_at, why))


def _changed(tx: Tx, before: OutboxRow | None, after: OutboxRow | None) -> bool:
    if before is not None and after is not None:
        tx.outbox_save([(before, after)])
    return after is not None
