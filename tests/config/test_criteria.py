"""What rules measure: hysteresis, causes, counts, questions, absence, anomalies, regimes; values and mistakes."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from escalatord.config.lint import lint
from escalatord.config.load import load
from escalatord.config.redaction import secrets_of
from escalatord.core.facts import parse_condition
from escalatord.core.matchers import parse_matchers
from escalatord.core.queries import parse_query
from escalatord.core.rules import Absent, Anomaly, AnomalyKind, Clear, FactSource, Missing, Unless
from escalatord.core.ruleset import Ruleset
from tests.fakes.rule_sets import GOOD, findings_of, told, written

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
LEVELS = "severity: {error: {}}"
RULE = "- {name: r, match: a=b, severity: {error: {}}"
PROMETHEUS = 'prometheus: {url: "http://prometheus:9090/"}\n'


def loaded(folder: Path, text: str, **files: str) -> Ruleset:
    """Return the good rules with more in them."""
    return load(written(folder, good=GOOD, more=text, **files), environ={}).ruleset


def test_everything_that_a_rule_can_say(tmp_path: Path) -> None:
    """Each new word of the language becomes the value that the core knows."""
    ruleset = loaded(
        tmp_path,
        PROMETHEUS
        + """
facts:
  rate: {from: annotation.rate, unit: percent}
  users: {from: label.users, or_query: 'sum(sessions{service="{{ service }}"})', unit: users, missing: skip}
  error_budget_left: {query: 'slo:error_budget_left:ratio{service="{{ service }}"} * 100', unit: percent}
services:
  shop: {segments: [enterprise], regulated: [pii]}
regimes: {pii: p}
sources:
  am: {adapter: alertmanager, auth: loopback}
thresholds:
  - name: r
    match: segment="enterprise"
    severity:
      error: {any: [rate > 2%, error_budget_left < 10%, users > 10, firing_alerts > 3, distinct(pod) in 2m >= 5]}
    clear: {all: [rate < 1%, rule_occurrences in 1h < 3], for: 3m}
    unless:
      - {match: env="dev", why: nobody cares}
      - {open: cause, same: [region, dc], why: symptom}
      - {open: p, match: a=b, why: both}
  - {name: cause, match: a=b, severity: {error: {}}}
  - {name: silent, absent: {source: am, match: 'job="backup"', for: 26h}, severity: {warning: {}}}
  - {name: lively, absent: {match: 'job="x"', for: 1h}, severity: {warning: {}}}
  - {name: odd, anomaly: {source: am}, severity: {info: {}}}
  - {name: stormy, anomaly: {source: am, kind: storm, factor: 5, shadow: false}, severity: {info: {}}}
