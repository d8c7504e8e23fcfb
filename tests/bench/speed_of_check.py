"""How long `escalatord check` takes for a large company; figures are seconds of this process's time, printed."""

import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from time import process_time

import pytest

from escalatord.cli.check import Examined, examine

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
ZONES = ("Europe/Madrid", "America/Los_Angeles", "Asia/Kolkata", "Australia/Lord_Howe", "UTC")
ROTATIONS = ("weekly", "daily", "weekly", "12 hours", "2 weeks")
SCHEDULES, RULES = 500, 2_000
SCHEDULES_SECONDS_MAX, RULES_SECONDS_MAX, IMPORT_SECONDS_MAX = 5.0, 2.0, 0.4
BASE = """\
unmatched: {severity: warning, policy: p0}
channels:
  chat: {provider: sim}
  sms: {provider: sim}
  call: {provider: sim}
contact_plans:
  usual: [{by: chat}, {by: sms, if_failed: [call]}, {by: call, after: 3m}]
  urgent: [{by: sms}, {by: call}, {by: call, after: 2m}]
"""
IMPORTS = """
from time import process_time
began = process_time()
from escalatord.cli.check import check
from escalatord.config import coverage, lint, load
print(process_time() - began)
"""


def people(count: int) -> str:
    """Return the section of so many people."""
    lines = [f'  u{n}: {{sms: "+346{n:08}", call: "+346{n:08}", email: u{n}@example.com}}' for n in range(count)]
    return "people:\n" + "\n".join(lines) + "\n"


def schedule(number: int) -> str:
    """Return a schedule of two layers in two zones, of six people of its own."""
    here, there = ZONES[number % 5], ZONES[(number + 1) % 5]
    rotate = ROTATIONS[number % 5]
    crew = [f"u{number * 6 + n}" for n in range(6)]
    return (
        f"  s{number}:\n    timezone: {here}\n    layers:\n"
        f'      - {{rotate: {rotate}, starts: "2026-10-05", people: [{", ".join(crew[:3])}], timezone: {there}}}\n'
        f'      - {{rotate: daily, starts: "2026-10-05", people: [{", ".join(crew[3:])}], active: 08:00-20:00}}\n'
    )


def policy(number: int) -> str:
    """Return a policy over two schedules, with its own ladder for critical."""
    first, second = 2 * number, 2 * number + 1
    return (
        f"  p{number}:\n    tracks:\n      technical:\n        tiers:\n"
        f"          - {{page: [oncall s{first}], backup: [oncall s{second}], within: 15m, plan: usual}}\n"
        f"          - {{page: [oncall s{second}], within: 10m, plan: urgent}}\n"
        f"        repeat: 1\n    when: {{critical: {{within: 5m, plan: urgent}}}}\n"
        f"    last_resort: {{page: [person u{first * 6}, person u{second * 6}], plan: urgent}}\n"
    )


def rule(number: int) -> str:
    """Return a threshold rule as people write them."""
    return (
        f"  - name: r{number}\n"
        f'    match: service="s{number % 97}", alertname=~"High{number}|Probe{number}"\n'
        "    severity: {error: {when: downtime > 5m, for: 2m}, critical: {any: [downtime >= 15m, rate > 5%]}}\n"
        "    unless: [{match: 'env=~\"staging|dev\"', why: not customer facing}]\n"
        f"    policy: p{number % 10}\n"
    )


def examined_in(folder: Path, seconds_max: float) -> tuple[Examined, float]:
    """Return what checking finds and the seconds it took; a machine busy with other things gets three tries."""
    taken: list[float] = []
    while not taken or (min(taken) > seconds_max and len(taken) < 3):
        began = process_time()
        examined = examine(folder, NOW)
        taken.append(process_time() - began)
    return examined, min(taken)


@pytest.mark.timeout(300)
def test_checking_five_hundred_schedules(tmp_path: Path) -> None:
    """Every minute of 90 days of 500 schedules in 250 policies, and every climb with one thing dead."""
    policies = "policies:\n" + "".join(map(policy, range(SCHEDULES // 2)))
    schedules = "schedules:\n" + "".join(map(schedule, range(SCHEDULES)))
    (tmp_path / "rules.yaml").write_text(BASE + policies + schedules + people(SCHEDULES * 6))
    examined, seconds = examined_in(tmp_path, SCHEDULES_SECONDS_MAX)
    sys.stdout.write(f"check of {SCHEDULES} schedules x 90 days: {seconds:.2f} s\n")
    assert examined.proof is not None
    assert {finding.code for finding in examined.findings} <= {"W043", "W045"}
    assert seconds <= SCHEDULES_SECONDS_MAX


@pytest.mark.timeout(300)
def test_checking_two_thousand_rules(tmp_path: Path) -> None:
    """Reading, validating and proving 2,000 threshold rules."""
    facts = "facts: {rate: {from: annotation.rate, unit: percent}}\n"
    policies = "policies:\n" + "".join(map(policy, range(10)))
    schedules = "schedules:\n" + "".join(map(schedule, range(20)))
    rules = "thresholds:\n" + "".join(map(rule, range(RULES)))
    (tmp_path / "rules.yaml").write_text(BASE + facts + policies + schedules + people(120) + rules)
    examined, seconds = examined_in(tmp_path, RULES_SECONDS_MAX)
    sys.stdout.write(f"load and check of {RULES} rules: {seconds:.2f} s\n")
    assert examined.figures["rules"] == RULES
    assert seconds <= RULES_SECONDS_MAX


def test_importing_what_check_needs() -> None:
    """The command answers soon: the best of three starts, since the first may compile."""
    taken = [
        float(subprocess.run([sys.executable, "-c", IMPORTS], capture_output=True, text=True, check=True).stdout)
        for _ in range(3)
    ]
    sys.stdout.write(f"import of escalatord check: {min(taken):.2f} s\n")
    assert min(taken) <= IMPORT_SECONDS_MAX
