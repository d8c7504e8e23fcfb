"""`escalatord test`: passes and failures for people, for CI, and for programs."""

import json
import shutil
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from escalatord.cli.cases import root_of

RULES = Path(__file__).parents[2] / "rules"
GOOD = """
tests:
  - name: staging never pages
    given: [{body: payloads/staging.json}]
    until: 1m
    expect: [{pages: 0, because: not customer facing}]
"""
BAD = GOOD.replace("pages: 0, because: not customer facing", "acked: {by: ana}").replace(
    "never pages", "is acked \\u0007 <&"
)


@pytest.fixture
def rules(tmp_path):
    """A copy of the shipped rules without their tests."""
    folder = tmp_path / "rules"
    shutil.copytree(RULES, folder, ignore=shutil.ignore_patterns("tests"))
    return folder


def test_passes_are_told_one_a_line(run, rules) -> None:
    """With how long each took, and a summary."""
    (rules / "a.test.yaml").write_text(GOOD, encoding="utf-8")
    result = run("test", rules)
    assert result.exit_code == 0
    first, last = result.output.splitlines()
    assert first.startswith("ok    staging never pages  (")
    assert last.startswith("1 tests, 0 failed, in ")


def test_a_failure_shows_both_sides_and_fails(run, rules, tmp_path) -> None:
    """Exit 1, the place of the test, what was expected, what happened; JUnit has the same."""
    (rules / "a.test.yaml").write_text(GOOD, encoding="utf-8")
    (rules / "b.test.yaml").write_text(BAD, encoding="utf-8")
    xml = tmp_path / "tests.xml"
    result = run("test", rules, "--junit", xml)
    assert result.exit_code == 1
    assert f"FAIL  staging is acked \\u0007 <&    {rules}/b.test.yaml:3:5" in result.output
    assert f"-         acked by ana    {rules}/b.test.yaml:6:14" in result.output
    assert "5xx rate 31% (staging) pages nobody" in result.output
    suites = ET.parse(xml).getroot()  # noqa: S314 - written by this very test
    assert (suites.get("tests"), suites.get("failures")) == ("2", "1")
    good, bad = suites
    assert [case.get("name") for case in good] == ["staging never pages"]
    (failure,) = bad.iter("failure")
    assert "acked by ana" in failure.get("message")
    assert "pages nobody" in failure.text


def test_programs_get_json(run, rules) -> None:
    """Each test with its place, whether it passed, and the diff."""
    (rules / "b.test.yaml").write_text(BAD, encoding="utf-8")
    result = run("test", rules / "b.test.yaml", "--json")
    told = json.loads(result.output)
    assert (result.exit_code, told["tests"], told["failed"]) == (1, 1, 1)
    assert told["results"][0]["passed"] is False
    assert any(line.startswith("- ") for line in told["results"][0]["diff"])


def test_editors_get_the_schema_of_tests(run) -> None:
    """`schema --tests` is that of the tests, not of the rules."""
    told = json.loads(run("schema", "--tests").output)
    assert told["required"] == ["tests"]


def test_some_tests_may_be_chosen_by_their_words(run) -> None:
    """`-k` picks by name; nothing left is a failure, or a typing error would look like success."""
    result = run("test", RULES, "-k", "STAGING NEVER")
    assert result.exit_code == 0
    assert result.output.splitlines()[-1].startswith("1 tests, 0 failed")
    assert run("test", RULES, "-k", "no such words").exit_code == 1


def test_a_body_that_cannot_be_told_fails_its_test(run, rules) -> None:
    """A change that the body has no place for is a failure of that test, not of the run."""
    text = GOOD.replace("staging.json}", "staging.json, set: {value.x: 1}}")
    (rules / "a.test.yaml").write_text(text, encoding="utf-8")
    result = run("test", rules)
    assert result.exit_code == 1
    assert "has no value.x" in result.output


def test_files_that_cannot_be_read_are_another_exit(run, rules) -> None:
    """Exit 3 with every finding; no test is run."""
    (rules / "a.test.yaml").write_text(GOOD.replace("until", "untill"), encoding="utf-8")
    (rules / "b.test.yaml").write_text("tests: 1\n", encoding="utf-8")
    result = run("test", rules)
    assert result.exit_code == 3
    assert f"{rules}/a.test.yaml:5:5 E010" in result.output
    assert f"{rules}/b.test.yaml:1:8 E011" in result.output
    assert "ok  " not in result.output


def test_the_rules_are_those_around_the_tests(run, rules, tmp_path) -> None:
    """The nearest directory with rule files; or those that are named; or a sentence."""
    inside = rules / "tests" / "deep"
    inside.mkdir(parents=True)
    file = inside / "a.test.yaml"
    file.write_text(GOOD, encoding="utf-8")
    assert root_of(file) == rules
    assert run("test", file).exit_code == 0
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "a.test.yaml").write_text(GOOD, encoding="utf-8")
    assert run("test", elsewhere, "--rules", rules).exit_code == 0


@pytest.mark.parametrize("name", [".hidden/a.test.yaml", "a.yaml"])
def test_no_tests_is_wrong_use(run, tmp_path, name) -> None:
    """Hidden files and plain rules are no tests."""
    file = tmp_path / name
    file.parent.mkdir(exist_ok=True)
    file.write_text(GOOD, encoding="utf-8")
    result = run("test", tmp_path)
    assert result.exit_code == 2
    assert "no tests" in result.output
