"""Tests beside the rules are read strictly: every mistake has its line, its column and its remedy."""

import json
from pathlib import Path

import pytest

from escalatord.config.load import load
from escalatord.core.alert import AlertStatus
from escalatord.core.wallclock import parse_when
from escalatord.notify.simulated import Failure
from escalatord.sim.cases import described, json_schema, read
from escalatord.sim.people import Deed, Script

RULES = Path(__file__).parents[2] / "rules"
RULESET = load(RULES, need_secrets=False).ruleset
GIVEN = "given: [{body: payloads/staging.json}]"
EXPECT = "expect: [{pages: 0}]"


def case(more="", *, given=GIVEN, expect=EXPECT):
    """Return a file with one test in it."""
    lines = [f"    {line}" for line in (given, expect, *filter(None, more.split("\n")))]
    return "\n".join(["tests:", "  - name: one", *lines, ""])


def parsed(tmp_path, text):
    """Return the cases and findings of a file that holds the text."""
    file = tmp_path / "x.test.yaml"
    file.write_text(text, encoding="utf-8")
    cases, findings = read(file, RULES, RULESET)
    return cases, [str(finding).removeprefix(f"{file}:") for finding in findings]


def test_a_case_says_when_what_who_and_what_of_it(tmp_path):
    """Every key of the language, with the meanings that it has."""
    (tmp_path / "own.json").write_text(json.dumps({"alerts": []}), encoding="utf-8")
    given = """given:
      - {source: alertmanager, body: payloads/staging.json, set: {env: qa, annotation.disk_used: 99}, after: 90s}
      - {source: batch, body: own.json, status: resolved}"""
    expect = """expect:
      - {incident: {severity: error, policy: payments, rule: unmatched, at: 5m, count: 1}}
      - {sent: {to: room, by: chat, contains: two words, kind: page}}
      - {pages: 2, because: not customer facing}"""
    more = (
        'at: "2026-10-24 03:11 Europe/Madrid"\npeople: {ana: acks by call after 40s}\nfail: [sms, call=busy]\nuntil: 3h'
    )
    (one,), findings = parsed(tmp_path, case(more, given=given, expect=expect))
    assert findings == []
    assert one.story.at == parse_when("2026-10-24 03:11 Europe/Madrid", "UTC")
    assert one.story.scripts == {"ana": Script(deed=Deed.ACK, by="call", after_seconds=40)}
    assert one.story.failures == {"sms": Failure.REFUSE, "call": Failure.BUSY}
    assert one.story.until_seconds == 10_800
    first, second = one.story.given
    assert (first.changes, first.after_seconds) == ({"env": "qa", "annotation.disk_used": "99"}, 90)
    assert (second.source, second.content, second.status) == ("batch", {"alerts": []}, AlertStatus.RESOLVED)
    assert [described(expected) for expected in one.expected] == [
        "incident severity error policy payments rule unmatched at 5m count 1",
        "sent to room by chat contains 'two words' kind page",
        "pages 2 people, because: not customer facing",
    ]
    assert one.expected[1].place.endswith("x.test.yaml:8:9")


def test_what_is_left_out_has_defaults(tmp_path):
    """The file's own `at`, two hours, Alertmanager, nobody who answers."""
    (one,), _ = parsed(tmp_path, 'at: "2027-01-01 00:00 UTC"\n' + case())
    assert one.story.at == parse_when("2027-01-01 00:00 UTC", "UTC")
    assert (one.story.until_seconds, one.story.given[0].source, one.story.scripts) == (7200, "alertmanager", {})


@pytest.mark.parametrize(
    ("text", "finding"),
    [
        (case("untill: 3h"), '5:5 E010 unknown key "untill"'),
        (case("until: 3"), "5:12 E014"),
        (case("until: 0s"), "5:12 E023"),
        (case('at: "tomorrow"'), '5:9 E024 "tomorrow" is not a time'),
        (case("people: {zoe: acks}"), '5:19 E020 there is no "zoe" in people'),
        (case("people: {ana: sings}"), "5:19 E013 'sings' is nothing that people do here"),
        (case("fail: [pigeon]"), '5:11 E020 there is no channel or provider "pigeon"'),
        (case(given="given: []"), "3:12 E013 `given` needs at least 1"),
        (case(given="given: [{source: am, body: payloads/staging.json}]"), '3:22 E020 there is no "am" in sources'),
        (case(given="given: [{body: nothing.json}]"), '3:20 E001 there is no file "nothing.json"'),
        (case(given="given: [{body: thresholds.yaml}]"), "3:20 E002 thresholds.yaml cannot be read as JSON"),
        (case(given="given: [{body: payloads/staging.json, status: over}]"), '3:51 E013 "over" is not one of'),
        (case(expect="expect: [{}]"), "4:14 E013 one thing is expected at a time"),
        (case(expect="expect: [{pages: 0, acked: {by: ana}}]"), "4:14 E013 one thing is expected at a time"),
        (case(expect="expect: [{acked: {by: ana}, because: x}]"), "4:14 E013 because stands with pages only"),
        (case(expect="expect: [{sent: {to: zoe}}]"), '4:26 E020 there is no "zoe" in people'),
        (case(expect="expect: [{not_sent: {to: ana, by: pigeon}}]"), '4:39 E020 there is no "pigeon" in channels'),
        (case(expect="expect: [{acked: {by: zoe}}]"), '4:27 E020 there is no "zoe" in people'),
        (case(expect="expect: [{incident: {policy: none}}]"), '4:34 E020 there is no "none" in policies'),
        (case(expect="expect: [{incident: {rule: none}}]"), '4:32 E020 there is no "none" in rules'),
        (case() + case().removeprefix("tests:\n"), "5:11 E006 another test has this name"),
        ("tests: 3\n", "1:8 E011 tests must be a list"),
        ("rules: []\n", '1:1 E010 there is no section "rules"'),
        ("at: x\n", "1:1 E012 there is no `tests` section"),
        ("tests: [\n", "2:1 E003"),
    ],
    ids=lambda value: value if len(value) < 90 and "\n" not in value else "",
)
def test_each_mistake_has_its_place(tmp_path, text, finding):
    """`line:column CODE sentence`, and no case of that file is run."""
    cases, findings = parsed(tmp_path, text)
    assert [found for found in findings if found.startswith(finding)], findings
    assert len(cases) <= 1


def test_a_file_that_is_not_there_is_said(tmp_path):
    """A finding, not a traceback."""
    cases, (finding,) = read(tmp_path / "no.test.yaml", RULES, RULESET)
    assert (cases, finding.code) == ((), "E001")


def test_too_many_tests_are_refused(tmp_path, monkeypatch):
    """The number of tests in a file has its limit."""
    monkeypatch.setattr("escalatord.sim.cases.CASES_MAX", 0)
    assert parsed(tmp_path, case())[1] == ["2:3 E007 more than 0 tests in one file"]


def test_editors_get_a_schema():
    """Every key is described for completion."""
    schema = json_schema()
    assert schema["required"] == ["tests"]
    assert schema["$id"] == "urn:escalatord:tests:1"
    assert {"name", "given", "expect"} <= set(schema["$defs"]["CasePart"]["properties"])
    assert "set" in schema["$defs"]["GivenPart"]["properties"]
