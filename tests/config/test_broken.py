"""Broken rule sets, each beside what `escalatord check FILE` says of it, word for word.

To see what changed after a sentence was mended, run `escalatord check FILE --at "2026-11-21 12:00" --without-secrets`
in the folder.
"""

import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from escalatord.cli.check import check
from escalatord.config.codes import CODES

FOLDER = Path(__file__).parent / "broken"
BROKEN = sorted(FOLDER.glob("*.yaml"))
AT = "2026-11-21 12:00"
# what checking a single file cannot show: an unreadable path, what `fmt` says, and what needs packages, a calendar or
# recorded alerts
NOT_BY_A_FILE = {"E001", "E039", "E050", "E051", "E052", "E053", "W054", "W055", "W083"}
# cannot happen while exceptions come first; see test_contradictions
NEVER = {"E068"}


def said(file: Path, monkeypatch: pytest.MonkeyPatch, *options: str) -> tuple[str, int]:
    """Return what `check` says of a file of the folder, and its exit code."""
    monkeypatch.chdir(FOLDER)
    result = CliRunner().invoke(check, [file.name, "--at", AT, "--without-secrets", *options])
    return result.output, result.exit_code


@pytest.mark.parametrize("file", BROKEN, ids=lambda file: file.stem)
def test_check_says_what_stands_beside_the_file(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The whole output is compared; errors end with 1."""
    expected = file.with_suffix(".expected").read_text()
    output, code = said(file, monkeypatch)
    assert expected == output
    assert code == (0 if re.search(r"^0 errors", expected, re.MULTILINE) else 1)


def test_every_file_has_its_words_and_every_words_a_file() -> None:
    """Nothing stands alone, and there are many."""
    assert {file.stem for file in BROKEN} == {file.stem for file in FOLDER.glob("*.expected")}
    assert len(BROKEN) >= 40


def test_every_code_is_shown_by_a_file() -> None:
    """There is an example of every code that one file can show."""
    shown = set(re.findall(r"\b[EW]\d{3}\b", "".join(file.read_text() for file in FOLDER.glob("*.expected"))))
    assert set(CODES) - NOT_BY_A_FILE - NEVER == shown


def test_quiet_leaves_the_findings(monkeypatch: pytest.MonkeyPatch) -> None:
    """--quiet drops the table and the claims, nothing else."""
    (file,) = [file for file in BROKEN if file.stem == "authority-falls"]
    lines = said(file, monkeypatch)[0].splitlines()
    kept = [line for line in lines if not re.match(r"if nobody|p technical|proved", line)]
    assert len(kept) == len(lines) - 4
    assert kept == said(file, monkeypatch, "--quiet")[0].splitlines()
