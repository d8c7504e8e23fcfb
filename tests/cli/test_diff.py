"""`escalatord diff`: meaning, people and recorded alerts; never lines, never numbers."""

import json
import shutil
from datetime import UTC, datetime
from pathlib import Path

import pytest

from escalatord.core.alert import Alert, AlertStatus
from escalatord.core.rules import AlertRecord
from escalatord.store.store import Store

RULES = Path(__file__).parents[2] / "rules"
AT = ("--at", "2026-10-24 03:11 Europe/Madrid")


@pytest.fixture
def other(tmp_path):
    """A copy of the shipped rules, and a way to change its files."""
    folder = tmp_path / "rules"
    shutil.copytree(RULES, folder)

    def change(file: str, old: str, new: str) -> Path:
        path = folder / file
        text = path.read_text(encoding="utf-8")
        assert old in text
        path.write_text(text.replace(old, new, 1), encoding="utf-8")
        return folder

    return change


def test_the_same_rules_differ_in_nothing(run, other) -> None:
    """Blank lines, comments and order of keys are not differences."""
    folder = other("policies.yaml", "unmatched:", "# a comment\n\nunmatched:")
    result = run("diff", RULES, folder, *AT)
    assert result.exit_code == 0
    assert "no differences in meaning" in result.output
    assert "none would go another way" in result.output


def test_a_window_changes_a_rung_and_the_alerts_that_climb_it(run, other) -> None:
    """The rung in words, and for each recorded alert what changes, before above after."""
    folder = other("policies.yaml", "critical: {within: 5m}", "critical: {within: 4m}")
    result = run("diff", RULES, folder, *AT)
    assert result.exit_code == 1
    assert "  policy payments · override critical · within  5m → 4m" in result.output
    assert "  checkout-5xx: 5xx rate 8.2% (eu-west)" in result.output
    assert "    timing    technical: ana → 5m bo" in result.output
    assert "            → technical: ana → 4m bo" in result.output
    assert "staging:" not in result.output


def test_numbers_are_never_shown(run, other) -> None:
    """A new phone is told as changed."""
    folder = other("people.yaml", 'sms: "+34600000001"', 'sms: "+34600000077"')
    result = run("diff", RULES, folder, *AT)
    assert "person ana · addresses · sms  changed" in result.output
    assert "4600000" not in result.output


def test_duty_and_whole_things_are_told(run, other) -> None:
    """Who has duty instead of whom and since when; a rule that is gone is gone as a whole."""
    other("schedules.yaml", "people: [ana]", "people: [ana, bo]")
    text = "  - name: settlement-late"
    folder = other("thresholds.yaml", text, text.replace("settlement-late", "settlement-overdue"))
    lines = run("diff", RULES, folder, *AT).output.splitlines()
    assert any(line.split() == ["threshold", "settlement-late", "removed"] for line in lines)
    assert any(line.split() == ["threshold", "settlement-overdue", "added"] for line in lines)
    assert any(line.startswith("  schedule payments-primary: other people for ") for line in lines)
    assert any(line.strip().startswith("first ") and line.endswith("ana → bo") for line in lines)


def test_a_source_that_is_gone_reads_nothing(run, other) -> None:
    """An alert that nobody would read any more is told as such."""
    folder = other("sources.yaml", "  batch:", "  crontab:")
    result = run("diff", RULES, folder, *AT)
    assert "batch-failed" not in result.output  # the map moved to another name and still reads it
    folder = other("sources.yaml", 'each: "$.jobs[*]"', 'each: "$.tasks[*]"')
    assert "no source reads it" in run("diff", RULES, folder, *AT).output


def test_bodies_may_lie_anywhere(run, tmp_path, other) -> None:
    """A file or a directory may be named; none at all is said."""
    folder = other("thresholds.yaml", "disk_used >= 95%", "disk_used >= 97%")
    file = RULES / "payloads" / "disk-full.json"
    result = run("diff", RULES, folder, *AT, "--alerts", file)
    assert "alerts: 1 looked at, 1 would go another way" in result.output
    empty = tmp_path / "empty"
    empty.mkdir()
    assert "no recorded alerts" in run("diff", RULES, folder, *AT, "--alerts", empty).output


def test_alerts_of_a_database_are_asked_too(run, tmp_path, other) -> None:
    """What a daemon has taken is evaluated under both rules, read only."""
    path = tmp_path / "escalatord.db"
    store = Store(f"sqlite:///{path}", ballast_bytes=4096)
    store.open()
    now = datetime(2026, 10, 24, 1, tzinfo=UTC)
    alert = Alert(
        source="alertmanager",
        fingerprint="f00d",
        status=AlertStatus.RESOLVED,
        starts_at=now,
        title="disk",
        labels={"alertname": "DiskWillFill", "instance": "db-9"},
        annotations={"disk_used": "96"},
    )
    record = AlertRecord(alert=alert, opened_at=now, last_seen_at=now)
    store.write(lambda tx: tx.save_alerts([(record, None)]))
    folder = other("thresholds.yaml", "disk_used >= 95%", "disk_used >= 97%")
    empty = tmp_path / "empty"
    empty.mkdir()
    result = run("diff", RULES, folder, *AT, "--alerts", empty, "--storage.path", path)
    store.close()
    assert "  alertmanager/f00d: disk" in result.output
    assert "    severity  warning, error at 2m" in result.output
    missing = run("diff", RULES, folder, "--storage.path", tmp_path / "none.db")
    assert missing.exit_code == 2
    assert "cannot be read" in missing.output


def test_programs_get_json(run, other) -> None:
    """Changes, duties and alerts as objects."""
    folder = other("policies.yaml", "critical: {within: 5m}", "critical: {within: 4m}")
    told = json.loads(run("diff", RULES, folder, *AT, "--json").output)
    assert told["changes"] == [{"what": "policy payments · override critical · within", "before": "5m", "after": "4m"}]
    assert told["alerts_looked_at"] == 5
    assert {each["origin"] for each in told["alerts"]} == {"checkout-5xx"}
    assert told["duties"] == []


def test_bad_rules_are_another_exit(run, tmp_path) -> None:
    """Exit 3, whichever side they are on."""
    (tmp_path / "r.yaml").write_text("policies: 3\n", encoding="utf-8")
    assert run("diff", RULES, tmp_path).exit_code == 3
