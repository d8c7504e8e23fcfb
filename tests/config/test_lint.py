"""What `check` finds in rules that can be loaded, as they are written; see test_coverage for the rest."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from escalatord.config.lint import lint
from escalatord.config.load import load
from tests.fakes.rule_sets import GOOD, written

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
SCHEDULE = """\
schedules:
  first:
    timezone: UTC
    layers: [{rotate: weekly, starts: "2026-10-05", people: [ana]}]
"""
CASES = [
    pytest.param("", "", [], id="good rules"),
    pytest.param(
        "usual: [{by: sms}, {by: call, after: 2m}]",
        "usual: [{by: sms}, {by: call, after: 5m}]",
        ['7:13 E031 step 2 of plan "usual" (call after 5m) never runs: tier 1 of "p" technical ends after 5m'],
        id="a step that never runs",
    ),
    pytest.param(
        "    last_resort:",
        "    when: {critical: {within: 1m}}\n    last_resort:",
        ['8:22 E031 step 2 of plan "usual" (call after 2m) never runs: "p" when critical ends after 1m'],
        id="a step that never runs for one severity",
    ),
    pytest.param(
        "within: 5m",
        "within: 5m, remind: [2m, 5m]",
        ['7:59 E032 the reminder of tier 1 of "p" technical after 5m never comes: the tier ends after 5m'],
        id="a reminder too late",
    ),
    pytest.param(
        '{sms: "+34600000002"}',
        "{email: bo@example.com}",
        ["16:3 E033 bo can be paged, and no channel reaches them"],
        id="a person without a phone",
    ),
    pytest.param(
        "    last_resort:",
        "    when: {critical: {skip_to: 2}}\n    last_resort:",
        ['8:32 E034 the main track of "p" has 1 tiers'],
        id="a tier that is not there",
    ),
    pytest.param(
        "",
        "exceptions: [{name: r, match: a=b, severity: error, policy: p, why: x, start_at: 2}]\n",
        ['17:82 E034 the main track of "p" has 1 tiers'],
        id="an exception that starts at no tier",
    ),
    pytest.param(
        "page: [person ana]",
        "page: [role a, person ana]",
        ['18:6 E036 role "a" names itself', '19:6 E036 role "b" names itself'],
        id="roles in a circle",
    ),
    pytest.param(
        "",
        "sources: {am: {adapter: alertmanager}}\n",
        ['17:11 W041 source "am" has no credentials: only this machine may post'],
        id="a source without credentials",
    ),
    pytest.param("", "sources: {am: {adapter: alertmanager, auth: loopback}}\n", [], id="a source for this machine"),
    pytest.param(
        "",
        "thresholds: [{name: r, match: a=b, severity: {error: {}}, review_by: 2026-11-21, owner: person ana}]\n",
        ['17:70 W042 "r" was to be reviewed by 2026-11-21'],
        id="a review that is due",
    ),
    pytest.param(
        "usual: [",
        "quiet: [{by: sms}]\n  usual: [",
        ['10:3 W043 nothing uses "quiet" of contact_plans'],
        id="an unused plan",
    ),
    pytest.param("", "teams: {t: [ana]}\n", ['17:9 W043 nothing uses "t" of teams'], id="an unused team"),
    pytest.param(
        "", "facts: {rate: {from: label.rate}}\n", ['17:9 W043 nothing uses "rate" of facts'], id="an unused fact"
    ),
    pytest.param(
        "{by: sms}, ",
        "",
        [
            '8:18 W046 plan "usual" reaches bo by none of its channels; any other would be used',
            '12:3 W043 nothing uses "sms" of channels',
        ],
        id="a plan that does not reach somebody",
    ),
    pytest.param("page: [person ana]", "page: [oncall first]", [], id="a schedule"),
]


@pytest.mark.parametrize(("old", "new", "expected"), CASES)
def test_each_doubt_is_told_at_its_place(tmp_path: Path, old: str, new: str, expected: list[str]) -> None:
    """One doubt gives exactly its findings."""
    text = GOOD.replace(old, new, 1) if old else GOOD + new
    extra = SCHEDULE if "oncall" in new else "roles:\n  a: [role b]\n  b: [role a]\n" if "role a" in new else ""
    found = lint(load(written(tmp_path, r=text + extra), environ={}), NOW)
    assert [f"{item.line}:{item.column} {item.code} {item.say}" for item in found] == expected
    assert all(item.level == ("warning" if item.code.startswith("W") else "error") for item in found)


def test_warnings_of_loading_are_kept(tmp_path: Path) -> None:
    """What loading doubts is told with the rest, in order of place."""
    text = GOOD.replace('"+34600000002"', '"+15550100001"') + "sources: {am: {adapter: alertmanager}}\n"
    found = lint(load(written(tmp_path, r=text), environ={}), NOW)
    assert [item.code for item in found] == ["W045", "W041"]


def test_a_webhook_wakes_nobody(tmp_path: Path) -> None:
    """A person for whom only a webhook works cannot be reached."""
    text = GOOD.replace('bo: {sms: "+34600000002"}', "bo: {}").replace(
        "channels:\n", "channels:\n  hook: {provider: webhook, kind: webhook, url: 'https://x.example.com'}\n"
    )
    found = lint(load(written(tmp_path, r=text), environ={}), NOW)
    assert {item.code for item in found} == {"E033", "W043"}
