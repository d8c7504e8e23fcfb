"""Findings as SARIF: what a code review tool reads."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from escalatord.cli.check import check
from escalatord.config.codes import CODES
from escalatord.config.sarif import as_sarif
from escalatord.errors import Finding
from tests.fakes.rule_sets import GOOD, written

FOUND = Finding(file="a b/r.yaml", line=7, column=3, code="E012", say="`within` is missing", fix="add within")
WHOLE = Finding(file="rules", line=0, column=0, code="W043", say="nothing uses it", level="warning")


def run_of(*findings: Finding, path: Path) -> dict:
    """Return the only run of the log of some findings."""
    log = json.loads(as_sarif(findings, path, {"claims": ["x"]}))
    assert log["version"] == "2.1.0"
    assert log["$schema"].endswith("sarif-schema-2.1.0.json")
    (run,) = log["runs"]
    return run


def test_a_finding_is_a_result_at_its_place(tmp_path: Path) -> None:
    """Rule, level, message, file (percent-encoded, below the rules) and region."""
    (result,) = run_of(FOUND, path=tmp_path)["results"]
    assert (result["ruleId"], result["level"]) == ("E012", "error")
    assert result["message"] == {"text": "`within` is missing. Fix: add within"}
    (place,) = result["locations"]
    assert place["physicalLocation"] == {
        "artifactLocation": {"uri": f"{tmp_path.as_posix()}/a%20b/r.yaml"},
        "region": {"startLine": 7, "startColumn": 3},
    }


def test_a_finding_about_everything_has_no_region() -> None:
    """Line 0 is no line of SARIF, whose lines count from 1."""
    (result,) = run_of(WHOLE, path=Path("rules"))["results"]
    assert result["message"] == {"text": "nothing uses it"}
    assert result["locations"] == [{"physicalLocation": {"artifactLocation": {"uri": "rules"}}}]


def test_rules_explain_every_code_and_results_point_at_theirs(tmp_path: Path) -> None:
    """Each rule has an id, words and a level; ruleIndex agrees with ruleId."""
    run = run_of(FOUND, WHOLE, path=tmp_path)
    rules = run["tool"]["driver"]["rules"]
    assert [rule["id"] for rule in rules] == list(CODES)
    for rule in rules:
        assert rule["shortDescription"]["text"]
        assert rule["fullDescription"]["text"].endswith(".")
        assert rule["help"]["text"]
        assert rule["defaultConfiguration"]["level"] in {"error", "warning"}
    for result in run["results"]:
        assert rules[result["ruleIndex"]]["id"] == result["ruleId"]


SHAPES = {
    "run": ({"tool", "results"}, {"columnKind", "properties"}),
    "driver": ({"name"}, {"version", "rules"}),
    "rule": ({"id"}, {"shortDescription", "fullDescription", "help", "defaultConfiguration"}),
    "result": ({"message"}, {"ruleId", "ruleIndex", "level", "locations"}),
}


@pytest.mark.parametrize("text", [GOOD, GOOD.replace("within: 5m", "withn: 5m")], ids=["fine", "broken"])
def test_the_command_prints_the_structure_that_the_standard_asks_for(tmp_path: Path, text: str) -> None:
    """Objects have what SARIF 2.1.0 requires and only properties that it knows."""
    folder = written(tmp_path, r=text)
    result = CliRunner().invoke(check, [str(folder), "--at", "2026-11-21 12:00", "--format", "sarif"])
    log = json.loads(result.output)
    assert set(log) == {"$schema", "version", "runs"}
    (run,) = log["runs"]
    driver = run["tool"]["driver"]
    assert run["columnKind"] == "unicodeCodePoints"
    objects = [("run", run), ("driver", driver)]
    objects += [("rule", rule) for rule in driver["rules"]] + [("result", one) for one in run["results"]]
    for kind, value in objects:
        required, known = SHAPES[kind]
        assert required <= set(value) <= required | known
    assert bool(run["results"]) == (result.exit_code == 1)
    assert bool(run["properties"]["proof"]) == (result.exit_code == 0)


def test_a_single_file_is_named_as_it_was_given(tmp_path: Path) -> None:
    """A rule set of one file is that file."""
    file = tmp_path / "r.yaml"
    file.write_text(GOOD)
    (result,) = run_of(Finding(file="r.yaml", line=1, column=1, code="E010", say="x"), path=file)["results"]
    assert result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] == file.as_posix()
