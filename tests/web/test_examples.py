"""Examples that lie beside the rules."""

import json
from pathlib import Path

from escalatord.web.examples import EXAMPLE_BYTES_MAX, find_examples, read_example
from tests.fakes.web_engine import RULES, START, make_ruleset


def test_every_shipped_example_can_be_fired():
    """Each payload of the shipped rules is read by a source of the shipped rules, as of now."""
    examples = find_examples(RULES)
    assert set(examples) >= {"checkout-5xx", "data-breach", "disk-full", "staging", "batch-failed"}
    for example in examples.values():
        spec, parsed = read_example(make_ruleset(), example, START)
        assert spec.name in {"alertmanager", "batch"}
        assert parsed.alerts
        assert not parsed.rejected
        assert {alert.starts_at for alert in parsed.alerts} == {START}
        assert example.say


def test_files_that_are_no_examples_are_left_out(tmp_path: Path):
    """A torn, a huge and a foreign file do not keep the daemon from starting."""
    folder = tmp_path / "payloads"
    folder.mkdir()
    (folder / "torn.json").write_text("{")
    (folder / "list.json").write_text("[]")
    (folder / "huge.json").write_text(json.dumps({"x": "x" * EXAMPLE_BYTES_MAX}))
    (folder / "notes.txt").write_text("{}")
    (folder / "odd.json").write_text('{"answer": 42}')
    found = find_examples(tmp_path)
    assert list(found) == ["odd"]
    assert read_example(make_ruleset(), found["odd"], START) is None
    assert find_examples(tmp_path / "nowhere") == {}
