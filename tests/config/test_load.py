"""From YAML to values of the core: what each key becomes."""

import sys
from datetime import UTC, date, datetime, time
from pathlib import Path
from time import perf_counter

import pytest

from escalatord.config.load import load
from escalatord.config.secrets import Secret
from escalatord.core.alert import Severity
from escalatord.core.calendar import Hours
from escalatord.core.policy import Compliance, Target, TargetKind, TrackKind
from escalatord.core.roster import ChannelKind
from escalatord.core.rules import AllOf, AnyOf, Comparison, FactSource, Missing
from escalatord.core.ruleset import Ruleset
from escalatord.core.schedule import Override, Rotation, RotationUnit
from escalatord.core.units import Quantity
from escalatord.errors import ConfigError
from tests.fakes.rule_sets import GOOD, written

FULL = """\
facts:
  rate: {from: annotation.rate, unit: percent, missing: skip}
  users: {from: value.users, missing: assume 0}
services:
  shop: {owner: team payments, policy: p, revenue_per_hour: 120000 EUR, segments: [retail], regulated: [pci],
         depends_on: [db], runbook: "https://runbooks.example.com/shop"}
  db: {}
thresholds:
  - name: failing
    match: service="shop"
    severity:
      critical: {any: [rate > 5%, downtime >= 15m]}
      error: {when: rate > 2%, for: 5m}
      warning: {all: [users > 10, occurrences in 30m >= 3]}
      info: true
    unless: [{match: env=dev, why: not customer facing}]
    policy: p
    owner: person ana
    review_by: 2030-01-31
    group_by: [region]
    repage_on_new_alert: false
exceptions:
  - {name: breach, match: category=security, severity: critical, policy: p, start_at: all, also: [q], why: law,
     owner: person bo, group_by: [region]}
teams:
  payments: [ana, bo]
  both: {members: [bo]}
roles:
  lead: [person ana, oncall first]
schedules:
  first:
    timezone: Europe/Madrid
    layers:
      - {name: europe, rotate: weekly, handoff: Tue 10:30, starts: "2026-10-05", people: [ana, bo], active: 08:00-20:00}
      - {rotate: 12 hours, starts: "2026-10-05", people: [bo], timezone: America/Los_Angeles, active: 20:00-24:00}
    overrides: [{person: bo, from: "2026-12-24 08:00", to: "2026-12-27 08:00", why: swap}]
    when_empty: [person bo]
sources:
  am: {adapter: alertmanager, auth: loopback, default_severity: warning, severities: {sev1: critical}}
  own:
    adapter: generic
    auth: {bearer: [file:old, file:new]}
    map:
      each: "$.jobs[*]"
      fingerprint: $.id
      status: {path: $.state, firing: [bad], resolved: [good]}
      severity: $.prio
      started_at: {path: $.at, format: epoch}
      labels: $.labels
      annotations: {note: $.note}
      facts: {users: {path: $.users, unit: users}}
"""
POLICIES = """\
  q:
    owner: team payments
    compliance: {regime: gdpr, clock_from: awareness, due: 72h, remind: [48h, 24h]}
    tracks:
      compliance:
        tiers: [{name: dpo, page: [role lead], backup: [team both], within: 30m, remind: [20m, 10m], plan: quick}]
      bosses: {kind: stakeholder, when: severity >= error, repeat: 2, tiers: [{page: [person bo], within: 1h}]}
    when: {critical: {within: 10m, plan: quick, skip_to: 1}, info: {within: 2h}}
    last_resort: {page: [oncall first], plan: quick}
    ack_holds: {critical: 1h, default: 24h}
    never: [snooze, auto_resolve]
    class: confidential
    on_resolve: quiet
"""


