"""What will become of an alert, in words that two rule sets can be compared by."""

from datetime import UTC, datetime, timedelta

from escalatord.core.alert import Alert, AlertStatus, Severity
from escalatord.core.facts import parse_condition
from escalatord.core.foresight import HORIZON_SECONDS, Fate, foresee
from escalatord.core.matchers import parse_matchers
from escalatord.core.policy import OfficeHours
from escalatord.core.rules import ExceptionRule, Level, ThresholdRule
from escalatord.core.values import replace
from tests.fakes.world import OFFICE, RULESET, ladder, tier

AT = datetime(2026, 10, 24, 1, 0, tzinfo=UTC)
ALERT = Alert(
    source="am",
    fingerprint="f1",
    status=AlertStatus.RESOLVED,
    starts_at=AT - timedelta(days=9),
    ends_at=AT - timedelta(days=8),
    title="5xx",
    labels={"alertname": "High"},
)


def ruleset(*thresholds, exceptions=()):
    """Return the rules of the test company with these rules."""
    return replace(RULESET, thresholds=thresholds, exceptions=tuple(exceptions))


def rule(*levels, policy="payments"):
    """Return a threshold rule that matches the alert."""
    return ThresholdRule(name="high", match=parse_matchers('alertname="High"'), levels=levels, policy=policy)


def test_an_alert_that_reaches_no_severity_has_no_fate():
    """Nobody is paged, by whatever rule."""
    never = Level(severity=Severity.ERROR, condition=parse_condition("downtime > 30d"))
    assert foresee(ruleset(rule(never)), ALERT, AT) == Fate()


def test_severity_grows_at_the_instants_that_the_rules_name():
    """`for` and downtime are waited for, as if the alert began now, whatever it says of itself."""
    levels = (
        Level(severity=Severity.ERROR, for_seconds=300),
        Level(severity=Severity.CRITICAL, condition=parse_condition("downtime >= 25m")),
    )
    fate = foresee(ruleset(rule(*levels)), ALERT, AT)
    assert fate.severity == "error at 5m, critical at 25m"
    assert (fate.rule, fate.policy) == ("high", "payments")
    assert fate.first == "ana, vp"
    assert fate.timing.startswith("technical: 5m ana → 20m bo → 30m bo, cy → 40m ana")
    assert "stakeholder: 5m vp → 35m last resort cto" in fate.timing


def test_what_would_come_after_the_horizon_is_left_out():
    """A severity reached only after a day is not told."""
    late = Level(severity=Severity.CRITICAL, condition=parse_condition(f"downtime >= {HORIZON_SECONDS:.0f}s"))
    later = Level(severity=Severity.CRITICAL, condition=parse_condition("downtime >= 25h"))
    now = Level(severity=Severity.WARNING)
    assert foresee(ruleset(rule(now, late)), ALERT, AT).severity == "warning, critical at 1d"
    assert foresee(ruleset(rule(now, later)), ALERT, AT).severity == "warning"


def test_an_exception_names_every_policy_and_starts_at_once():
    """All policies that run are told, the main one first."""
    breach = ExceptionRule(
        name="breach",
        match=parse_matchers('alertname="High"'),
        severity=Severity.CRITICAL,
        policy="payments",
        also=("legal",),
    )
    fate = foresee(ruleset(exceptions=(breach,)), ALERT, AT)
    assert (fate.severity, fate.policy) == ("critical", "payments, legal")
    assert fate.timing.split("; ")[2].startswith("compliance: vp → 30m cto")


def test_a_track_that_waits_for_a_severity_has_no_times():
    """A warning does not start the stakeholders' track."""
    fate = foresee(ruleset(rule(Level(severity=Severity.WARNING))), ALERT, AT)
    assert "stakeholder" not in fate.timing


def test_a_ladder_of_nobody_is_said():
    """Where every tier is empty, the last resort is first; where that is too, everybody reachable."""
    nobody = replace(RULESET, people={}, thresholds=(rule(Level(severity=Severity.ERROR)),))
    fate = foresee(nobody, ALERT, AT)
    assert fate.first == ""
    assert "last resort nobody" in fate.timing


def test_rules_that_name_instants_for_ever_are_asked_so_often_only(monkeypatch):
    """The number of looks is bounded."""
    monkeypatch.setattr("escalatord.core.foresight.LOOKS_MAX", 1)
    levels = (Level(severity=Severity.ERROR, for_seconds=300), Level(severity=Severity.INFO))
    assert foresee(ruleset(rule(*levels)), ALERT, AT).severity == "info"


def test_what_office_hours_hold_is_told_as_held():
    """Who is paged first, and when, once the hours begin: 09:00 on Monday for an alert of Saturday night."""
    policy = ladder(tier("ana"), tier("bo"), hours=OfficeHours(calendar="work"), name="plain")
    rules = replace(
        ruleset(rule(Level(severity=Severity.ERROR), policy="plain")),
        policies={**RULESET.policies, "plain": policy},
        calendars={"work": OFFICE},
    )
    fate = foresee(rules, ALERT, AT)
    assert fate.timing.startswith("main: held → 2d8h ana → 2d8h10m bo")
    assert fate.first == ""
