"""`escalatord replay`: a recorded night beside what it would be under other rules."""

import asyncio
import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from escalatord.cli import cli
from escalatord.cli.replay import period
from tests.fakes.company import company
from tests.sim.test_replaying import FASTER, RULES, recorded

SINCE = ("--since", "2026-10-24 03:11 Europe/Madrid", "--until", "2026-10-24 04:23:10")


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a recorded night: `world.db`, its rules, and faster ones in `faster/rules`."""
    folder = tmp_path_factory.mktemp("night")
    asyncio.run(recorded(folder))
    (folder / "faster").mkdir()
    company(folder / "faster", **{**RULES, "policies": FASTER})
    return folder


def run(folder: Path, rules: str, *options: str):
    """Return what the verb prints and exits with."""
    where = ["--storage.path", str(folder / "world.db"), "--rules", str(folder / rules)]
    return CliRunner().invoke(cli, ["replay", *where, *(options or SINCE)])


def test_the_rules_of_then_tell_the_same_night(told: Path) -> None:
    """Exit 0, the sum in two equal columns."""
    result = run(told, "rules")
    assert result.exit_code == 0, result.output
    lines = result.output.splitlines()
    assert lines[0].endswith(
        "over Sat 24 Oct 03:11 to Sat 24 Oct 04:23 Europe/Madrid: 3 messages of alerts, 7 words of people"
    )
    assert lines[1] == "3 incidents, none would have gone another way"
    assert "  mean time to ack    2m40s  2m40s" in lines
    shown = run(told, "rules", *SINCE, "--all").output
    assert "INC-1     03:11:14 CEST  disk" in shown
    assert "  was       error, main: ana 0s, bo 5m · ack bo 6m" in shown


def test_faster_rules_tell_another_one(told: Path) -> None:
    """Exit 1, the incident that differs as it was above what it would be."""
    result = run(told, "faster/rules")
    assert result.exit_code == 1
    lines = result.output.splitlines()
    assert lines[1:4] == [
        "INC-1     03:11:14 CEST  disk",
        "  was       error, main: ana 0s, bo 5m · ack bo 6m",
        "  would be  error, main: ana 0s, bo 2m · ack bo 3m",
    ]
    assert "3 incidents, 1 would have gone another way" in lines


def test_programs_get_it_as_json(told: Path) -> None:
    """Both courses of every incident, both sums, what was left out."""
    content = json.loads(run(told, "faster/rules", *SINCE, "--json").output)
    first = content["incidents"][0]
    assert (first["differs"], first["was"]["acked"]["seconds"], first["would_be"]["acked"]["seconds"]) == (
        True,
        360,
        180,
    )
    assert (content["was"]["people"], content["would_be"]["people"], content["left_out"]) == (2, 2, [])


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--since", "yesterday"), "is not a time"),
        (("--since", "2026-10-24 03:11", "--until", "2026-10-24 03:00"), "--until comes after --since"),
        (("--since", "2026-10-24 03:11", "--until", "2027-10-24 03:00"), "at most 90 days"),
        ((), "Missing option"),
    ],
)
def test_what_is_no_period_is_a_mistake_of_use(told: Path, options: tuple[str, ...], said: str) -> None:
    """Exit 2 with a sentence."""
    result = CliRunner().invoke(
        cli, ["replay", "--storage.path", str(told / "world.db"), "--rules", str(told / "rules"), *options]
    )
    assert result.exit_code == 2
    assert said in result.output


def test_a_database_that_is_not_there_is_said_so(tmp_path: Path, told: Path) -> None:
    """Nothing is made where nothing was."""
    where = ["--storage.path", str(tmp_path / "none.db"), "--rules", str(told / "rules"), *SINCE]
    result = CliRunner().invoke(cli, ["replay", *where])
    assert result.exit_code == 2
    assert "cannot be read" in result.output
    assert not (tmp_path / "none.db").exists()


def test_a_night_is_ten_hours_unless_said_otherwise() -> None:
    """From ten in the evening until eight."""
    since, until, zone = period("2026-11-20 22:00 Europe/Madrid", None)
    assert ((until - since).total_seconds(), zone) == (36000, "Europe/Madrid")
    assert period("2026-11-20T22:00:00Z", None)[2] == "UTC"
