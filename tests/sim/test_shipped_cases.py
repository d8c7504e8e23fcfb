"""The tests beside the shipped rules, each a night of its own: `make test` runs what `escalatord test rules` runs."""

from pathlib import Path

import pytest

from escalatord.cli.cases import found, run
from escalatord.config.load import load
from escalatord.sim.cases import read

RULES = Path(__file__).parents[2] / "rules"
RULESET = load(RULES, need_secrets=False).ruleset
READ = [read(file, RULES, RULESET) for file in found(RULES)]
CASES = [case for cases, _ in READ for case in cases]
CASES_MIN = 20


def test_every_file_of_tests_can_be_read():
    """No finding in any of them, and as many believable nights as were promised."""
    assert [finding for _, findings in READ for finding in findings] == []
    assert len(CASES) >= CASES_MIN


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_it_is_true_under_the_shipped_rules(case):
    """What the case expects is what happens; a failure shows both, in order of time."""
    result = run(case, RULESET)
    assert result.diff == (), "\n".join([case.place, *result.diff])
