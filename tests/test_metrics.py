"""What Prometheus is told."""

import re
import shutil
import subprocess
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_plain

from escalatord.core.alert import Severity
from escalatord.core.incident import Via
from escalatord.core.policy import (
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
from escalatord.core.roster import ChannelKind, ChannelSpec
from escalatord.core.ruleset import Ruleset, SourceSpec, Unmatched
from escalatord.engine.ledger import Ledger
from escalatord.figures import TIME_BOUNDS, WINDOW_BOUNDS_MAX, time_bounds
from escalatord.metrics import Metrics
from escalatord.store.rows import JournalEntry, JournalRow

ROOT = Path(__file__).parent.parent
NOW = datetime(2026, 10, 24, 3, 11, 14, tzinfo=UTC)
OPENMETRICS = "application/openmetrics-text; version=1.0.0"
ANA = Target(TargetKind.PERSON, "ana")
PLAN = ContactPlan(name="usual", steps=(PlanStep(by="sms"),))


def policy(
    name: str, *windows: float, repeat: int = 0, overrides: dict[Severity, SeverityOverride] | None = None
) -> Policy:
    """Return a policy with one tier per window."""
    tiers = tuple(Tier(name=f"t{n}", page=(ANA,), within_seconds=window, plan=PLAN) for n, window in enumerate(windows))
    track = TrackPolicy(name="technical", kind=TrackKind.TECHNICAL, tiers=tiers, repeat=repeat)
    last = LastResort(page=(ANA,), plan=PLAN)
    return Policy(name=name, tracks=(track,), last_resort=last, overrides=overrides or {})


RULES = Ruleset(
    hash="1f9a0c",
    unmatched=Unmatched(severity=Severity.WARNING, policy="platform"),
    policies={
        "payments": policy(
            "payments", 300, 450, repeat=1, overrides={Severity.CRITICAL: SeverityOverride(within_seconds=150)}
        ),
        "platform": policy("platform", 1800),
    },
    channels={"sms": ChannelSpec(name="sms", kind=ChannelKind.SMS, provider="sim", address_key="sms", receipts=True)},
    sources={"am": SourceSpec(name="am", adapter="alertmanager")},
)


def row(kind: str, **body: object) -> JournalRow:
    """Return a journal row of INC-142."""
    facts = {"policy": "payments", "severity": "critical", **body}
    entry = JournalEntry(incident=142, at=NOW, actor="ana", via=Via.SMS, kind=kind, body=facts)
    return JournalRow(seq=1, entry=entry, prev_hash="", hash="")


def prepared(*rows: JournalRow, rules: Ruleset = RULES) -> Metrics:
    """Return metrics over a ledger of these rows, prepared for the rules."""
    ledger = Ledger()
    for each in rows:
        ledger.apply(each)
    metrics = Metrics(ledger, version="0.1.0", revision="abc", python_version="3.11.7")
    metrics.prepare(rules)
    return metrics


def samples(metrics: Metrics) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    """Return every sample of the plain exposition by name and labels."""
    text = metrics.expose()[0].decode()
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in parse_plain(text)
        for sample in family.samples
    }


def value(metrics: Metrics, name: str, **labels: str) -> float:
    """Return one sample."""
    return samples(metrics)[name, tuple(sorted(labels.items()))]


def promtool() -> str | None:
    """Return the path of promtool: installed, or unpacked by `.ci/run`."""
    unpacked = ROOT / "build" / "debian" / "usr" / "bin" / "promtool"
    return shutil.which("promtool") or (str(unpacked) if unpacked.exists() else None)


BUSY = (
    row("opened", cause="threshold"),
    row("first_paged", seconds=0.2),
    row("tier_entered", to_tier=2, cycle=0, reason="timeout", seconds=150.0),
    row("acknowledged", seconds=190.5, first=True, tier=2),
    row("ack_duplicate"),
    row("resolved", outcome="acked", seconds=480),
)