@pytest.fixture
def ruleset(tmp_path: Path) -> Ruleset:
    """A rule set that uses every key of the language at least once."""
    (tmp_path / "old").write_text("first token\n")
    (tmp_path / "new").write_text("second token")
    good = GOOD.replace(
        "contact_plans:\n", POLICIES + "contact_plans:\n  quick: [{by: sms, if_failed: [call], failed_after: 30s}]\n"
    )
    return load(written(tmp_path, a=good, b=FULL), environ={}).ruleset


def test_facts_and_services(ruleset: Ruleset) -> None:
    """Facts and services carry what was written."""
    assert (
        FactSource(name="rate", kind="annotation", key="rate", unit="percent", missing=Missing.SKIP)
        == ruleset.facts["rate"]
    )
    assert (ruleset.facts["users"].missing, ruleset.facts["users"].unit) == (Missing.ASSUME_ZERO, "")
    shop = ruleset.services["shop"]
    assert (Quantity(120000.0, "EUR"), "team payments", "p") == (shop.revenue_per_hour, shop.owner, shop.policy)
    assert (shop.segments, shop.regulated, shop.depends_on) == (("retail",), ("pci",), ("db",))


def test_threshold_rules(ruleset: Ruleset) -> None:
    """Levels come worst first, each with its condition and hold."""
    (rule,) = ruleset.thresholds
    assert [level.severity.value for level in rule.levels] == ["critical", "error", "warning", "info"]
    critical, error, warning, info = (level.condition for level in rule.levels)
    assert isinstance(critical, AnyOf)
    assert isinstance(error, Comparison)
    assert isinstance(warning, AllOf)
    assert info is None
    assert [level.for_seconds for level in rule.levels] == [0.0, 300.0, 0.0, 0.0]
    assert (
        rule.policy, rule.owner, rule.review_by, rule.group_by, rule.repage_on_new_alert,
    ) == ("p", "person ana", "2030-01-31", ("region",), False)  # fmt: skip
    assert [unless.why for unless in rule.unless] == ["not customer facing"]
    assert ruleset.threshold_index.candidates({"service": "shop"}) == [0]


def test_exception_rules(ruleset: Ruleset) -> None:
    """`start_at: all` is tier 0."""
    (rule,) = ruleset.exceptions
    assert (rule.start_at, rule.also, rule.why, rule.owner) == (0, ("q",), "law", "person bo")
    assert ruleset.exception_index.candidates({"category": "security"}) == [0]


def test_policies(ruleset: Ruleset) -> None:
    """A policy carries its plans, so that it can be pinned whole."""
    policy = ruleset.policies["q"]
    compliance, bosses = policy.tracks
    assert (compliance.kind, bosses.kind) == (TrackKind.COMPLIANCE, TrackKind.STAKEHOLDER)
    assert (bosses.when, bosses.repeat) == (Severity.ERROR, 2)
    (tier,) = compliance.tiers
    assert (
        tier.name, tier.within_seconds, tier.remind_seconds, tier.plan.name,
    ) == ("dpo", 1800.0, (600.0, 1200.0), "quick")  # fmt: skip
    assert (Target(TargetKind.TEAM, "both"),) == tier.backup
    assert (bosses.tiers[0].name, bosses.tiers[0].plan.name) == ("tier 1", "usual")
    assert Compliance(
        regime="gdpr", clock_from="awareness", due_seconds=259200.0, remind_seconds=(86400.0, 172800.0)
    ) == policy.compliance  # fmt: skip
    assert (True, False, frozenset({"snooze", "auto_resolve"})) == (
        policy.confidential,
        policy.stand_down,
        policy.never,
    )
    assert {Severity.CRITICAL: 3600.0} | dict.fromkeys(
        (Severity.ERROR, Severity.WARNING, Severity.INFO), 86400.0
    ) == policy.ack_hold_seconds  # fmt: skip
    critical = policy.overrides[Severity.CRITICAL]
    assert critical.plan is not None
    assert (critical.within_seconds, critical.plan.name, critical.skip_to) == (600.0, "quick", 1)
    assert policy.overrides[Severity.INFO].plan is None
    assert (policy.last_resort.every_seconds, policy.last_resort.plan.name) == (1800.0, "quick")
    (step,) = tier.plan.steps
    assert (step.by, step.if_failed, step.failed_after_seconds) == ("sms", ("call",), 30.0)


