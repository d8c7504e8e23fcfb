"""`escalatord check` and `escalatord schema` as a human and a program see them."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from escalatord.cli.check import TABLE_HEAD, check, schema
from tests.fakes.rule_sets import GOOD, written

RULES = Path(__file__).parents[2] / "rules"
AT = ["--at", "2026-11-21 12:00"]
WARNED = GOOD + "teams: {t: [ana]}\n"
BROKEN = GOOD.replace("within: 5m", "withn: 5m")


def run(*arguments: object) -> Result:
    """Run `check` with arguments."""
    return CliRunner().invoke(check, [str(argument) for argument in arguments])


def test_good_rules_are_called_fine_with_their_figures() -> None:
    """The last line says what was read; above it stand the worst cases and what is proved."""
    result = run(RULES, *AT)
    assert result.exit_code == 0
    *proved, last = result.output.splitlines()
    assert re.match(r"fine: \d+ rules, 5 policies, 13 people, 5 schedules, 2 sources in \d+ files of ", last)
    assert proved[0].split("  ")[0] == "if nobody answers"
    assert sum(line.startswith("proved: ") for line in proved) == 5  # one for the hours of the reports, one for mutes


def test_the_table_is_aligned_and_says_when_the_worst_is(tmp_path: Path) -> None:
    """Columns begin under their heads; --quiet leaves only the last line."""
    result = run(RULES, *AT)
    head, *rows = [line for line in result.output.splitlines() if not line.startswith(("proved", "fine"))]
    at = [head.index(word) for word in TABLE_HEAD]
    assert [row[start - 1] for row in rows for start in at[1:]] == [" "] * 5 * len(rows)
    (worst,) = [row for row in rows if row.startswith("platform technical") and " error " in row]
    assert worst[at[3] :].startswith("25m (Mon 23 Nov 08:45)")
    assert run(RULES, *AT, "--quiet").output.splitlines() == result.output.splitlines()[-1:]


def test_an_error_is_told_with_place_code_sentence_and_fix(tmp_path: Path) -> None:
    """Every finding has its line, the fix below it, and a summary ends them."""
    result = run(written(tmp_path, r=BROKEN), *AT)
    assert result.exit_code == 1
    assert result.output.splitlines() == [
        "r.yaml:7:13 E012 `within` is missing",
        "    fix: add within: how long it has to ack",
        'r.yaml:7:34 E010 unknown key "withn"',
        "    fix: did you mean `within`?",
        f"2 errors, 0 warnings in {tmp_path}",
    ]


def test_warnings_fail_only_when_asked(tmp_path: Path) -> None:
    """A warning is told and marked; --strict makes it count."""
    folder = written(tmp_path, r=WARNED)
    result = run(folder, *AT)
    assert (result.exit_code, result.output.splitlines()[0]) == (
        0,
        'r.yaml:17:9 W043 warning: nothing uses "t" of teams',
    )
    assert result.output.splitlines()[-1] == f"0 errors, 1 warning in {tmp_path}"
    assert run(folder, *AT, "--strict").exit_code == 1


@pytest.mark.parametrize("make", [False, True], ids=["no such path", "an empty directory"])
def test_rules_that_cannot_be_read_are_another_exit(tmp_path: Path, make: bool) -> None:
    """3 means that there was nothing to check."""
    folder = tmp_path / "rules"
    if make:
        folder.mkdir()
    result = run(folder, *AT)
    assert result.exit_code == 3
    assert f"{folder} E001" in result.output


@pytest.mark.parametrize(("text", "code"), [(GOOD, 0), (WARNED, 0), (BROKEN, 1)], ids=["fine", "warned", "broken"])
def test_json_is_for_programs(tmp_path: Path, text: str, code: int) -> None:
    """The same findings as one object, also when there are none."""
    result = run(written(tmp_path, r=text), *AT, "--format", "json")
    told = json.loads(result.output)
    assert result.exit_code == code
    assert told["errors"] + told["warnings"] == len(told["findings"])
    assert ("hash" in told["figures"]) == (code == 0)
    assert bool(told["proof"]) == (code == 0)
    for finding in told["findings"]:
        assert set(finding) == {"file", "line", "column", "code", "say", "fix", "level"}


def test_the_proof_for_programs_is_in_seconds_and_instants(tmp_path: Path) -> None:
    """One entry for each track, severities and dead thing; null where nobody is ever told."""
    lone = GOOD.replace("[person bo]", "[person ana]").replace('  bo: {sms: "+34600000002"}\n', "")
    told = json.loads(run(written(tmp_path, r=lone), *AT, "--format", "json").output)["proof"]
    assert (told["from"], told["to"]) == ("2026-11-21T12:00:00+00:00", "2027-02-19T12:00:00+00:00")
    assert [case["dead"] for case in told["worst_cases"]] == [None, 'channel "sms"', 'channel "call"']
    assert told["worst_cases"][0] == {
        "policy": "p",
        "track": "technical",
        "severities": ["info", "warning", "error", "critical"],
        "dead": None,
        "held_seconds_max": 0.0,
        "first_human_seconds": 0.0,
        "first_human_opened_at": "2026-11-21T12:00:00+00:00",
        "second_human_seconds": None,
        "second_human_opened_at": "2026-11-21T12:00:00+00:00",
        "last_resort_seconds": 300.0,
        "tried": ["ana"],
    }


def test_a_time_that_is_none_is_a_mistake_of_use() -> None:
    """Exit 2 with a sentence."""
    result = run(RULES, "--at", "tomorrow")
    assert result.exit_code == 2
    assert "tomorrow" in result.output


def test_secrets_are_asked_for_unless_told_not_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On the machine of the daemon a missing secret is an error, in CI it is not looked for."""
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)
    folder = written(tmp_path, r=GOOD + "sources: {am: {adapter: alertmanager, auth: {bearer: file:token}}}\n")
    assert run(folder, *AT).exit_code == 1
    assert run(folder, *AT, "--without-secrets").exit_code == 0


def test_the_schema_is_printed_as_json() -> None:
    """`schema` prints one JSON object."""
    result = CliRunner().invoke(schema)
    assert result.exit_code == 0
    assert json.loads(result.output)["title"] == "escalatord rules"


IMPORTS = """
import sys
before = set(sys.modules)
from datetime import UTC, datetime
from pathlib import Path
from escalatord.cli.check import examine, schema
examined = examine(Path(sys.argv[1]), datetime(2026, 11, 21, tzinfo=UTC))
assert examined.figures["rules"]
loaded = set(sys.modules) - before
refused = ("aiohttp", "sqlalchemy", "twilio", "alembic", "prometheus_client", "slack_sdk", "structlog")
print(sorted(name for name in loaded if name.split(".")[0] in refused))
print(len(loaded))
"""


def test_checking_imports_no_server_store_or_provider() -> None:
    """`check` runs anywhere and fast: a few hundred modules, none of HTTP, SQL or providers."""
    result = subprocess.run([sys.executable, "-c", IMPORTS, str(RULES)], capture_output=True, text=True, check=True)
    refused, count = result.stdout.splitlines()
    sys.stdout.write(f"modules beyond the interpreter's own: {count}\n")
    assert refused == "[]"
    assert int(count) <= 500