def test_everything_the_rules_imply_is_there_at_zero() -> None:
    """Before the first event every implied series exists and is 0."""
    all_of_them = samples(prepared())
    names = {name for name, _ in all_of_them}
    both = (("policy", "platform"), ("severity", "info"))
    assert all_of_them["escalatord_incidents_opened_total", (("cause", "unmatched"), *both)] == 0
    assert all_of_them["escalatord_time_to_acknowledge_seconds_count", (*both, ("tier", "1"))] == 0
    assert all_of_them["escalatord_acknowledgements_total", (("result", "ambiguous"), ("via", "sms"))] == 0
    assert all_of_them["escalatord_ingest_requests_total", (("result", "unavailable"), ("source", "am"))] == 0
    lane = (("channel", "sms"), ("provider", "sim"))
    assert all_of_them["escalatord_notifications_failed_total", (*lane, ("reason", "rate_limited"))] == 0
    assert all_of_them["escalatord_delivery_seconds_count", lane] == 0
    assert all_of_them["escalatord_open_incidents", (*both, ("state", "acknowledged"))] == 0
    assert all_of_them["escalatord_timer_lateness_seconds_count", (("kind", "tier_deadline"),)] == 0
    assert all_of_them["escalatord_invariant_violations_total", (("invariant", "next_step"),)] == 0
    assert {name for name in names if name.endswith("_created")} == set()


def test_tiers_follow_the_policy() -> None:
    """A policy of one tier that never repeats has no series of climbs; one that repeats has tier 1 too."""
    climbs = [dict(labels) for name, labels in samples(prepared()) if name == "escalatord_escalations_total"]
    assert {labels["to_tier"] for labels in climbs if labels["policy"] == "payments"} == {"1", "2"}
    assert [labels for labels in climbs if labels["policy"] == "platform"] == []


def test_incident_figures_come_from_the_ledger() -> None:
    """Counters and histograms about incidents say what the journal says, in buckets of the policies' windows."""
    metrics = prepared(*BUSY)
    both = {"policy": "payments", "severity": "critical"}
    assert value(metrics, "escalatord_incidents_opened_total", **both, cause="threshold") == 1
    assert value(metrics, "escalatord_escalations_total", **both, to_tier="2", reason="timeout") == 1
    assert value(metrics, "escalatord_acknowledgements_total", via="sms", result="duplicate") == 1
    name = "escalatord_time_to_acknowledge_seconds"
    assert value(metrics, name + "_sum", **both, tier="2") == 190.5
    assert value(metrics, name + "_bucket", **both, tier="2", le="180.0") == 0
    assert value(metrics, name + "_bucket", **both, tier="2", le="240.0") == 1
    assert value(metrics, name + "_bucket", **both, tier="2", le="+Inf") == 1
    assert value(metrics, "escalatord_time_to_escalate_seconds_bucket", **both, to_tier="2", le="150.0") == 1


def test_buckets_have_every_window_and_a_limit() -> None:
    """Windows of tiers and of severities are bounds; a rule set with hundreds of them cannot multiply series."""
    assert set(time_bounds(RULES)) == {*map(float, TIME_BOUNDS), 150.0, 450.0}
    many = replace(RULES, policies={"p": policy("p", *(float(second) for second in range(1, 500)))})
    assert len(time_bounds(many)) <= len(TIME_BOUNDS) + WINDOW_BOUNDS_MAX


def test_reload_keeps_totals_and_counts_into_new_buckets() -> None:
    """After a reload with other windows nothing falls, and old times lie in the new buckets."""
    metrics = prepared(*BUSY)
    before = samples(metrics)
    metrics.prepare(
        replace(RULES, hash="2", policies={"payments": policy("payments", 200, 450), "new": policy("new", 60)})
    )
    both = {"policy": "payments", "severity": "critical"}
    assert value(metrics, "escalatord_time_to_acknowledge_seconds_bucket", **both, tier="2", le="200.0") == 1
    after = samples(metrics)
    fallen = [
        key
        for key, was in before.items()
        if key[0].endswith(("_total", "_count", "_sum"))
        and was > 0
        and after.get(key, 0) < was
        and "process_" not in key[0]
    ]
    assert fallen == []
    assert after["escalatord_config_info", (("hash", "2"),)] == 1