def test_people_teams_roles(ruleset: Ruleset) -> None:
    """Both spellings of a team mean the same."""
    assert ruleset.teams == {"payments": ("ana", "bo"), "both": ("bo",)}
    assert (Target(TargetKind.PERSON, "ana"), Target(TargetKind.ONCALL, "first")) == ruleset.roles["lead"]
    assert ruleset.people["bo"].addresses == {"sms": "+34600000002"}
    assert ruleset.people["ana"].name == "ana"


def test_schedules(ruleset: Ruleset) -> None:
    """Rotations, windows and overrides; an override's times are in the schedule's zone."""
    schedule = ruleset.schedules["first"]
    europe, night = schedule.layers
    weekly = Rotation(unit=RotationUnit.WEEKLY, at=time(10, 30), weekday=1, starts=date(2026, 10, 5))
    day, night_hours = Hours(start=time(8), end=time(20)), Hours(start=time(20), end=time(0))
    assert (weekly, "Europe/Madrid", (day,)) == (europe.rotation, europe.timezone, europe.active)
    assert (RotationUnit.HOURLY, 12, time(9)) == (night.rotation.unit, night.rotation.every, night.rotation.at)
    assert ("layer 2", (night_hours,)) == (night.name, night.active)
    assert (
        Override(
            schedule="first",
            person="bo",
            start=datetime(2026, 12, 24, 7, tzinfo=UTC),
            end=datetime(2026, 12, 27, 7, tzinfo=UTC),
            why="swap",
        ),
    ) == schedule.overrides  # fmt: skip
    assert schedule.when_empty == ("bo",)


def test_sources(ruleset: Ruleset) -> None:
    """Tokens are kept as hashes only; the field map is handed through in its long form."""
    assert (
        ruleset.sources["am"].secret_hashes, ruleset.sources["am"].default_severity, ruleset.sources["am"].severities,
    ) == ((), Severity.WARNING, {"sev1": Severity.CRITICAL})  # fmt: skip
    own = ruleset.sources["own"]
    assert (Secret("first token").sha256(), Secret("second token").sha256()) == own.secret_hashes
    assert own.map == {
        "each": "$.jobs[*]",
        "fingerprint": ["$.id"],
        "status": {"path": "$.state", "firing": ["bad"], "resolved": ["good"]},
        "severity": {"path": "$.prio"},
        "started_at": {"path": "$.at", "format": "epoch"},
        "labels": "$.labels",
        "annotations": {"note": "$.note"},
        "facts": {"users": {"path": "$.users", "unit": "users"}},
    }  # fmt: skip


TWILIO = "provider: twilio, account_sid: AC1, auth_token: file:t, from: '+15550100001'"
SLACK = "provider: slack, token: file:t, signing_secret: file:t, room: '#ops'"
SMTP = "provider: smtp, host: '${HOST}', from: a@example.com, password: file:t, tls: tls, port: 465"
HOOK = "provider: webhook, kind: webhook, url: 'https://x.example.com/a', secret: file:t, headers: {A: file:t}"
CHANNELS = {
    "sms": (TWILIO, "sms", True),
    "call_second": (TWILIO + ", voice: x", "call", True),
    "chat": (SLACK, "slack", False),
    "mail": (SMTP, "email", False),
    "audit": (HOOK, "", False),
    "sms_sim": ("provider: simulated", "sms", True),
    "chat_sim": ("provider: sim", "", False),
}


