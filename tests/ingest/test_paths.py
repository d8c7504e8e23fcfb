"""Paths into a body."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from escalatord.ingest.paths import PATH_CHARACTERS_MAX, PathError, parse_path

TREE = {
    "name": "x",
    "a b": {"it's": 1, 'q"': 2},
    "jobs": [{"state": "ok"}, {"state": "bad"}, "text"],
    "n": {"/~": [[1, 2], [3]]},
}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("$", [("", TREE)]),
        ("$.name", [("/name", "x")]),
        ("$['a b'][\"it's\"]", [("/a b/it's", 1)]),
        ("$['a b']['it\\'s']", [("/a b/it's", 1)]),
        ('$[\'a b\']["q\\""]', [('/a b/q"', 2)]),
        ("$.jobs[1].state", [("/jobs/1/state", "bad")]),
        ("$.jobs[*].state", [("/jobs/0/state", "ok"), ("/jobs/1/state", "bad")]),
        ("$.n['/~'][*][*]", [("/n/~1~0/0/0", 1), ("/n/~1~0/0/1", 2), ("/n/~1~0/1/0", 3)]),
        ("$.jobs[9]", []),
        ("$.name[0]", []),
        ("$.name[*]", []),
        ("$.jobs.state", []),
        ("$.no.where", []),
    ],
)
def test_find_names_places_with_their_pointers(text: str, expected: list[tuple[str, object]]) -> None:
    """A path gives every place it names, each with its JSON pointer, in order."""
    assert expected == parse_path(text).find(TREE)


@pytest.mark.parametrize(
    ("text", "column", "say"),
    [
        ("name", 1, "starts with `$`"),
        ("", 1, "starts with `$`"),
        ("$name", 2, "a step is wanted"),
        ("$..name", 2, "search everywhere"),
        ("$.a[?(@.x)]", 4, "filters"),
        ("$.a[(1)]", 4, "scripts"),
        ("$.a.*", 4, "goes through a list"),
        ("$.a[-1]", 4, "from the front"),
        ("$.a.[0]", 4, "without a dot"),
        ("$.a[0:2]", 4, "a step is wanted"),
        ("$.a['open]", 4, "a step is wanted"),
        ("$.a b", 4, "a step is wanted"),
        ("$" + ".a" * PATH_CHARACTERS_MAX, PATH_CHARACTERS_MAX, "at most"),
    ],
)
def test_parse_refuses_with_the_column(text: str, column: int, say: str) -> None:
    """What is not supported is refused at its column with a sentence about it."""
    with pytest.raises(PathError, match=f"^column {column}: ") as caught:
        parse_path(text)
    assert column == caught.value.column
    assert say in str(caught.value)


def test_parent_and_many() -> None:
    """A path knows the one above it and whether it can name several places."""
    path = parse_path("$.jobs[*]")
    assert path.many
    assert not path.parent.many
    assert [("/jobs", TREE["jobs"])] == path.parent.find(TREE)


@given(st.text(max_size=40))
def test_parse_either_reads_or_says_where(text: str) -> None:
    """Any text is a path or a `PathError`, never another error."""
    column = 1
    try:
        parse_path("$" + text)
    except PathError as error:
        column = error.column
    assert 1 <= column <= len(text) + 1
