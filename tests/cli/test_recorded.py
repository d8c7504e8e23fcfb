"""Recorded alerts beside the rules, and `check` trying templates on them."""

import json
import shutil
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import CliRunner

from escalatord.cli.check import check
from escalatord.cli.recorded import ALERTS_EACH_MAX, recorded_alerts
from escalatord.config.load import load
from tests.fakes.rule_sets import GOOD, written

RULES = Path(__file__).parents[2] / "rules"
NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
AT = ["--at", "2026-11-21 12:00"]


def test_shipped_payloads_are_read_by_their_sources() -> None:
    """Alertmanager's and the generic source's; a second alert of a payload has a number."""
    found = recorded_alerts(RULES, load(RULES, environ={}).ruleset, NOW)
    assert {"checkout-5xx", "data-breach", "disk-full", "batch-failed", "batch-failed 2"} <= set(found)
    assert found["checkout-5xx"].labels["service"] == "checkout"
    assert (found["checkout-5xx"].source, found["batch-failed"].source) == ("alertmanager", "batch")


def test_what_no_source_reads_is_left_out(tmp_path: Path) -> None:
    """Broken, foreign and empty payloads are no findings of templates; no payloads are none."""
    folder = written(tmp_path, r=GOOD)
    ruleset = load(folder, environ={}).ruleset
    assert recorded_alerts(folder, ruleset, NOW) == {}
    (tmp_path / "payloads").mkdir()
    alerts = [
        {"status": "firing", "labels": {"alertname": f"a{n}"}, "startsAt": "2026-10-24T01:06:09Z"} for n in range(9)
    ]
    for name, text in {
        "broken": "{",
        "foreign": '{"job": 1}',
        "empty": '{"alerts": []}',
        "bad": '{"alerts": [1]}',
        "good": json.dumps({"version": "4", "status": "firing", "alerts": alerts}),
    }.items():
        (tmp_path / "payloads" / f"{name}.json").write_text(text)
    found = recorded_alerts(folder, ruleset, NOW)
    assert list(found) == ["good", *(f"good {n}" for n in range(2, ALERTS_EACH_MAX + 1))]


@pytest.mark.parametrize(
    ("old", "new", "code", "say"),
    [
        ("{{ service }} works again.", "{{ servce }} works again.", 1, "E015"),
        ("{{ facts.revenue_loss }}", "{{ labels.customer }}", 1, "E040"),
        ("and no manager has taken charge yet.", "x" * 120, 1, "E041"),
        ("Your number is {{ number }}: choose it on the page. Or answer by SMS: {{ code }}.", "", 0, "W070"),
    ],
)
def test_a_mistake_in_a_shipped_template_is_found_by_check(
    tmp_path: Path, old: str, new: str, code: int, say: str
) -> None:
    """The command itself, with the payloads that are shipped; the place lies in templates.yaml."""
    folder = tmp_path / "rules"
    shutil.copytree(RULES, folder)
    file = folder / "templates.yaml"
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new, 1))
    result = CliRunner().invoke(check, [str(folder), *AT])
    assert result.exit_code == code, result.output
    assert f" {say} " in result.output
    assert result.output.startswith("templates.yaml:")


IMPORTS = """
import sys
from datetime import UTC, datetime
from pathlib import Path
from escalatord.cli.check import examine
examine(Path(sys.argv[1]), datetime(2026, 11, 21, tzinfo=UTC))
print(sorted({name.split(".")[0] for name in sys.modules} & {"jinja2", "aiohttp", "sqlalchemy", "twilio"}))
"""


def test_rules_without_templates_do_not_pay_for_jinja(tmp_path: Path) -> None:
    """The template engine is imported when there is a template to look at, and nothing of HTTP or SQL with it."""
    for folder, expected in ((written(tmp_path, r=GOOD), "[]"), (RULES, "['jinja2']")):
        result = subprocess.run(
            [sys.executable, "-c", IMPORTS, str(folder)], capture_output=True, text=True, check=True
        )
        assert result.stdout.strip() == expected