@pytest.mark.parametrize("name", CHANNELS)
def test_channels(tmp_path: Path, name: str) -> None:
    """Each provider says which address it needs and whether it reports; settings are resolved, secrets wrapped."""
    text, address_key, receipts = CHANNELS[name]
    (tmp_path / "t").write_text("s3cret\n")
    good = GOOD.replace("  sms: {provider: sim}\n", "") if name == "sms" else GOOD
    folder = written(tmp_path, a=good.replace("channels:\n", f"channels:\n  {name}: {{{text}}}\n"))
    spec = load(folder, environ={"HOST": "mail.example.com"}).ruleset.channels[name]
    assert (address_key, receipts) == (spec.address_key, spec.receipts)
    assert "s3cret" not in repr(spec)
    for key in ("auth_token", "token", "signing_secret", "password", "secret"):
        if key in spec.settings:
            assert Secret("s3cret") == spec.settings[key]
    assert name != "mail" or spec.settings["host"] == "mail.example.com"
    assert name != "audit" or (spec.kind is ChannelKind.WEBHOOK and spec.settings["headers"] == {"A": Secret("s3cret")})
    assert name != "sms_sim" or spec.provider == "sim"


def test_the_hash_is_of_content_not_of_spelling(tmp_path: Path) -> None:
    """Comments, order of files and secrets do not change a hash; a window does, and only of what it is in."""
    first = load(written(tmp_path, a=GOOD), environ={}).ruleset
    again = load(written(tmp_path, a="# changed\n" + GOOD.replace("within: 5m", "within: 300s")), environ={}).ruleset
    other = load(written(tmp_path, a=GOOD.replace("within: 5m", "within: 6m")), environ={}).ruleset
    more = load(written(tmp_path, a=GOOD + "teams: {t: [ana]}\n"), environ={}).ruleset
    assert first.hash == again.hash
    assert first.hash != other.hash
    assert first.policies["p"].hash != other.policies["p"].hash
    assert first.hash != more.hash
    assert first.policies["p"].hash == more.policies["p"].hash
    assert len(first.hash) == len(first.policies["p"].hash) == 16


def test_a_policy_hash_covers_its_plans(tmp_path: Path) -> None:
    """A pinned policy is pinned with the way people are reached."""
    first = load(written(tmp_path, a=GOOD), environ={}).ruleset
    other = load(written(tmp_path, a=GOOD.replace("after: 2m", "after: 3m")), environ={}).ruleset
    assert first.policies["p"].hash != other.policies["p"].hash


def test_missing_secrets_can_be_allowed(tmp_path: Path) -> None:
    """In CI the rules are checked where their secrets are not."""
    twilio = "{provider: twilio, account_sid: a, auth_token: file:t, from: '${FROM}'}"
    text = GOOD.replace("call: {provider: sim}", f"call: {twilio}")
    folder = written(tmp_path, a=text.replace('"+34600000002"', '"${BO}"'))
    with pytest.raises(ConfigError):
        load(folder, environ={})
    assert load(folder, environ={}, need_secrets=False).findings == ()
    assert load(folder, environ={"BO": "+34600000002", "FROM": "+15550100001"}, need_secrets=False).findings == ()


def test_two_thousand_rules_load_in_time(tmp_path: Path, record_property) -> None:
    """A large rule set loads while a human waits (about 0.6 s on two cores; generous bound for a busy machine)."""
    rule = """  - name: r{0}
    match: service="svc{0}", alertname=~"HighErrorRate|ProbeFailed", env!~"staging|dev"
    severity: {{error: {{when: downtime > 5m, for: 5m}}, critical: {{any: [downtime >= 15m, occurrences in 30m >= 3]}}}}
    unless: [{{match: 'env=~"staging|dev"', why: not customer facing}}]
"""
    folder = written(tmp_path, a=GOOD, b="thresholds:\n" + "".join(rule.format(number) for number in range(2000)))
    begin = perf_counter()
    loaded = load(folder, environ={})
    taken = perf_counter() - begin
    sys.stdout.write(f"2,000 rules: {taken:.2f} s\n")
    record_property("seconds", taken)
    assert len(loaded.ruleset.thresholds) == 2000
    assert taken < 10
