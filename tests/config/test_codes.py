"""Every code that `check` can say is explained, in the program and in the manual."""

import re
from pathlib import Path

import pytest

from escalatord.config.codes import CODES, level_of

ROOT = Path(__file__).parents[2]
CODE = re.compile(r'"([EW]0\d\d)"')


def test_every_code_of_the_source_is_explained_and_no_other() -> None:
    """The table holds what config/ and check say, and nothing that nobody says."""
    files = [*(ROOT / "escalatord" / "config").glob("*.py"), ROOT / "escalatord" / "cli" / "check.py"]
    said = {code for file in files if file.name != "codes.py" for code in CODE.findall(file.read_text())}
    assert said == set(CODES)


@pytest.mark.parametrize("code", CODES)
def test_a_code_says_what_and_why(code: str) -> None:
    """A few words without a full stop, then a sentence."""
    title, help_text = CODES[code]
    assert 0 < len(title) <= 60
    assert not title.endswith(".")
    assert help_text.endswith(".")
    assert level_of(code) == ("warning" if code[0] == "W" else "error")


def test_the_manual_explains_every_code_in_the_same_words() -> None:
    """The table of docs/rules.md has a row for each, and no other."""
    text = (ROOT / "docs" / "rules.md").read_text()
    rows = re.findall(r"^\| ([EW]0\d\d) \| (.+) \| (.+) \|$", text, re.MULTILINE)
    assert rows == [(code, *words) for code, words in CODES.items()]
