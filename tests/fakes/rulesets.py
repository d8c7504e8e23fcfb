"""Small rule sets and alerts to try rules on: one service, one alert, three measured facts."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from escalatord.core.alert import SEVERITIES, Alert, AlertStatus
from escalatord.core.evaluate import evaluate
from escalatord.core.facts import parse_condition
from escalatord.core.matchers import MatcherIndex, parse_matchers
from escalatord.core.rules import AlertRecord, ExceptionRule, FactSource, Level, Missing, Service, ThresholdRule
from escalatord.core.ruleset import Ruleset, Unmatched
from escalatord.core.units import Quantity

START = datetime(2026, 10, 24, 1, 6, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
INFO, WARNING, ERROR, CRITICAL = SEVERITIES
ALERT = Alert(
    source="am",
    fingerprint="f",
    status=AlertStatus.FIRING,
    starts_at=START,
    title="t",
    labels={"service": "checkout", "env": "prod"},
    annotations={"rate": "8.2"},
)
FACTS = {
    name: FactSource(name=name, kind="annotation", key=name, unit=unit, missing=missing)
    for name, unit, missing in (
        ("rate", "percent", Missing.PAGE),
        ("users", "users", Missing.SKIP),
        ("errors", "", Missing.ASSUME_ZERO),
    )
}
SHOP = Service(name="checkout", policy="payments", revenue_per_hour=Quantity(120_000.0, "EUR"))


def remembered(at=START, held=None, starts=(), **told):
    """Return a record of the alert, telling this besides."""
    return AlertRecord(
        alert=replace(ALERT, **told), opened_at=at, last_seen_at=at, held=held or {}, starts=tuple(starts)
    )


def threshold(name, *levels, match="service=checkout", **more):
    """Return a threshold rule."""
    return ThresholdRule(name=name, match=parse_matchers(match), levels=levels, **more)


def exception(name, severity, match="service=checkout", **more):
    """Return an exception rule."""
    return ExceptionRule(name=name, match=parse_matchers(match), severity=severity, **more)


def level(severity, text="", for_seconds=0.0):
    """Return a level; no text, no condition."""
    return Level(severity=severity, condition=parse_condition(text) if text else None, for_seconds=for_seconds)


def ruleset(thresholds=(), exceptions=(), services=(SHOP,), *, indexed=True):
    """Return a rule set of these rules."""
    indexes = {
        "threshold_index": MatcherIndex([rule.match for rule in thresholds]),
        "exception_index": MatcherIndex([rule.match for rule in exceptions]),
    }
    return Ruleset(
        hash="h",
        unmatched=Unmatched(severity=WARNING, policy="platform"),
        policies={},
        facts=FACTS,
        services={service.name: service for service in services},
        thresholds=tuple(thresholds),
        exceptions=tuple(exceptions),
        **(indexes if indexed else {}),
    )


def verdict_of(*rules, at=START + MINUTE, record=None):
    """Return the verdict of these rules at an instant."""
    thresholds = [rule for rule in rules if isinstance(rule, ThresholdRule)]
    exceptions = [rule for rule in rules if isinstance(rule, ExceptionRule)]
    return evaluate(ruleset(thresholds, exceptions), record or remembered(), at)
