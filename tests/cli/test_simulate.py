"""`escalatord simulate`: the night in lines, in figures, and as a map."""

import json
from pathlib import Path

import pytest

RULES = Path(__file__).parents[2] / "rules"
CHANGE = "2026-10-25 01:50 Europe/Madrid"
PEOPLE = "ana: no answer; bo: acks by call after 40s"


@pytest.fixture
def simulate(run):
    """Run `simulate` with the shipped rules."""

    def run_it(*arguments):
        return run("simulate", "--rules", RULES, *arguments)

    return run_it


def test_the_night_of_the_clock_change_is_told_line_by_line(simulate) -> None:
    """Wall clock with its zone, time since the beginning, what, and what came of it; a summary ends it."""
    result = simulate("--alert", "checkout-5xx", "--at", CHANGE, "--people", PEOPLE, "--for", "70m")
    lines = result.output.splitlines()
    assert result.exit_code == 0
    assert lines[0] == "01:50:00 CEST  0s      INC-1 critical opened by checkout-failing, policy payments"
    assert lines[1].startswith("01:50:00 CEST  0s      tier 1 primary → ana")
    assert lines[1].endswith(" septets)")
    assert any(line.startswith("01:55:40 CEST  5m40s   ACK bo by call") for line in lines)
    assert any("time to ack 5m40s, tier 2" in line for line in lines)
    assert lines[-1].startswith("pages ")
    assert "worst case without any ack: " in lines[-1]
    assert " last resort at " in lines[-1]
    assert all(len(line) <= 100 for line in lines[:-1])


def test_after_the_change_the_clock_shows_the_other_zone(simulate) -> None:
    """An hour later the wall clock stands where it stood."""
    lines = simulate("--alert", "checkout-5xx", "--at", CHANGE, "--for", "95m").output.splitlines()
    assert any(line.startswith("02:20:00 CEST  30m ") for line in lines)
    assert any(line.startswith("02:20:00 CET   1h30m ") for line in lines)


def test_whether_the_fallback_saves_the_night(simulate) -> None:
    """With texts dead somebody still acks; with everything dead nobody can, and the exit says so."""
    saved = simulate("--alert", "checkout-5xx", "--at", CHANGE, "--people", "ana: acks", "--fail", "sms", "--for", "5m")
    assert saved.exit_code == 0
    assert "sms failed: client error" in saved.output
    lost = simulate("--alert", "checkout-5xx", "--at", CHANGE, "--people", "ana: acks", "--fail", "sim", "--for", "5m")
    assert lost.exit_code == 1


def test_an_alert_for_nobody_says_why(simulate) -> None:
    """The reason of the rule, and no pages."""
    result = simulate("--alert", "staging", "--at", CHANGE)
    assert result.exit_code == 0
    assert "pages nobody" in result.output
    assert "not customer facing" in " ".join(result.output.split())


def test_labels_sources_and_files_may_be_given(simulate, tmp_path) -> None:
    """`--set` changes labels and annotations, a path is a body too, and the source follows from the body."""
    quiet = simulate("--alert", "checkout-5xx", "--set", "env=staging", "--at", CHANGE, "--for", "1m")
    assert "pages nobody" in quiet.output
    file = tmp_path / "jobs.json"
    file.write_bytes((RULES / "payloads" / "batch-failed.json").read_bytes())
    batch = simulate("--alert", file, "--at", CHANGE, "--for", "1m")
    assert "opened by settlement-late, policy payments" in batch.output
    named = simulate("--alert", "checkout-5xx", "--source", "alertmanager", "--alert", "disk-full", "--for", "1m")
    assert "INC-2" in named.output


def test_programs_get_json(simulate) -> None:
    """Every line as an object, the summary, the worst case, the incidents."""
    result = simulate("--alert", "checkout-5xx", "--at", CHANGE, "--people", PEOPLE, "--for", "10m", "--json")
    told = json.loads(result.output)
    assert told["incidents"] == [
        {"number": 1, "severity": "critical", "state": "acknowledged", "policy": "payments", "acknowledged_by": "bo"}
    ]
    (ack,) = [line for line in told["lines"] if line["kind"] == "acknowledged"]
    assert (ack["seconds"], ack["people"], ack["track"]) == (340.0, ["bo"], "technical")
    assert told["began"] == "2026-10-24T23:50:00+00:00"
    assert told["worst_case"].startswith("worst case without any ack")


def test_the_map_shows_who_is_first(simulate) -> None:
    """One row a day, letters of people, and no gap in the shipped rules."""
    result = simulate("--alert", "disk-full", "--every", "30m", "--for", "7d", "--at", "2026-10-19 00:00 Europe/Madrid")
    lines = result.output.splitlines()
    assert result.exit_code == 0
    assert lines[0] == "who is first for warning by disk-filling, policy platform"
    assert lines[2].startswith("Mon 19 Oct")
    assert len([line for line in lines if line[3:4] == " " and line[7:10] == "Oct"]) == 7
    assert "no gap" in lines[-1]
    told = json.loads(simulate("--alert", "disk-full", "--every", "6h", "--for", "1d", "--at", CHANGE, "--json").output)
    assert len(told["slots"]) == 4
    assert told["gaps"] == []


@pytest.mark.parametrize(
    ("arguments", "say"),
    [
        (("--alert", "no-such"), "there is no example"),
        (("--alert", "staging", "--at", "tomorrow"), "is not a time"),
        (("--alert", "staging", "--for", "long"), "is not a duration"),
        (("--alert", "staging", "--people", "ana: sings"), "is nothing that people do here"),
        (("--alert", "staging", "--people", "zoe: acks"), 'there is no person "zoe"'),
        (("--alert", "staging", "--fail", "pigeon"), 'there is no channel or provider "pigeon"'),
        (("--alert", "staging", "--set", "env"), "is not LABEL=VALUE"),
        (("--alert", "staging", "--source", "nagios"), 'there is no source "nagios"'),
        (("--alert", "staging", "--every", "30m"), "pages nobody, so nobody is first"),
        (("--alert", "checkout-5xx", "--every", "2h", "--for", "1h"), "give a longer --for"),
        (("--alert", "checkout-5xx", "--every", "1s", "--for", "28d"), "ask less often"),
        ((), "Missing option"),
    ],
)
def test_wrong_use_is_told_in_a_sentence(simulate, arguments, say) -> None:
    """Exit 2, and what to write instead."""
    result = simulate(*arguments)
    assert result.exit_code == 2
    assert say in result.output.replace("\n", " ")


def test_a_body_that_no_source_reads_is_said(simulate, tmp_path) -> None:
    """Neither Alertmanager's nor of any map."""
    file = tmp_path / "odd.json"
    file.write_text("3", encoding="utf-8")
    result = simulate("--alert", file)
    assert result.exit_code == 2
    assert "no source in the rules fits" in result.output


def test_bad_rules_are_another_exit(run, tmp_path) -> None:
    """3, with every finding."""
    (tmp_path / "r.yaml").write_text("policies: 3\n", encoding="utf-8")
    result = run("simulate", "--rules", tmp_path, "--alert", RULES / "payloads" / "staging.json")
    assert result.exit_code == 3
    assert "r.yaml:1:11 E011" in result.output
