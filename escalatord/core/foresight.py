"""What will become of an alert if it goes on firing and nobody acts: how bad, whom, and when.

The rules are asked now and at every instant that they name; what they claim first opens an incident by the engine's own
step, and its ladder is told. A comparison of rule sets asks this of both.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from escalatord.core.alert import Alert, AlertStatus, Severity
from escalatord.core.escalation import step
from escalatord.core.evaluate import evaluate
from escalatord.core.events import AlertFired
from escalatord.core.forecast import RungKind, ladder
from escalatord.core.incident import Incident, TrackState
from escalatord.core.rules import AlertRecord, Verdict
from escalatord.core.ruleset import Ruleset, World
from escalatord.core.units import format_duration
from escalatord.core.values import replace

LOOKS_MAX = 50
HORIZON_SECONDS = 24 * 3600.0
RUNGS = (RungKind.TIER, RungKind.LAST_RESORT)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fate:
    """What becomes of an alert, in words that can be compared; "" = nothing.

    `severity` as it grows (`error at 5m, critical at 25m`), `rule` that claims it first, `policy` the names of all that
    run, `first` who is paged first, `timing` who is paged when in which track.
    """

    severity: str = ""
    rule: str = ""
    policy: str = ""
    first: str = ""
    timing: str = ""


def foresee(ruleset: Ruleset, alert: Alert, at: datetime) -> Fate:
    """Return what becomes of an alert that begins to fire at the instant `at`."""
    firing = replace(alert, status=AlertStatus.FIRING, starts_at=at, ends_at=None)
    record = AlertRecord(alert=firing, opened_at=at, last_seen_at=at, starts=(at,))
    claims = list(_claims(ruleset, record, at))
    if not claims:
        return Fate()
    opened_at, first = claims[0]
    grown = ", ".join(f"{verdict.severity}{_when(when, at)}" for when, verdict in claims)
    incident, world = _opened(ruleset, firing, first, opened_at)
    return Fate(
        severity=grown,
        rule=first.rule,
        policy=", ".join(first.policies),
        first=", ".join(dict.fromkeys(page.person for track in incident.tracks for page in track.pages)),
        timing="; ".join(_timing(incident, world, opened_at, at)),
    )


def _claims(ruleset: Ruleset, record: AlertRecord, at: datetime) -> Iterator[tuple[datetime, Verdict]]:
    """Yield the verdicts at which the severity begins or grows, with their instants."""
    now, worst = at, -1
    for _ in range(LOOKS_MAX):
        verdict = evaluate(ruleset, record, now)
        record = replace(record, held=verdict.held)
        rank = -1 if verdict.pages is None else Severity(verdict.pages).rank
        if rank > worst:
            worst = rank
            yield now, verdict
        if verdict.next_at is None or verdict.next_at > at + timedelta(seconds=HORIZON_SECONDS):
            return
        now = max(verdict.next_at, now + datetime.resolution)


def _opened(ruleset: Ruleset, alert: Alert, verdict: Verdict, now: datetime) -> tuple[Incident, World]:
    policies = tuple(ruleset.policies[name] for name in verdict.policies)
    world = World(ruleset=ruleset, policies={policy.hash: policy for policy in ruleset.policies.values()})
    assert verdict.severity is not None  # noqa: S101 - only verdicts that claim come here
    event = AlertFired(
        number=1,
        key="",
        source=alert.source,
        fingerprint=alert.fingerprint,
        title=alert.title,
        summary=alert.summary,
        links={},
        service=verdict.service,
        severity=verdict.severity,
        cause=verdict.cause,
        rule=verdict.rule,
        policies=policies,
        start_at=verdict.start_at,
    )
    incident = step(None, event, now, world).incident
    assert incident is not None  # noqa: S101 - an alert that fires opens one
    return incident, world


def _timing(incident: Incident, world: World, now: datetime, began: datetime) -> Iterator[str]:
    """Yield, for each track, who is paged when: `technical: ana → 5m bo → 15m last resort vera`, or `held → 2d ana`."""
    rungs = ladder(incident, world, now)
    for track in incident.tracks:
        steps = ["held"] if track.state is TrackState.HELD else []
        if track.pages:
            steps.append(
                " ".join([_when(now, began).removeprefix(" at "), _names([p.person for p in track.pages])]).strip()
            )
        for rung in rungs:
            if rung.track == track.name and rung.kind in RUNGS:
                last = "last resort " if rung.kind is RungKind.LAST_RESORT else ""
                steps.append(f"{format_duration((rung.at - began).total_seconds())} {last}{_names(rung.people)}")
        if steps:
            yield f"{track.name}: {' → '.join(steps)}"


def _names(people: tuple[str, ...] | list[str]) -> str:
    return ", ".join(people) or "nobody"


def _when(at: datetime, began: datetime) -> str:
    seconds = (at - began).total_seconds()
    return f" at {format_duration(seconds)}" if seconds >= 1 else ""
