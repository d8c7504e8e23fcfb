"""`oncall` answers from the daemon, or from the files alone, in the same words."""

import json
from pathlib import Path

import pytest

from escalatord.cli.options import shipped_rules
from tests.cli.conftest import ONCALL

RULES = shipped_rules()


def test_oncall_says_who_and_why_and_where_nobody_is(ask, fake) -> None:
    """Every schedule in a line; a gap is exit 1."""
    fake.answers["/api/v1/oncall"] = (200, ONCALL)
    result = ask("oncall")
    assert "  payments-primary  ana (Ana Ruiz)  layer madrid" in result.output.splitlines()
    assert result.exit_code == 1


def test_oncall_of_one_schedule(ask, fake) -> None:
    """Only the one that was asked for counts."""
    fake.answers["/api/v1/oncall"] = (200, ONCALL)
    result = ask("oncall", "payments-primary", "--at", "2026-10-24 03:11 Europe/Madrid")
    assert result.exit_code == 0
    assert "night" not in result.output
    assert fake.asked[0][1] == "/api/v1/oncall?at=2026-10-24T01%3A11%3A00%2B00%3A00"


def test_oncall_from_rules_asks_no_daemon(ask, fake) -> None:
    """With --rules the files answer, overrides in them included."""
    result = ask("oncall", "managers", "--rules", RULES, "--at", "2026-12-25 03:00 Europe/Madrid")
    assert result.exit_code == 0
    assert "managers  ivo (Ivo Santos)  override: Mar is away over Christmas" in result.output
    assert "at 2026-12-25 03:00 Europe/Madrid = 2026-12-25 02:00:00 UTC" in result.output
    assert fake.asked == []


def test_oncall_in_json_has_the_shape_of_the_api(run) -> None:
    """Tools need not know where the answer came from."""
    found = json.loads(run("oncall", "--rules", RULES, "--at", "2026-12-25T02:00:00Z", "--json").output)
    assert found["at"] == "2026-12-25T02:00:00+00:00"
    assert found["schedules"][0].keys() == ONCALL["schedules"][0].keys()


@pytest.mark.parametrize(
    ("code", "arguments"),
    [
        (2, ["--at", "tomorrow", "--rules", str(RULES)]),
        (2, ["nobodys", "--rules", str(RULES)]),
        (3, ["--rules", "there-are-none"]),
    ],
    ids=["no time", "no such schedule", "no rules"],
)
def test_oncall_refuses_what_it_cannot_answer(run, code: int, arguments: list[str]) -> None:
    """Usage is 2, bad rules are 3."""
    assert run("oncall", *arguments).exit_code == code


def test_oncall_with_bad_rules_says_what_is_wrong(run, tmp_path: Path) -> None:
    """Findings are told as `check` tells them."""
    (tmp_path / "rules.yaml").write_text("policies: 7\n")
    result = run("oncall", "--rules", tmp_path)
    assert result.exit_code == 3
    assert "rules.yaml:1" in result.output
