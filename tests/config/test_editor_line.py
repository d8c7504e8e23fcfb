"""Editors complete the rules we ship: every file names its schema, and the schema beside them is the present one."""

import json
import re
from pathlib import Path

import pytest

from escalatord.config.schema import json_schema
from escalatord.config.tidy import tidy
from escalatord.sim.cases import json_schema as json_schema_of_tests

RULES = Path(__file__).parents[2] / "rules"
LINE = re.compile(r"# yaml-language-server: \$schema=(\S+)")
FILES = sorted(RULES.rglob("*.yaml"))


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(RULES)))
def test_the_first_line_names_a_schema_that_is_there(file: Path) -> None:
    """Beside the rules, so that it goes along with `init`; `fmt` leaves the line alone."""
    found = LINE.fullmatch(file.read_text().splitlines()[0])
    assert found is not None
    schema = json.loads((file.parent / found[1]).read_text())
    assert schema == (json_schema_of_tests() if file.name.endswith(".test.yaml") else json_schema())
    written, findings = tidy(file.read_bytes(), file.name)
    assert (written, findings) == (file.read_bytes(), ())


def test_every_schema_beside_the_rules_is_named_by_some_file() -> None:
    """Nothing lies about that nobody uses."""
    named = {(file.parent / LINE.findall(file.read_text())[0]).resolve() for file in FILES}
    assert named == {path.resolve() for path in RULES.glob("*.schema.json")}
