"""`fmt`: tidy files say the same as before, to the comment; what is not certain is left alone."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from escalatord.config.strict_yaml import parse
from escalatord.config.tidy import tidy

RULES = Path(__file__).parents[2] / "rules"


def written(text):
    """Return what `tidy` makes of a text that it can tidy."""
    raw, findings = tidy(text.encode(), "x.yaml")
    assert findings == ()
    return raw.decode()


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("a: 1   \n", "a: 1\n"),
        ("a: 1", "a: 1\n"),
        ("\n\n# top\n\n\n\na: 1\n\n\n", "# top\n\na: 1\n"),
        ("a: 1\r\nb: 2\r\n", "a: 1\nb: 2\n"),
        ("\ufeffa: 1\n", "a: 1\n"),
        ("a:   1\n", "a: 1\n"),
        ("a : 1\n", "a: 1\n"),
        ("a: { b: 1 ,c: [ x,y ] }\n", "a: {b: 1, c: [x, y]}\n"),
        ('a: {"b":1}\n', 'a: {"b": 1}\n'),
        ("a:\n  - {b: 1,\n     c: 2}   # why\n", "a:\n  - {b: 1,\n     c: 2}   # why\n"),
        ("sms: +34600000001\n", 'sms: "+34600000001"\n'),
        ("at: [19:30, 2026-01-01, 0755, NO, 1_000]\n", 'at: ["19:30", "2026-01-01", "0755", "NO", "1_000"]\n'),
        ("on: yes\n", '"on": "yes"\n'),
        ("n: [12, 1.5, true, x, 5m]\n", "n: [12, 1.5, true, x, 5m]\n"),
        ("a: |\n  kept   \n\n\n  too   \nb: 1  \n", "a: |\n  kept   \n\n\n  too   \nb: 1\n"),
        ('a: "one  \n  two"\n', 'a: "one  \n  two"\n'),
        ("a: it's\n", "a: it's\n"),
        ("", "\n"),
    ],
    ids=repr,
)
def test_each_kind_of_untidiness_has_its_remedy(before, after):
    """Blanks, ends of lines, blank lines and quotes; nothing else is touched."""
    assert written(before) == after
    assert written(after) == after


def test_indentation_and_comments_are_the_authors():
    """Comments stay where they are, between, behind and at the end."""
    text = "# one\na:\n    # two\n    b: 1  # three\n\n    # four\n    -x: 2\n# five\n"
    assert written(text) == text


def test_the_shipped_rules_are_tidy():
    """What we ship is written as `fmt` writes it."""
    files = sorted(RULES.rglob("*.yaml"))
    assert [file.name for file in files if tidy(file.read_bytes(), file.name) != (file.read_bytes(), ())] == []


@pytest.mark.parametrize(
    "raw",
    [b"a:\n\tb: 1\n", b"a: [\n", b"a: 1\na: 2\n", b"a: &x 1\n", b"\xff\n"],
    ids=["tab", "open", "twice", "&", "ff"],
)
def test_what_is_not_strict_yaml_is_left_as_it_is(raw):
    """The findings are those of any reader of rules, and the bytes are the same."""
    same, findings = tidy(raw, "x.yaml")
    assert same == raw
    assert findings


def test_a_doubt_leaves_the_file_alone(monkeypatch):
    """Whatever would change a value is not written."""
    monkeypatch.setattr("escalatord.config.tidy._edited", lambda text: text.replace("1", "2"))
    same, (finding,) = tidy(b"a: 1\n", "x.yaml")
    assert (same, finding.code) == (b"a: 1\n", "E039")
    monkeypatch.setattr("escalatord.config.tidy._edited", lambda text: text + "\n[")
    same, (finding,) = tidy(b"a: 1\n", "x.yaml")
    assert (same, finding.code) == (b"a: 1\n", "E039")


WORDS = st.sampled_from(
    ["a", "19:30", "+34600000001", "NO", "x y", "12", "true", '"q"', "'s'", "~", "0755", "#x", "a#b"]
)
FLOWS = st.recursive(
    WORDS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3).map(lambda parts: "[ " + " ,".join(parts) + "]"),
        st.lists(inner, max_size=3).map(
            lambda parts: "{" + " , ".join(f"k{number}:  {part}" for number, part in enumerate(parts)) + " }"
        ),
    ),
    max_leaves=6,
)


@given(st.lists(st.tuples(FLOWS, st.sampled_from(["", "  # c", "   "])), min_size=1, max_size=5))
def test_meaning_survives_whatever_is_written(lines):
    """Any flow of values is tidied into the same values, and tidying twice is tidying once."""
    text = "".join(f"key{number} :  {value}{end}\n\n\n" for number, (value, end) in enumerate(lines))
    before, problems = parse(text.encode(), "x")
    raw, findings = tidy(text.encode(), "x")
    if problems:
        assert raw == text.encode()
        return
    after, none = parse(raw, "x")
    assert none == ()
    assert repr(before.value) == repr(after.value)
    if not findings:
        assert tidy(raw, "x") == (raw, ())
