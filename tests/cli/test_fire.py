"""`fire` sends examples as if they had just happened, as the source that they fit."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from escalatord.cli import payloads
from escalatord.cli.options import shipped_rules
from tests.cli.conftest import STATUS

RULES = shipped_rules()
NOW = datetime(2027, 3, 1, 4, 5, 6, tzinfo=UTC)
ACCEPTED = {
    "result": "accepted",
    "accepted": [
        {"fingerprint": "8c1d", "incident": 7, "new": True, "policy": "payments", "reason": "opened"},
        {"fingerprint": "9d2e", "incident": None, "new": True, "policy": "payments", "reason": None},
        {"fingerprint": "a0b1", "incident": None, "new": False, "policy": "", "reason": "unknown_resolve"},
    ],
    "rejected": [],
}


@pytest.fixture
def told(fake):
    """Let the daemon tell a time of its own and take everything."""
    fake.answers = {
        "/api/v1/status": (200, {**STATUS, "at": NOW.isoformat()}),
        "/in/alertmanager": (202, ACCEPTED),
        "/in/batch": (202, ACCEPTED),
        "/in/other": (202, ACCEPTED),
    }
    return fake


def test_fire_sends_alerts_as_of_the_daemons_time_with_new_fingerprints(ask, told) -> None:
    """A demonstration is ahead of the wall clock, so the daemon's own time counts; twice is two alerts."""
    assert ask("fire", "checkout-5xx", "--rules", RULES).exit_code == 0
    assert ask("fire", "checkout-5xx", "--rules", RULES).exit_code == 0
    first, second = [body["alerts"][0] for method, _path, body in told.asked if method == "POST"]
    assert first["startsAt"] == "2027-03-01T04:05:06.000Z"
    assert first["endsAt"] == payloads.NO_END
    assert first["fingerprint"] != second["fingerprint"]
    assert len(first["fingerprint"]) == 16


def test_fire_sets_labels_everywhere_but_adds_none_to_the_group(ask, told) -> None:
    """`--set` changes each alert and what they have in common."""
    ask("fire", "checkout-5xx", "--rules", RULES, "--set", "service=search", "--set", "zone=b=1")
    body = told.asked[-1][2]
    assert body["alerts"][0]["labels"]["service"] == "search"
    assert body["alerts"][0]["labels"]["zone"] == "b=1"
    assert body["groupLabels"] == {"alertname": "HighErrorRate", "service": "search"}


def test_fire_says_what_became_of_each_alert(ask, told) -> None:
    """Opened, quiet, or why not; and where to read on."""
    lines = ask("fire", "checkout-5xx", "--rules", RULES).output.splitlines()
    assert lines == [
        "fired checkout-5xx as alertmanager",
        "  INC-7        opened           policy payments  8c1d",
        "  no incident  pages nobody     policy payments  9d2e",
        "  no incident  unknown resolve                   a0b1",
        "look: escalatord explain INC-7",
    ]


def test_fire_finds_the_generic_source_that_fits(ask, told) -> None:
    """A body that is no Alertmanager's goes to the source of the rules whose field map finds something in it."""
    result = ask("fire", "batch-failed", "--rules", RULES, "--set", "cluster=batch-us")
    _method, path, body = told.asked[-1]
    assert (result.exit_code, path) == (0, "/in/batch")
    assert {job["cluster"] for job in body["jobs"]} == {"batch-us"}
    assert {job["failed_at"] for job in body["jobs"]} == {"2027-03-01T04:05:06.000Z"}


def test_fire_takes_a_file_and_a_source(ask, told, tmp_path: Path) -> None:
    """An example of one's own is a path; `--source` says whose it is."""
    file = tmp_path / "mine.json"
    file.write_text('{"alerts": [{"status": "resolved", "labels": {}}]}')
    assert ask("fire", file, "--source", "other", "--rules", RULES).exit_code == 0
    assert told.asked[-1][1] == "/in/other"
    assert told.asked[-1][2]["alerts"][0]["endsAt"] == "2027-03-01T04:05:06.000Z"


def test_fire_without_a_name_lists_the_examples(ask, told) -> None:
    """What can be fired is listed, without asking the daemon."""
    assert "checkout-5xx" in ask("fire", "--rules", RULES).output.splitlines()
    assert "checkout-5xx" in json.loads(ask("fire", "--rules", RULES, "--json").output)["examples"]
    assert told.asked == []


@pytest.mark.parametrize(
    "arguments",
    [
        ["nothing-like-it"],
        ["../../etc/passwd"],
        ["checkout-5xx", "--set", "region"],
        ["checkout-5xx", "--set", "=x"],
        ["batch-failed", "--set", "nobody=maps-this"],
    ],
    ids=" ".join,
)
def test_fire_refuses_what_cannot_be_sent(ask, told, arguments: list[str]) -> None:
    """Usage errors are 2, with the examples there are."""
    result = ask("fire", *arguments, "--rules", RULES)
    assert result.exit_code == 2
    assert [path for method, path, _body in told.asked if method == "POST"] == []


def test_fire_that_is_wholly_rejected_is_exit_1(ask, told) -> None:
    """No alert was taken: a negative answer, with the reason."""
    rejected = [{"index": 0, "at": "/alerts/0", "error": "E101", "say": "labels must be an object"}]
    told.answers["/in/alertmanager"] = (207, {"accepted": [], "rejected": rejected})
    result = ask("fire", "checkout-5xx", "--rules", RULES)
    assert (result.exit_code, "refused /alerts/0" in result.output) == (1, True)


def test_fire_works_with_a_token_that_may_only_post(ask, told) -> None:
    """A source's token reads no status; then this machine's clock has to do."""
    told.answers["/api/v1/status"] = (403, {"say": "not for you"})
    assert ask("fire", "checkout-5xx", "--rules", RULES).exit_code == 0


@pytest.mark.parametrize(
    ("expected", "form"), [(1803873906, "epoch"), (1803873906000, "epoch_ms")], ids=["seconds", "milliseconds"]
)
def test_times_of_a_generic_source_are_written_in_its_own_form(expected: int, form: str) -> None:
    """A source that counts seconds gets seconds."""
    field_map = {"started_at": {"path": "$.t", "format": form}}
    assert payloads.freshen_mapped({"t": 1, "x": 2}, field_map, NOW, {}) == {"t": expected, "x": 2}


@pytest.mark.parametrize("content", [b"{", b"[" * 20], ids=["cut off", "nested"])
def test_file_that_is_no_json_is_a_sentence(tmp_path: Path, content: bytes) -> None:
    """A broken file is told with its name."""
    file = tmp_path / "x.json"
    file.write_bytes(content)
    with pytest.raises(payloads.PayloadError, match=r"x\.json is not JSON"):
        payloads.read(str(file), tmp_path)


def test_bodies_that_fit_no_source_are_a_sentence(ask, told, tmp_path: Path) -> None:
    """What no source of the rules can read is not guessed at."""
    file = tmp_path / "odd.json"
    file.write_text('{"events": [{"a": 1}]}')
    result = ask("fire", file, "--rules", RULES)
    assert (result.exit_code, "give --source" in result.output) == (2, True)
