"""Queries: labels go in as text, wherever they stand and whatever they hold."""

import pytest
import re2
from hypothesis import given
from hypothesis import strategies as st

from escalatord.core.queries import QUERY_CHARS_MAX, parse_query

SHOP = 'sum(sessions{service="{{ service }}"})'
# one PromQL string in double quotes, read as Prometheus reads it: no line breaks, Go's escapes
ESCAPES = {"\\\\": "\\", '\\"': '"'}


def unquoted(text):
    """Return what a PromQL string holds, and what stands behind its closing quote."""
    assert text[0] == '"'
    found, at = "", 1
    while text[at] != '"':
        if text[at] == "\\":
            if text[at + 1] == "x":
                found, at = found + chr(int(text[at + 2 : at + 4], 16)), at + 4
            else:
                found, at = found + ESCAPES[text[at : at + 2]], at + 2
        else:
            assert text[at] != "\n"
            found, at = found + text[at], at + 1
    return found, text[at + 1 :]


@pytest.mark.parametrize(
    ("text", "labels", "expected"),
    [
        (SHOP, {"service": "checkout"}, 'sum(sessions{service="checkout"})'),
        (SHOP, {"service": 'a"} or vector(1) #'}, 'sum(sessions{service="a\\"} or vector(1) #"})'),
        (SHOP, {"service": "a\\"}, 'sum(sessions{service="a\\\\"})'),
        (SHOP, {"service": "a\nb\x00"}, 'sum(sessions{service="a\\x0ab\\x00"})'),
        (SHOP, {"service": "caf\xe9 \ud800"}, 'sum(sessions{service="caf\xe9 ?"})'),
        (SHOP, {}, None),
        ('up{a=~"{{a}}|x", b!~"{{ b }}",c="{{c}}"}', dict.fromkeys("abc", "."), 'up{a=~"\\\\.|x", b!~"\\\\.",c="."}'),
        ('up{a =~ "x{{a}}y{{a}}"}', {"a": "z"}, 'up{a =~ "xzyz"}'),
        ("up # {a", {}, "up # {a"),
        ("up{a='\\'', b=`{}`, c!=\"\"} == 1", {}, "up{a='\\'', b=`{}`, c!=\"\"} == 1"),
    ],
    ids=[
        "plain",
        "a quote",
        "a backslash",
        "controls",
        "no Unicode",
        "absent",
        "expressions",
        "twice",
        "none",
        "others",
    ],
)
def test_a_query_is_filled_with_labels(text, labels, expected):
    """Each placeholder becomes its label, escaped for where it stands; without the label there is no query."""
    query = parse_query(text)
    assert query.text == text
    assert query.filled(labels) == expected


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "empty"),
        ("  \n", "empty"),
        ("x" * (QUERY_CHARS_MAX + 1), "longer than"),
        ("up{a={{ a }}}", "inside double quotes only"),
        ("up{a='{{ a }}'}", "inside double quotes only"),
        ("up{a=`{{ a }}`}", "inside double quotes only"),
        ("up # {{ a }}", "inside double quotes only"),
        ("{{ a\n}}", "inside double quotes only"),
        ('up{a="{{ a"}', "the name of a label, and nothing else"),
        ('up{a="{{ a b }}"}', "the name of a label, and nothing else"),
        ('up{a="{{ a|upper }}"}', "the name of a label, and nothing else"),
        ('up{a="x', "never closed"),
        ('up{a="x\n"}', "never closed"),
    ],
)
def test_a_query_that_could_be_more_than_a_query_is_refused(text, says):
    """Where a label would be read as PromQL, or nobody can tell, the rules are not taken."""
    with pytest.raises(ValueError, match=says):
        parse_query(text)


def test_a_query_that_comes_out_too_long_is_none():
    """A label of 65,536 characters is not sent to anybody."""
    query = parse_query(SHOP)
    assert query.filled({"service": "x" * 1000}) is not None
    assert query.filled({"service": "x" * QUERY_CHARS_MAX}) is None


@given(st.text(max_size=60))
def test_a_hostile_label_stays_a_text(value):
    """Prometheus reads back the very value, and behind it the rest of the query as written."""
    query = parse_query('up{a="{{ a }}", b="c"}').filled({"a": value})
    read, rest = unquoted(query.removeprefix("up{a="))
    assert (read, rest) == (value.encode(errors="replace").decode(), ', b="c"}')


@given(st.text(max_size=60))
def test_a_hostile_label_in_an_expression_matches_itself_alone(value):
    """RE2 takes the escaped value, which matches the value and nothing longer."""
    query = parse_query('up{a=~"{{ a }}"}').filled({"a": value})
    expression, rest = unquoted(query.removeprefix("up{a=~"))
    plain = value.encode(errors="replace").decode()
    assert rest == "}"
    assert re2.fullmatch(expression, plain)
    assert not re2.fullmatch(expression, plain + "x")
