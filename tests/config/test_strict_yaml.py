"""Strict YAML: what is typed is what is read, everything else is refused with its place."""

import tracemalloc
from time import process_time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from escalatord.config.strict_yaml import DEPTH_MAX, FILE_BYTES_MAX, Place, parse, resolve

KEPT = [
    "+15551234567", "19:30", "NO", "no", "on", "off", "yes", "y", "0755", "0o755", "1e3", "0x10", "2026-01-01", ".5",
    "5.", "1_000", "True", "NULL", "Null", ".inf", ".nan", "-", "+1", "00", "9" * 19, "12:30:45", "=",
]  # fmt: skip


@pytest.mark.parametrize("word", KEPT)
def test_unquoted_words_stay_what_was_typed(word: str) -> None:
    """What YAML 1.1 would turn into something else is text."""
    assert word == resolve(word)


@pytest.mark.parametrize(
    ("word", "meaning"),
    [("true", True), ("false", False), ("null", None), ("~", None), ("", None), ("0", 0), ("-7", -7), ("1.50", 1.5)],
)
def test_json_words_have_their_meaning(word: str, meaning: object) -> None:
    """Only JSON's words and plain numbers are more than text."""
    assert meaning == resolve(word)
    assert type(meaning) is type(resolve(word))


def test_quoted_words_are_text() -> None:
    """Quotes make text of anything."""
    document, findings = parse(b"a: ['true', \"5\", '~', '']", "f.yaml")
    assert findings == ()
    assert document.value == {"a": ["true", "5", "~", ""]}


REFUSED = [
    pytest.param(b"a: &x 1\n", "1:4 E004", "anchor", id="an anchor"),
    pytest.param(b"a: 1\nb: *a\n", "2:4 E004", "alias", id="an alias"),
    pytest.param(b"a: {<<: {b: 1}}\n", "1:5 E004", "merge key", id="a merge key"),
    pytest.param(b"a: !!python/object/apply:os.system [ls]\n", "1:4 E005", "tag", id="a Python tag"),
    pytest.param(b"a: !secret x\n", "1:4 E005", "tag", id="a local tag"),
    pytest.param(b"a: !!str 1\n", "1:4 E005", "tag", id="a standard tag"),
    pytest.param(b"a: 1\nb: 2\na: 3\n", "3:1 E006", "first at 1:1", id="a duplicate key"),
    pytest.param(b"a: {c: 1, d: 2, c: 3}\n", "1:17 E006", "first at 1:5", id="a duplicate key inside"),
    pytest.param(b"a:\n\tb: 1\n", "2:1 E003", "a tab cannot indent", id="a tab"),
    pytest.param(b"a: b\0c\n", "1:5 E002", "U+0000", id="a NUL byte"),
    pytest.param(b"a: 1\nb: \x07\n", "2:4 E002", "U+0007", id="a bell"),
    pytest.param(b"a: 1\nb: \xff\xfe\n", "2:4 E002", "not UTF-8", id="invalid UTF-8"),
    pytest.param("a: é".encode("utf-16"), "1:1 E002", "not UTF-8", id="UTF-16"),
    pytest.param(b"a: 1\n---\nb: 2\n", "2:1 E008", "second document", id="two documents"),
    pytest.param(b"- a\n", "1:1 E008", "not a mapping", id="a list at the top"),
    pytest.param(b"hello\n", "1:1 E008", "not a mapping", id="a word at the top"),
    pytest.param(b"a: b: c\n", "1:5 E003", "mapping values", id="two colons"),
    pytest.param(b"a: [1, 2\nb: 3\n", "2:2 E003", "flow sequence", id="an open bracket"),
    pytest.param(b'a: "x\n', "2:1 E003", "quoted scalar", id="an open quote"),
    pytest.param(b"? [a]\n: b\n", "1:3 E003", "cannot be a key", id="a list as key"),
    pytest.param(b"? {a: 1}\n: b\n", "1:3 E003", "cannot be a key", id="a mapping as key"),
    pytest.param(b"a: @x\n", "1:4 E003", "cannot start any token", id="a reserved sign"),
    pytest.param(b"[" * 100_000, f"1:{DEPTH_MAX + 1} E007", "nested deeper", id="deep brackets"),
    pytest.param(b"{a: " * 100_000, "1:129 E007", "nested deeper", id="deep braces"),
    pytest.param(b"".join(b" " * i + b"a:\n" for i in range(1000)), "33:33 E007", "nested deeper", id="deep blocks"),
    pytest.param(b"".join(b"k%d: 1\n" % i for i in range(100_000)), "10001:1 E007", "10000 keys", id="100,000 keys"),
    pytest.param(b"x" * (FILE_BYTES_MAX + 1), "0:0 E007", "larger than 1024 KiB", id="a large file"),
    pytest.param(
        b"a: &a [x,x,x,x,x,x,x,x,x]\n"
        + b"".join(b"%c: &%c [*%c,*%c]\n" % (n, n, n - 1, n - 1) for n in range(98, 122)),
        "1:4 E004",
        "anchor",
        id="a billion laughs",
    ),
]


