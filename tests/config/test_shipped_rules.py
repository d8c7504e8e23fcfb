"""The rules we ship are loaded verbatim, are clean, and do what their names say."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import yaml

from escalatord.config.coverage import prove
from escalatord.config.lint import lint
from escalatord.config.load import Loaded, load
from escalatord.core.alert import Alert, AlertStatus, Severity, fingerprint_of
from escalatord.core.evaluate import evaluate
from escalatord.core.policy import TrackKind
from escalatord.core.roster import resolve
from escalatord.core.rules import AlertRecord, Verdict
from escalatord.core.ruleset import Ruleset, World
from escalatord.core.units import Quantity

RULES = Path(__file__).parents[2] / "rules"
NOW = datetime(2026, 11, 21, 3, 11, tzinfo=UTC)
# a night, a day, both clock changes of both continents, the turn of the year
INSTANTS = [
    NOW,
    datetime(2026, 11, 23, 8, 0, tzinfo=UTC),
    datetime(2026, 12, 25, 12, 0, tzinfo=UTC),
    datetime(2026, 12, 31, 23, 59, tzinfo=UTC),
    datetime(2027, 3, 14, 10, 0, tzinfo=UTC),
    datetime(2027, 3, 28, 1, 0, tzinfo=UTC),
    datetime(2027, 10, 31, 1, 0, tzinfo=UTC),
    datetime(2027, 11, 7, 9, 0, tzinfo=UTC),
]


@pytest.fixture(scope="module")
def loaded() -> Loaded:
    """The shipped rules."""
    return load(RULES, environ={})


@pytest.fixture(scope="module")
def ruleset(loaded: Loaded) -> Ruleset:
    """Their values."""
    return loaded.ruleset


def judged(ruleset: Ruleset, payload: str, **labels: str) -> Verdict:
    """Return the verdict on the first alert of an Alertmanager payload."""
    (told,) = json.loads((RULES / "payloads" / f"{payload}.json").read_text())["alerts"]
    alert = Alert(
        source="alertmanager",
        fingerprint=told["fingerprint"],
        status=AlertStatus.FIRING,
        starts_at=NOW,
        title=told["annotations"]["summary"],
        severity=Severity(told["labels"]["severity"]),
        labels={**told["labels"], **labels},
        annotations=told["annotations"],
    )
    return evaluate(ruleset, AlertRecord(alert=alert, opened_at=NOW, last_seen_at=NOW, starts=(NOW,)), NOW)


@pytest.mark.parametrize("file", sorted(RULES.glob("*.yaml")), ids=lambda file: file.name)
def test_each_file_says_what_it_is_and_loads_anywhere(file: Path) -> None:
    """A file opens with a comment, and an ordinary YAML reader sees the same keys."""
    text = file.read_text()
    assert text.startswith("# ")
    assert isinstance(yaml.safe_load(text), dict)


@pytest.mark.parametrize("at", INSTANTS, ids=str)
def test_check_is_clean(loaded: Loaded, at: datetime) -> None:
    """No error and no warning, whenever it is run, and for every minute of the 90 days from then on."""
    proof = prove(loaded, at)
    assert [str(finding) for finding in (*lint(loaded, at), *proof.findings)] == []
    assert "somebody is in every tier of every track at every minute of 90 days" in proof.claims
    assert "no rule hides an exception (4 of 4 tried by an alert)" in proof.claims
    assert any(claim.startswith("no silence, window or inhibition holds back an exception") for claim in proof.claims)


def test_a_second_human_is_told_soon_enough(loaded: Loaded) -> None:
    """If nobody answers a critical incident: somebody at once, another in ten minutes, whatever one thing is dead."""
    critical = [case for case in prove(loaded, NOW).cases if Severity.CRITICAL in case.severities]
    technical = [case.worst for case in critical if case.track == "technical"]
    assert {climb.first for climb in technical} == {0.0}
    assert max(climb.second for climb in technical) <= 600.0


def test_the_first_minutes_of_a_critical_checkout_alert(ruleset: Ruleset) -> None:
    """Ana by chat and SMS at once, by call after 3m; Bo after 5m."""
    policy = ruleset.policies["payments"]
    first, second, third = policy.tracks[0].tiers
    assert [(step.by, step.after_seconds) for step in first.plan.steps] == [
        ("chat", 0.0),
        ("sms", 0.0),
        ("call", 180.0),
    ]
    assert [override.within_seconds for severity, override in policy.overrides.items() if severity == "critical"] == [
        300.0
    ]
    world = World(ruleset=ruleset, policies={})
    seen: set[str] = set()
    for at in INSTANTS:
        assert [candidate.person for candidate in resolve(first.page, world, at, ("chat", "sms")).people] == ["ana"]
        assert [candidate.person for candidate in resolve(second.page, world, at, ("sms",)).people] == ["bo"]
        found = {candidate.person for candidate in resolve(third.page, world, at, ("sms",)).people}
        assert found >= {"ana", "bo", "mia"}
        # of the platform only somebody who can look into the database
        assert all("postgres" in ruleset.people[name].skills for name in found - {"ana", "bo", "mia"})
        seen |= found
    assert seen == {"ana", "bo", "mia", "cy", "kai"}


def test_platform_follows_the_sun(ruleset: Ruleset) -> None:
    """By day Madrid answers, by night the Pacific, and first and second are never one person."""
    world = World(ruleset=ruleset, policies={})
    first, second, _ = ruleset.policies["platform"].tracks[0].tiers
    regions = set()
    for hour in range(24 * 21):
        at = NOW + timedelta(hours=hour)
        (one,) = resolve(first.page, world, at, ("sms",)).people
        (two,) = resolve(second.page, world, at, ("sms",)).people
        assert one.person != two.person
        assert ruleset.people[one.person].region == ruleset.people[two.person].region
        regions.add(ruleset.people[one.person].region)
    assert regions == {"eu", "us"}


CRITICAL, ERROR, WARNING, NONE = "critical", "error", "warning", None


@pytest.mark.parametrize(
    ("payload", "labels", "rule", "severity", "policies"),
    [
        ("checkout-5xx", {}, "checkout-failing", CRITICAL, ("payments",)),
        ("checkout-5xx", {"alertname": "ProbeFailed"}, "checkout-unreachable", CRITICAL, ("payments",)),
        ("checkout-5xx", {"alertname": "LedgerMismatch"}, "ledger-mismatch", CRITICAL, ("payments",)),
        ("staging", {}, None, NONE, None),
        ("data-breach", {}, "data-breach-indicator", CRITICAL, ("security", "legal")),
        (
            "data-breach",
            {"indicator": "card_data"},
            "card-data-exposed",
            CRITICAL,
            ("security", "payments", "legal"),
        ),
        ("disk-full", {}, "disk-filling", WARNING, ("platform",)),
        ("disk-full", {"mountpoint": "/scratch/a"}, None, NONE, None),
        (
            "staging",
            {"alertname": "SystemDown", "audience": "executive"},
            "executive-system-down",
            CRITICAL,
            ("platform",),
        ),
        ("staging", {"alertname": "Odd", "service": "odd"}, "unmatched", CRITICAL, ("platform",)),
    ],
)
def test_each_example_gets_its_rule(
    ruleset: Ruleset, payload: str, labels: dict[str, str], rule: str | None, severity: str | None, policies
) -> None:
    """Rule, severity and policies of the example alerts."""
    verdict = judged(ruleset, payload, **labels)
    assert verdict.severity == severity
    if severity is not None:
        assert (verdict.rule, verdict.policies) == (rule, policies)


def test_measured_rules_grow_with_time(ruleset: Ruleset) -> None:
    """A disk at 96 % is an error after two minutes; the wait is told as an exact instant."""
    verdict = judged(ruleset, "disk-full")
    assert verdict.next_at == NOW + timedelta(minutes=2)


def test_every_kind_of_thing_is_shown(ruleset: Ruleset) -> None:
    """The shipped rules are also the example of the language."""
    assert len(ruleset.thresholds) >= 6
    assert len(ruleset.exceptions) >= 3
    assert len({layer.timezone for schedule in ruleset.schedules.values() for layer in schedule.layers}) >= 2
    assert {track.kind for policy in ruleset.policies.values() for track in policy.tracks} == set(TrackKind)
    assert 0 in {rule.start_at for rule in ruleset.exceptions}
    assert {spec.provider for spec in ruleset.channels.values()} == {"sim"}
    compliance = ruleset.policies["legal"].compliance
    assert compliance is not None
    assert compliance.due_seconds == 72 * 3600


@pytest.mark.parametrize("file", sorted((RULES / "payloads").glob("*.json")), ids=lambda file: file.name)
def test_payloads_are_what_senders_send(file: Path) -> None:
    """Each body is JSON; Alertmanager's carry the fingerprint of their labels."""
    body = json.loads(file.read_text())
    for alert in body.get("alerts", ()):
        assert alert["fingerprint"] == fingerprint_of(alert["labels"])
        assert body["version"] == "4"


def test_numbers_are_fictional_or_plain_examples(ruleset: Ruleset) -> None:
    """No number here rings a real team by mistake."""
    for person in ruleset.people.values():
        for key in ("sms", "call"):
            assert person.addresses[key].startswith(("+346000000", "+131055501"))
    assert Quantity(120000.0, "EUR") == ruleset.services["checkout"].revenue_per_hour
