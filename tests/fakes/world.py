"""A small company for tests of the core: five people, two tracks, a compliance policy, simulated channels."""

from dataclasses import replace
from datetime import UTC, datetime, time, timedelta

from escalatord.core.alert import Severity
from escalatord.core.calendar import Calendar, Hours
from escalatord.core.events import AlertFired, Event, Notify, Outcome, Record, TimersDue
from escalatord.core.incident import Cause, Incident
from escalatord.core.policy import (
    Compliance,
    ContactPlan,
    LastResort,
    PlanStep,
    Policy,
    SeverityOverride,
    Target,
    TargetKind,
    Tier,
    TrackKind,
    TrackPolicy,
)
from escalatord.core.roster import ChannelKind, ChannelSpec, Person
from escalatord.core.ruleset import Ruleset, Unmatched, World

T0 = datetime(2026, 10, 24, 1, 0, tzinfo=UTC)


def at(minutes: float = 0, seconds: float = 0) -> datetime:
    """Return T0 and so much later."""
    return T0 + timedelta(minutes=minutes, seconds=seconds)


def person(name: str) -> Target:
    """Return the target for one person."""
    return Target(TargetKind.PERSON, name)


USUAL = ContactPlan(
    name="usual",
    steps=(
        PlanStep(by="chat"),
        PlanStep(by="sms", if_failed=("sms_backup", "call"), failed_after_seconds=60),
        PlanStep(by="call", after_seconds=180),
    ),
)
URGENT = ContactPlan(
    name="urgent", steps=(PlanStep(by="sms"), PlanStep(by="call"), PlanStep(by="call", after_seconds=120))
)
MAIL = ContactPlan(name="mail", steps=(PlanStep(by="mail"),))

PAYMENTS = Policy(
    name="payments",
    hash="payments-1",
    owner=person("cto"),
    tracks=(
        TrackPolicy(
            name="technical",
            kind=TrackKind.TECHNICAL,
            tiers=(
                Tier(
                    name="primary",
                    page=(person("ana"),),
                    backup=(person("bo"),),
                    within_seconds=900,
                    remind_seconds=(300, 600),
                    plan=USUAL,
                ),
                Tier(name="secondary", page=(person("bo"),), within_seconds=600, plan=USUAL),
                Tier(name="lead", page=(Target(TargetKind.TEAM, "leads"),), within_seconds=600, plan=URGENT),
            ),
            repeat=1,
        ),
        TrackPolicy(
            name="stakeholder",
            kind=TrackKind.STAKEHOLDER,
            when=Severity.ERROR,
            tiers=(Tier(name="duty", page=(person("vp"),), within_seconds=1800, plan=MAIL),),
        ),
    ),
    overrides={Severity.CRITICAL: SeverityOverride(within_seconds=300, plan=URGENT)},
    last_resort=LastResort(page=(person("cto"),), plan=URGENT, every_seconds=1800),
    ack_hold_seconds={Severity.CRITICAL: 3600, Severity.ERROR: 28800},
)
LEGAL = Policy(
    name="legal",
    hash="legal-1",
    tracks=(
        TrackPolicy(
            name="compliance",
            kind=TrackKind.COMPLIANCE,
            tiers=(
                Tier(name="dpo", page=(person("vp"),), within_seconds=1800, plan=MAIL),
                Tier(name="counsel", page=(person("cto"),), within_seconds=1800, plan=MAIL),
            ),
        ),
    ),
    last_resort=LastResort(page=(person("cto"),), plan=URGENT),
    compliance=Compliance(regime="gdpr", clock_from="awareness", due_seconds=72 * 3600, remind_seconds=(24 * 3600,)),
    confidential=True,
    never=frozenset({"snooze", "bundle", "auto_resolve"}),
)


def _channel(name: str, kind: ChannelKind, key: str, *, receipts: bool) -> ChannelSpec:
    return ChannelSpec(name=name, kind=kind, provider="sim", address_key=key, receipts=receipts)


CHANNELS = {
    "chat": _channel("chat", ChannelKind.CHAT, "", receipts=False),
    "sms": _channel("sms", ChannelKind.SMS, "sms", receipts=True),
    "sms_backup": _channel("sms_backup", ChannelKind.SMS, "sms", receipts=True),
    "call": _channel("call", ChannelKind.CALL, "call", receipts=True),
    "mail": _channel("mail", ChannelKind.MAIL, "email", receipts=False),
}
PEOPLE = {
    name: Person(
        id=name,
        name=name.title(),
        addresses={"sms": f"+3460000000{index}", "call": f"+3460000000{index}", "email": f"{name}@example.com"},
    )
    for index, name in enumerate(("ana", "bo", "cy", "vp", "cto"), start=1)
}
RULESET = Ruleset(
    hash="rules-1",
    unmatched=Unmatched(severity=Severity.WARNING, policy="payments"),
    policies={"payments": PAYMENTS, "legal": LEGAL},
    people=PEOPLE,
    teams={"leads": ("bo", "cy")},
    channels=CHANNELS,
)
WORLD = World(ruleset=RULESET, policies={PAYMENTS.hash: PAYMENTS, LEGAL.hash: LEGAL})