@pytest.mark.parametrize(("raw", "place", "say"), REFUSED)
def test_what_is_not_plain_yaml_is_refused_at_its_place(raw: bytes, place: str, say: str) -> None:
    """Each trap has its own code, place and sentence, and only that one."""
    _, findings = parse(raw, "f.yaml")
    assert [f"f.yaml:{place}"] == [str(finding).split(" ", 2)[0] + " " + finding.code for finding in findings]
    assert say in findings[0].say


@pytest.mark.parametrize(("raw", "place", "say"), REFUSED)
def test_hostile_files_cost_little(raw: bytes, place: str, say: str) -> None:
    """Refusal costs little computing and at most 20 MB: a bomb would take minutes or all of the memory.

    50 ms of a quiet machine are meant; processor time with room for a busy one tells a bomb from that just as well.
    """
    begin = process_time()
    parse(raw, "f.yaml")
    taken = process_time() - begin
    tracemalloc.start()
    parse(raw, "f.yaml")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert taken < 0.5
    assert peak < 20_000_000


def test_places_name_key_and_value() -> None:
    """Every path has the place of its key and of its value, counted from 1."""
    document, _ = parse(b"policies:\n  p:\n    tiers:\n      - {within:   5m}\n", "f.yaml")
    assert Place(4, 10, 4, 20) == document.places["policies", "p", "tiers", 0, "within"]
    assert Place(4, 9, 4, 9) == document.places["policies", "p", "tiers", 0]


def test_the_first_of_two_equal_keys_is_kept_with_its_places() -> None:
    """Reading goes on after a duplicate, with what stood first."""
    document, _ = parse(b"a: {x: 1}\na: {x: 2, y: [3]}\nb: 4\n", "f.yaml")
    assert document.value == {"a": {"x": 1}, "b": 4}
    assert ("a", "y") not in document.places


@pytest.mark.parametrize("raw", [b"", b"# only a comment\n", b"---\n", b"null\n", b"\xef\xbb\xbf# BOM\n"])
def test_a_file_without_content_is_empty(raw: bytes) -> None:
    """No content means no sections, not an error."""
    document, findings = parse(raw, "f.yaml")
    assert (dict(document.value), findings) == ({}, ())


@given(st.binary(max_size=300))
def test_any_bytes_are_read_or_refused(raw: bytes) -> None:
    """Nothing a file can hold makes the reader raise; what it refuses has a place and a sentence."""
    _, findings = parse(raw, "f.yaml")
    assert all(finding.file == "f.yaml" and finding.say for finding in findings)


@given(st.text(alphabet="ab:-[]{},'\"#&*!|>%@` \n\t?0.~<", max_size=80))
def test_any_text_is_read_or_refused(text: str) -> None:
    """Nothing that looks like YAML makes the reader raise; what it refuses has a place and a sentence."""
    _, findings = parse(text.encode(), "f.yaml")
    assert all(finding.file == "f.yaml" and finding.say for finding in findings)