""",
    )
    rule, _, silent, lively, odd, stormy = ruleset.thresholds
    assert rule.clear is not None
    assert isinstance(rule.clear, Clear)
    assert [part.text for part in rule.clear.condition.parts] == ["rate < 1%", "rule_occurrences in 1h < 3"]
    assert rule.clear.for_seconds == 180.0
    assert rule.unless[1:] == (
        Unless(open="cause", same=("region", "dc"), why="symptom"),
        Unless(open="p", match=parse_matchers("a=b"), why="both"),
    )
    assert silent.absent == Absent(source="am", match=parse_matchers('job="backup"'), for_seconds=93_600.0)
    assert lively.absent == Absent(match=parse_matchers('job="x"'), for_seconds=3600.0)
    assert silent.match.text == 'alertname="silent"'
    assert odd.anomaly == Anomaly(source="am", kinds=(AnomalyKind.STORM, AnomalyKind.SILENCE), factor=3.0, shadow=True)
    assert stormy.anomaly == Anomaly(source="am", kinds=(AnomalyKind.STORM,), factor=5.0, shadow=False)
    assert ruleset.regimes == {"pii": "p"}
    assert ruleset.prometheus is not None
    spec = ruleset.prometheus
    assert (spec.url, spec.timeout_seconds, spec.cache_seconds, spec.bearer) == (
        "http://prometheus:9090",
        2.0,
        30.0,
        "",
    )
    assert ruleset.facts["users"] == FactSource(
        name="users",
        kind="label",
        key="users",
        unit="users",
        missing=Missing.SKIP,
        query=parse_query('sum(sessions{service="{{ service }}"})'),
    )  # fmt: skip - one fact, two lines
    assert ruleset.facts["error_budget_left"].kind == ""


def test_a_short_clear_is_one_condition(tmp_path: Path) -> None:
    """`when` alone, without a time."""
    rule = loaded(tmp_path, f"thresholds: [{RULE[2:]}, clear: {{when: downtime > 1h}}}}]").thresholds[0]
    assert rule.clear == Clear(condition=parse_condition("downtime > 1h"))


MISTAKES = {
    "an empty clear": (f"thresholds:\n  {RULE}, clear: {{for: 3m}}}}", ["2:57 E012 nothing is said to clear it"]),
    "a clear in no unit": (
        f"thresholds:\n  {RULE}, clear: {{when: downtime < 5%}}}}",
        ['2:64 E025 "downtime < 5%": downtime counts seconds, not percent'],
    ),
    "a clear of nothing known": (
        f"thresholds:\n  {RULE}, clear: {{when: dwntime < 5m}}}}",
        ['2:64 E020 there is no fact "dwntime"'],
    ),
    "a rule about nothing": (f"thresholds:\n  - {{name: r, {LEVELS}}}", ["2:5 E012 `match` is missing"]),
    "a rule about two things": (
        f"thresholds:\n  {RULE}, absent: {{match: a=b, for: 1h}}}}",
        ["2:5 E013 match and absent stand together"],
    ),
    "an unless about nothing": (
        f"thresholds:\n  {RULE}, unless: [{{why: w}}]}}",
        ["2:59 E012 nothing is said to keep it quiet"],
    ),
    "same without open": (
        f"thresholds:\n  {RULE}, unless: [{{match: a=b, same: [a], why: w}}]}}",
        ["2:59 E013 `same` compares with an open incident"],
    ),
    "an unknown cause": (
        f"thresholds:\n  {RULE}, unless: [{{open: x, why: w}}]}}",
        ['2:66 E020 there is no rule or policy "x"'],
    ),
    "its own cause": (
        f"thresholds:\n  {RULE}, unless: [{{open: r, why: w}}]}}",
        ['2:66 E013 "r" would be kept quiet by its own incidents'],
    ),
    "its own policy as a cause": (
        f"thresholds:\n  {RULE}, policy: p, unless: [{{open: p, why: w}}]}}",
        ['2:77 E013 "r" would be kept quiet by its own incidents'],
    ),
    "an unknown source of silence": (
        f"thresholds:\n  - {{name: r, absent: {{source: x, match: a=b, for: 1h}}, {LEVELS}}}",
        ['2:32 E020 there is no "x" in sources'],
    ),
    "an unknown source of anomalies": (
        f"thresholds:\n  - {{name: r, anomaly: {{source: x}}, {LEVELS}}}",
        ['2:33 E020 there is no "x" in sources'],
    ),
    "a factor that is none": (
        f"thresholds:\n  - {{name: r, anomaly: {{source: x, factor: 1}}, {LEVELS}}}",
        ["2:44 E013 `factor` must be at least 1.1"],
    ),
    "a count in a rule that makes alerts": (
        "thresholds:\n  - {name: r, absent: {match: a=b, for: 1h}, severity: {error: {when: firing_alerts > 1}}}",
        ['2:71 E013 "firing_alerts > 1": a rule that makes its own alerts has none to count'],
    ),
    "labels that quiet a rule that makes alerts": (
        f"thresholds:\n  - {{name: r, absent: {{match: a=b, for: 1h}}, {LEVELS}, unless: [{{match: a=b, why: w}}]}}",
        ["2:86 E013 a rule that makes its own alerts cannot be kept quiet by labels"],
    ),
    "a distinct without a label": (
        "thresholds:\n  - {name: r, match: a=b, severity: {error: {when: distinct in 1h > 1}}}",
        ["2:52 E022 "],
    ),
    "a fact from nowhere": ("facts: {x: {unit: users}}", ["1:12 E012 neither `from` nor `query` is given"]),
    "a fact from two places": (
        PROMETHEUS + "facts: {x: {from: label.x, query: up}}",
        ["2:12 E013 from and query stand together"],
    ),
    "two queries": (
        PROMETHEUS + "facts: {x: {query: up, or_query: up}}",
        ["2:12 E013 or_query stands beside `from` only"],
    ),
    "a query with a label in the open": (
        PROMETHEUS + "facts: {x: {query: 'up{a={{ a }}}'}}",
        ["2:20 E013 a label may stand inside double quotes only"],
    ),
    "nobody to ask": (
        "facts: {x: {query: up}}",
        ["1:20 E012 nobody is there to be asked: there is no `prometheus` section"],
    ),
    "a built-in name": ("facts: {distinct: {from: label.x}}", ['1:9 E013 "distinct" is a built-in fact']),
    "a page that waits too long": (
        "prometheus: {url: http://x, timeout: 1m}",
        ["1:13 E013 a page would wait longer than 30s for it"],
    ),
    "a question without a pause": (
        "prometheus: {url: http://x, cache: 1s}",
        ["1:13 E013 every firing alert would ask more often than each 5s"],
    ),
    "no address": ("prometheus: {timeout: 1s}", ["1:1 E012 `url` is missing"]),
    "an unknown regime policy": ("regimes: {pii: x}", ['1:16 E020 there is no "x" in policies']),
    "a regime that is no name": ("regimes: {pii: [p]}", ["1:16 E011 "]),
    "our own source": (
        "sources: {escalatord: {adapter: alertmanager, auth: loopback}}",
        ['1:11 E013 "escalatord" is the source of alerts that escalatord makes itself'],
    ),
    "a token in the rules": ("prometheus: {url: http://x, bearer: abc}", ["1:37 W044 a secret stands in the rules"]),
    "a token that is not there": ("prometheus: {url: http://x, bearer: file:no}", ["1:37 E027 `bearer`: "]),
}  # fmt: skip - a mistake and what is told


@pytest.mark.parametrize(("text", "expected"), MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_is_told_at_its_place(tmp_path: Path, text: str, expected: list[str]) -> None:
    """Line, column, code and sentence."""
    found = [line.partition(":")[2] for line in told(findings_of(written(tmp_path, good=GOOD, more=text + "\n")))]
    assert len(found) == len(expected), found
    assert [seen.startswith(wanted) for wanted, seen in zip(expected, found, strict=True)] == [True] * len(found), found


def test_a_broken_file_hides_no_name(tmp_path: Path) -> None:
    """What another file would have named is not called unknown while that file cannot be read."""
    text = (
        f"facts: {{x: {{query: up}}}}\nthresholds:\n  {RULE}, clear: {{when: y < 1}}, unless: [{{open: z, why: w}}]}}\n"
    )
    folder = written(tmp_path, good=GOOD, more=text, broken="teams: [\n")
    assert [finding.code for finding in findings_of(folder)] == ["E003"]


def test_a_token_is_read_from_its_file_and_never_shown(tmp_path: Path) -> None:
    """It goes into the list of what no log line may hold."""
    (tmp_path / "token").write_text("s3cr3t-token\n")
    ruleset = loaded(tmp_path, "prometheus: {url: http://x, bearer: file:token}\n")
    assert "s3cr3t-token" in set(secrets_of(ruleset))
    assert "s3cr3t" not in repr(ruleset)


def test_a_fact_that_only_clear_compares_is_used(tmp_path: Path) -> None:
    """It is not said to be there in vain."""
    text = f"facts: {{x: {{from: label.x}}}}\nthresholds:\n  {RULE}, clear: {{when: x < 1}}}}\n"
    found = lint(load(written(tmp_path, good=GOOD, more=text), environ={}), NOW)
    assert [finding.say for finding in found if "facts" in finding.say] == []
