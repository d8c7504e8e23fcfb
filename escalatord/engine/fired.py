"""From a verdict to the event that an incident learns: what fires, how bad, who is to know, and why."""

from collections.abc import Mapping
from typing import NamedTuple

from escalatord.core.alert import Alert, Severity
from escalatord.core.events import AlertFired
from escalatord.core.mutes import SuppressedBy
from escalatord.core.policy import Policy
from escalatord.core.rules import RuleReason, Verdict
from escalatord.core.ruleset import Ruleset


class Told(NamedTuple):
    """Which incident is told, and how bad the alert is in it now and was before (None = it is new there)."""

    number: int
    key: str
    severity: Severity
    previous: Severity | None


def fired(ruleset: Ruleset, alert: Alert, verdict: Verdict, told: Told, muted: SuppressedBy | None) -> AlertFired:
    """Return the event; `muted` is what held the page back until now."""
    return AlertFired(
        number=told.number,
        key=told.key,
        source=alert.source,
        fingerprint=alert.fingerprint,
        title=alert.title,
        summary=alert.summary,
        links=links_of(ruleset, alert, verdict),
        service=verdict.service,
        severity=told.severity,
        previous=told.previous,
        cause=verdict.cause,
        rule=verdict.rule,
        policies=_policies(ruleset, verdict),
        start_at=verdict.start_at,
        repage=verdict.repage,
        truncated=alert.truncated,
        why=why_of(ruleset, verdict, muted),
    )


def links_of(ruleset: Ruleset, alert: Alert, verdict: Verdict) -> Mapping[str, str]:
    """Return an alert's links; where it names no runbook, its service's."""
    service = ruleset.services.get(verdict.service)
    if service is None or not service.runbook or "runbook" in alert.links:
        return alert.links
    return {**alert.links, "runbook": service.runbook}


def why_of(ruleset: Ruleset, verdict: Verdict, muted: SuppressedBy | None) -> Mapping[str, object]:
    """Return why it pages, and what held the page back until now, as JSON values."""
    return {
        "reasons": [_reason(reason) for reason in verdict.reasons],
        "rules": ruleset.hash,
        **_muted_before(muted),
    }


def _policies(ruleset: Ruleset, verdict: Verdict) -> tuple[Policy, ...]:
    return tuple(ruleset.policies[name] for name in verdict.policies)


def _reason(reason: RuleReason) -> dict[str, object]:
    return {
        "rule": reason.rule,
        "kind": reason.kind,
        "severity": reason.severity.value if reason.severity else None,
        "say": reason.say,
        "predicates": [list(predicate) for predicate in reason.predicates],
    }


def _muted_before(by: SuppressedBy | None) -> dict[str, object]:
    """Return what held the page back, for whoever asks why it did not come sooner."""
    if by is None or by.since is None or by.ended_at is None:
        return {}
    return {"suppressed": {"by": by.say, "since": by.since.isoformat(), "until": by.ended_at.isoformat()}}
