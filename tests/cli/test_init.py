"""`init` writes rules that work, and never over others."""

import json
from pathlib import Path

from tests.cli.conftest import Run


def test_init_writes_rules_that_check_has_nothing_against(run: Run, tmp_path: Path) -> None:
    """What is written is checked clean, examples included; the next steps name it."""
    folder = tmp_path / "new" / "rules"
    result = run("init", folder)
    assert (result.exit_code, f"escalatord check {folder}" in result.output) == (0, True)
    assert (folder / "payloads" / "checkout-5xx.json").is_file()
    assert run("check", folder).exit_code == 0


def test_init_overwrites_nothing(run: Run, tmp_path: Path) -> None:
    """One file that is there already stops everything."""
    (tmp_path / "people.yaml").write_text("mine")
    result = run("init", tmp_path)
    assert (result.exit_code, "people.yaml" in result.output) == (1, True)
    assert [path.name for path in tmp_path.iterdir()] == ["people.yaml"]


def test_init_tells_tools_what_it_wrote(run: Run, tmp_path: Path) -> None:
    """`--json` lists the files."""
    found = json.loads(run("init", tmp_path / "r", "--json").output)
    assert "policies.yaml" in found["files"]
    assert all((tmp_path / "r" / name).is_file() for name in found["files"])


def test_init_where_nothing_can_be_written_is_exit_1(run: Run, tmp_path: Path) -> None:
    """A path below a file cannot be made, and says so."""
    (tmp_path / "file").write_text("")
    result = run("init", tmp_path / "file" / "rules")
    assert (result.exit_code, "cannot be written" in result.output) == (1, True)