def test_process_figures_are_counted_here() -> None:
    """Requests, attempts, lateness and answers that no journal holds are counted by this process."""
    metrics = prepared()
    metrics.ingested("am", "accepted", 0.003)
    metrics.ingested("am", "malformed", 0.0)
    metrics.alerts("am", firing=3, resolved=1)
    metrics.notified("sms", "sim", "accepted", "", 0.21)
    metrics.notified("sms", "sim", "failed", "timeout", 10.0)
    metrics.notified("sms", "sim", "failed", "a new word", 10.0)
    metrics.timer_lateness_seconds.labels("reminder").observe(0.02)
    metrics.answer_not_taken("sms", "ambiguous")
    metrics.answer_not_taken("sms", "ambiguous")
    metrics.http_request("/in/{source}", "POST", 202, 0.002)
    assert value(metrics, "escalatord_ingest_requests_total", source="am", result="accepted") == 1
    assert value(metrics, "escalatord_ingest_commit_seconds_count", source="am") == 1
    assert value(metrics, "escalatord_alerts_received_total", source="am", status="firing") == 3
    lane = {"channel": "sms", "provider": "sim"}
    assert value(metrics, "escalatord_notifications_total", **lane, result="failed") == 2
    assert value(metrics, "escalatord_notifications_failed_total", **lane, reason="other") == 1
    assert value(metrics, "escalatord_delivery_seconds_count", **lane) == 1
    assert value(metrics, "escalatord_timer_lateness_seconds_bucket", kind="reminder", le="0.025") == 1
    assert value(metrics, "escalatord_acknowledgements_total", via="sms", result="ambiguous") == 2
    code = {"handler": "/in/{source}", "method": "POST", "code": "2xx"}
    assert value(metrics, "escalatord_http_request_duration_seconds_count", **code) == 1


def test_gauges_say_what_is_true_now() -> None:
    """Open incidents, the oldest un-acked one, people, reloads and audits are shown as last told."""
    metrics = prepared()
    rows = [
        ("payments", "critical", "open", 2, NOW - timedelta(seconds=90)),
        ("payments", "critical", "acknowledged", 1, None),
        ("gone", "error", "open", 1, NOW + timedelta(seconds=5)),
    ]
    metrics.show_open(rows, NOW)
    metrics.show_people({"ready": 5, "unreachable": 1})
    metrics.reloaded(ok=True, now=NOW)
    metrics.reloaded(ok=False, now=NOW + timedelta(hours=1))
    metrics.audited(NOW, overdue=3)
    both = {"policy": "payments", "severity": "critical"}
    assert value(metrics, "escalatord_open_incidents", **both, state="open") == 2
    assert value(metrics, "escalatord_open_incidents", **both, state="acknowledged") == 1
    assert value(metrics, "escalatord_oldest_unacknowledged_seconds", **both) == 90
    assert value(metrics, "escalatord_oldest_unacknowledged_seconds", policy="gone", severity="error") == 0
    assert value(metrics, "escalatord_people", readiness="unreachable") == 1
    assert value(metrics, "escalatord_config_last_reload_successful") == 0
    assert value(metrics, "escalatord_config_last_reload_success_timestamp_seconds") == NOW.timestamp()
    assert value(metrics, "escalatord_timers_overdue") == 3
    assert value(metrics, "escalatord_last_audit_timestamp_seconds") == NOW.timestamp()
    assert value(metrics, "escalatord_journal_intact") == 1
    metrics.show_open([], NOW)
    assert value(metrics, "escalatord_open_incidents", **both, state="open") == 0


