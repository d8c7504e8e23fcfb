"""Whatever a rule set says, it is loaded or refused with findings; nothing else is raised."""

import copy
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from escalatord.config import coverage
from escalatord.config.coverage import prove
from escalatord.config.lint import lint
from escalatord.config.load import load
from escalatord.errors import ConfigError, Finding

RULES = Path(__file__).parents[2] / "rules"
A_LAST_ERROR = Finding(file="", line=0, column=0, code="E000", say="stands for what loaded")
NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
WORDS = (
    """
ana|person ana|team payments|role duty-manager|oncall managers|5m|0s|severity >= error|usual|platform|Europe/Madrid
Mon 09:00|09:00|2026-01-05|weekly|3 hours|08:00-20:00|a=b|downtime > 5m|critical|sim|twilio|slack|all|$.a|$.a[*]
file:x|${X}|+34600000001|loopback||💥
""".strip()
    .replace("\n", "|")
    .split("|")
)
LEAF = st.sampled_from(WORDS) | st.integers(-3, 10**12) | st.booleans() | st.none() | st.floats(allow_nan=False)
VALUE = st.recursive(
    LEAF,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(WORDS), inner, max_size=3),
    max_leaves=5,
)


def places(value: object, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return the paths of everything in a document."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [at, *(path for key, one in inner for path in places(one, (*at, key)))]


@pytest.fixture(scope="module")
def shipped() -> dict[str, Any]:
    """The shipped rules as one document."""
    whole: dict[str, Any] = {}
    for file in RULES.glob("*.yaml"):
        whole |= yaml.safe_load(file.read_text())
    return whole


@pytest.fixture(autouse=True)
def a_shorter_look(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten days are enough to fall over."""
    monkeypatch.setattr(coverage, "DAYS", 10)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_mutated_rules_are_loaded_or_refused(shipped: dict[str, Any], tmp_path: Path, data: st.DataObject) -> None:
    """Up to three places of the shipped rules are replaced, deleted or moved."""
    document = copy.deepcopy(shipped)
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.sampled_from(places(document)[1:] or [("people",)]))
        target: Any = document
        for step in at[:-1]:
            target = target[step]
        match data.draw(st.sampled_from(["replace", "delete", "rename"])):
            case "replace":
                target[at[-1]] = data.draw(VALUE)
            case "delete":
                del target[at[-1]]
            case "rename" if isinstance(target, dict):
                target[data.draw(st.sampled_from(WORDS))] = target.pop(at[-1])
    (tmp_path / "rules.yaml").write_text(yaml.safe_dump(document, allow_unicode=True))
    try:
        loaded = load(tmp_path, environ={})
    except ConfigError as error:
        findings = error.findings
    else:
        findings = (*lint(loaded, NOW), *prove(loaded, NOW).findings, A_LAST_ERROR)
    assert any(finding.level == "error" for finding in findings)
    assert all(finding.say for finding in findings)