def fired(number: int = 1, severity: Severity = Severity.ERROR, **changes: object) -> AlertFired:
    """Return an alert that opens (or joins) incident `number` under the payments policy."""
    facts: dict[str, object] = {
        "number": number,
        "key": f"am|payments|checkout|{number}",
        "source": "am",
        "fingerprint": "f1",
        "title": "5xx rate 8.2%",
        "summary": "",
        "links": {},
        "service": "checkout",
        "severity": severity,
        "cause": Cause.THRESHOLD,
        "rule": "checkout-failing",
        "policies": (PAYMENTS,),
    }
    return AlertFired(**{**facts, **changes})


def notices(outcome: Outcome) -> list[tuple[str, str, str]]:
    """Return who is told what by which channel, in order: (kind, person, channel)."""
    return [(e.kind.value, e.person, e.channel) for e in outcome.effects if isinstance(e, Notify)]


def journal(outcome: Outcome) -> list[str]:
    """Return the kinds of the journal entries, in order."""
    return [effect.kind for effect in outcome.effects if isinstance(effect, Record)]


def run(incident: Incident | None, *events: tuple[Event, datetime], world: World = WORLD) -> Outcome:
    """Let events happen one after the other and return the last outcome."""
    from escalatord.core.escalation import step  # noqa: PLC0415 - keeps this module importable beside half the core

    outcome = Outcome(incident=incident, effects=(), reason=None)
    for event, now in events:
        outcome = step(outcome.incident, event, now, world)
    return outcome


def opened(severity: Severity = Severity.ERROR, world: World = WORLD, **changes: object) -> Incident:
    """Return the incident that an alert opens at T0."""
    return run(None, (fired(severity=severity, **changes), T0), world=world).incident


def pass_time(incident: Incident, until: datetime, world: World = WORLD) -> Incident:
    """Return the incident after every deadline up to `until` passed at its own instant."""
    while incident.next_due_at is not None and incident.next_due_at <= until:
        incident = run(incident, (TimersDue(), incident.next_due_at), world=world).incident
    return incident


def without(*names: str, world: World = WORLD) -> World:
    """Return the world without some people."""
    people = {name: one for name, one in world.ruleset.people.items() if name not in names}
    return replace(world, ruleset=replace(world.ruleset, people=people))


def under(policy: Policy, world: World = WORLD) -> World:
    """Return the world with a policy more, to be given to `fired` too."""
    return replace(world, policies={**world.policies, policy.hash: policy})


def ladder(*tiers: Tier, kind: TrackKind = TrackKind.TECHNICAL, **changes: object) -> Policy:
    """Return a policy of one track called main: these tiers, the last resort the cto's."""
    facts: dict[str, object] = {
        "name": "plain",
        "hash": "plain-1",
        "tracks": (TrackPolicy(name="main", kind=kind, tiers=tiers),),
        "last_resort": LastResort(page=(person("cto"),), plan=URGENT),
    }
    return Policy(**{**facts, **changes})


OFFICE = Calendar(
    name="work", timezone="UTC", hours=(Hours(days=frozenset(range(5)), start=time(9, 0), end=time(18, 0)),)
)
"""Monday to Friday, nine to six; T0 is a Saturday, an hour after midnight."""


def at_work(policy: Policy, world: World = WORLD, calendar: Calendar = OFFICE) -> World:
    """Return the world with a policy more and a calendar called work."""
    known = under(policy, world)
    return replace(known, ruleset=replace(known.ruleset, calendars={"work": calendar}))


def tier(*names: str, plan: ContactPlan = MAIL, within: float = 600, **changes: object) -> Tier:
    """Return a tier that pages these people."""
    return Tier(name="+".join(names), page=tuple(map(person, names)), within_seconds=within, plan=plan, **changes)


def body(outcome: Outcome, kind: str) -> dict[str, object]:
    """Return the body of the only journal entry of that kind."""
    (found,) = [e.body for e in outcome.effects if isinstance(e, Record) and e.kind == kind]
    return dict(found)


def timers(incident: Incident, track: str) -> list[tuple[str, float, str]]:
    """Return the deadlines of a track as (kind, seconds after T0, subject), in order of time."""
    of_track = sorted((t for t in incident.timers if t.track == track), key=lambda t: t.at)
    return [(t.kind.value, (t.at - T0).total_seconds(), t.subject) for t in of_track]


def references(incident: Incident, track: str, who: str) -> list[str]:
    """Return the references of a person's attempts in a track, by step ("" = not sent)."""
    (page,) = [page for page in incident.track(track).pages if page.person == who]
    return [step.reference for step in page.steps]