def test_reload_keeps_what_gauges_said() -> None:
    """A reload makes no open incident vanish and no dead channel look alive; channels that are gone are not shown."""
    metrics = prepared()
    metrics.show_open([("payments", "critical", "open", 2, NOW)], NOW)
    metrics.channel_up("sms", "sim", up=False)
    metrics.channel_up("unknown", "sim", up=False)
    metrics.prepare(replace(RULES, hash="2"))
    assert value(metrics, "escalatord_open_incidents", policy="payments", severity="critical", state="open") == 2
    assert value(metrics, "escalatord_channel_up", channel="sms", provider="sim") == 0
    metrics.prepare(replace(RULES, channels={}))
    assert [name for name, _ in samples(metrics) if name == "escalatord_channel_up"] == []


def test_build_and_configuration_are_told() -> None:
    """What runs, and by which rules, can be joined to everything else."""
    metrics = prepared()
    assert value(metrics, "escalatord_build_info", version="0.1.0", revision="abc", python_version="3.11.7") == 1
    assert value(metrics, "escalatord_config_info", hash="1f9a0c") == 1


def test_openmetrics_carries_exemplars_when_asked() -> None:
    """A scraper that asks for OpenMetrics gets it, with the incident's number on the bucket."""
    body, content_type = prepared(*BUSY).expose(OPENMETRICS)
    assert content_type.startswith("application/openmetrics-text")
    families = {family.name: family for family in parse_openmetrics(body.decode())}
    buckets = families["escalatord_time_to_acknowledge_seconds"].samples
    assert [sample.exemplar.labels for sample in buckets if sample.exemplar] == [{"incident": "142"}]


@pytest.mark.parametrize(
    "accept", ["", "*/*", "text/html", "application/openmetrics-text;version=never", "text/plain;version=x"]
)
def test_any_accept_header_gets_an_answer(accept: str) -> None:
    """Whatever is asked for, the answer is text that Prometheus reads."""
    body, content_type = prepared().expose(accept)
    assert content_type.startswith(("text/plain", "application/openmetrics-text"))
    assert b"escalatord_build_info{" in body


def test_series_do_not_depend_on_alerts() -> None:
    """A hundred thousand incidents with other titles and people add no series."""
    few, many = Ledger(), Ledger()
    for number in range(1_000):
        for ledger in (few, many) if number < 5 else (many,):
            for each in BUSY:
                entry = replace(each.entry, incident=number, actor=f"person-{number}")
                ledger.apply(replace(each, entry=replace(entry, body={**entry.body, "title": f"Alert {number}"})))
    counts = []
    for ledger in (few, many):
        metrics = Metrics(ledger, version="0.1.0")
        metrics.prepare(RULES)
        counts.append(len([key for key in samples(metrics) if not key[0].startswith("process_")]))
    assert counts[0] == counts[1]


def test_every_help_text_says_whose_figure_it_is() -> None:
    """Each family of ours says whether to sum over instances or to take the maximum."""
    text = prepared().expose()[0].decode()
    helps = re.findall(r"^# HELP (escalatord_\S+) (.*)$", text, re.MULTILINE)
    assert len(helps) >= 30
    assert [
        name for name, words in helps if not words.endswith(("sum over instances)", "max without (instance))"))
    ] == []


@pytest.mark.skipif(promtool() is None, reason="promtool is not installed; `.ci/run` unpacks it")
def test_promtool_finds_nothing_to_say() -> None:
    """`promtool check metrics` accepts the whole exposition without a remark."""
    metrics = prepared(*BUSY)
    metrics.http_request("/", "GET", 200, 0.1)
    ours = re.sub(r"(?m)^.*\bprocess_.*\n", "", metrics.expose()[0].decode())
    answer = subprocess.run(
        [str(promtool()), "check", "metrics"], input=ours, capture_output=True, text=True, check=False, timeout=60
    )
    assert (answer.returncode, answer.stdout + answer.stderr) == (0, "")
