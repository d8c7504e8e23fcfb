"""Matchers: the grammar, what matches, and an index that never loses a rule."""

import copy
import pickle

import pytest
import re2
from hypothesis import given
from hypothesis import strategies as st

from escalatord.core.matchers import (
    MATCHERS_CHARS_MAX,
    MATCHERS_MAX,
    Matcher,
    MatcherError,
    MatcherIndex,
    Matchers,
    MatchOp,
    parse_matchers,
)

EQ, NE, RE, NR = MatchOp.EQUAL, MatchOp.NOT_EQUAL, MatchOp.MATCHES, MatchOp.NOT_MATCHES
ENCODABLE = st.characters(exclude_categories=["Cs"])


def matcher(name, op, value):
    """Return one matcher."""
    return Matcher(name=name, op=op, value=value)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("foo=bar", [("foo", EQ, "bar")]),
        ("foo!=bar", [("foo", NE, "bar")]),
        ("foo=~[a-z]+", [("foo", RE, "[a-z]+")]),
        ("foo!~[a-z]+", [("foo", NR, "[a-z]+")]),
        ("{foo=bar}", [("foo", EQ, "bar")]),
        ("{foo=bar,}", [("foo", EQ, "bar")]),
        ("foo=bar,", [("foo", EQ, "bar")]),
        (" { foo = bar , } ", [("foo", EQ, "bar")]),
        ("foo=bar,bar!=baz", [("foo", EQ, "bar"), ("bar", NE, "baz")]),
        ('{"foo"="bar",bar!="baz"}', [("foo", EQ, "bar"), ("bar", NE, "baz")]),
        ('service="checkout", env!~"dev|staging"', [("service", EQ, "checkout"), ("env", NR, "dev|staging")]),
        ('foo=""', [("foo", EQ, "")]),
        ("foo=🙂bar", [("foo", EQ, "🙂bar")]),
        ("a.b-c/d:e=f", [("a.b-c/d:e", EQ, "f")]),
        ('"a label"="a value, {quoted}"', [("a label", EQ, "a value, {quoted}")]),
        (r'foo="\xf0\x9f\x99\x82"', [("foo", EQ, "🙂")]),
        (r'foo="\U0001f642\u00e9"', [("foo", EQ, "🙂é")]),
        (r'foo="\"\\\a\b\f\n\r\t\v\101"', [("foo", EQ, '"\\\a\b\f\n\r\t\vA')]),
        (r'foo=~"a\\.b"', [("foo", RE, r"a\.b")]),
        ("foo=bar,foo!=baz,foo=bar", [("foo", EQ, "bar"), ("foo", NE, "baz"), ("foo", EQ, "bar")]),
    ],
)
def test_text_of_the_grammar_is_read(text, expected):
    """Quotes, braces and the last comma are optional; escapes are those of Go."""
    assert tuple(matcher(*parts) for parts in expected) == parse_matchers(text).matchers


@pytest.mark.parametrize(
    ("column", "says", "text"),
    [
        (1, "no matcher is written here", ""),
        (1, "no matcher is written here", " {} "),
        (1, "a label name should stand here, not ,", ","),
        (2, "a label name or the closing brace should stand here, not ,", "{,}"),
        (2, "a label name or the closing brace should stand here, not the end", "{"),
        (1, "this closing brace was never opened", "}"),
        (8, "this closing brace was never opened", "foo=bar}"),
        (9, "a comma or the closing brace should stand here, not the end", "{foo=bar"),
        (7, "the end should stand here, not x", "{a=b} x"),
        (9, "a label name should stand here, not ,", "foo=bar,,"),
        (5, "a comma should stand here, not c", "a=b c=d"),
        (6, 'a comma should stand here, not "bar"', 'foo=:"bar"'),
        (1, "a label name should stand here, not =", "=b"),
        (1, "a label name cannot be empty", '""=b'),
        (4, 'after "foo" one of = != =~ !~ should stand, not the end', "foo"),
        (3, 'after "a=" a value should stand, not the end', "a="),
        (4, 'after "a=~" a value should stand, not ,', "a=~,"),
        (2, "! cannot stand here", "a!b"),
        (3, "' cannot stand here", "a='b'"),
        (8, "\\ cannot stand here", "foo=bar\\n"),
        (3, "this quoted text is never closed", 'a="b\\"'),
        (5, "\\w cannot stand in a quoted text", r'a="b\w"'),
        (4, "\\' cannot stand in a quoted text", r'''a="\'"'''),
        (5, "a line break cannot stand in a quoted text", 'a="b\nc"'),
        (4, r"\400 is beyond the last character", r'a="\400"'),
        (4, r"\U00110000 is beyond the last character", r'a="\U00110000"'),
        (3, "this is not valid UTF-8", r'a="\xf0\x9f"'),
        (3, "this is not valid UTF-8", r'a="\ud800"'),
        (1, "this is not valid UTF-8", "\ud800=b"),
        (4, "is not an RE2 expression: missing )", 'a=~"("'),
        (4, "is not an RE2 expression: invalid perl operator", 'a=~"(?=b)"'),
        (4, "is not an RE2 expression: invalid repetition size", 'a=~"b{1001}"'),
        (MATCHERS_CHARS_MAX + 1, "longer than", "a=" + "b" * MATCHERS_CHARS_MAX),
        (6 * MATCHERS_MAX + 1, "more than 64 matchers", "a = b," * MATCHERS_MAX + "a=b"),
    ],
)
def test_text_outside_the_grammar_is_refused_with_its_column(column, says, text):
    """Every error is a sentence with the column where the text goes wrong."""
    with pytest.raises(MatcherError) as caught:
        parse_matchers(text)
    assert column == caught.value.column
    assert says in caught.value.sentence
    assert f"column {column}: {caught.value.sentence}" == str(caught.value)


@given(st.text(alphabet=st.sampled_from(list("ab=!~{},\"'\\ \n|(")), max_size=12))
def test_any_text_is_read_or_refused_with_a_column_inside_it(text):
    """No text crashes the parser, and the column named is one of the text or just after it."""
    column = 1
    try:
        parse_matchers(text)
    except MatcherError as error:
        column = error.column
    assert 1 <= column <= len(text) + 1


@given(
    st.lists(
        st.tuples(st.text(ENCODABLE, min_size=1), st.sampled_from([EQ, NE]), st.text(ENCODABLE)),
        min_size=1,
        max_size=4,
    )
)
def test_written_matchers_are_read_back_equal(parts):
    """Reading what `str` writes gives the same matchers."""
    matchers = tuple(matcher(*part) for part in parts)
    assert matchers == parse_matchers(", ".join(map(str, matchers))).matchers


@pytest.mark.parametrize(
    ("text", "labels", "expected"),
    [
        ("a=b", {"a": "b"}, True),
        ("a=b", {"a": "B"}, False),
        ("a=b", {}, False),
        ('a=""', {}, True),
        ("a!=b", {}, True),
        ("a!=b", {"a": "b"}, False),
        ("a=~b|c", {"a": "c"}, True),
        ("a=~b|c", {"a": "bc"}, False),
        ("a=~b.*", {"a": "abc"}, False),
        ("a=~b.*", {"a": "bcd"}, True),
        ("a=~b.*", {"a": "b\nc"}, False),
        ("a=~.*", {}, True),
        ("a=~.+", {}, False),
        ("a!~b.*", {"a": "bc"}, False),
        ("a!~b.*", {}, True),
        ("a!~b|c", {"a": "c"}, False),
        ("a=~.", {"a": "🙂"}, True),
        ("a=~.+", {"a": "\ud800"}, True),
        ("a=b,c!=d", {"a": "b", "c": "d"}, False),
        ("a=b,c!=d", {"a": "b", "c": "e"}, True),
        (r'a=~"x\\.y|z"', {"a": "x.y"}, True),
        (r'a=~"x\\.y|z"', {"a": "xzy"}, False),
    ],
)
def test_labels_match_whole_values(text, labels, expected):
    """Expressions cover the whole value, absent labels are empty, and every matcher must match."""
    matchers = parse_matchers(text)
    assert expected is matchers.matches(labels)
    assert expected is all(one.matches(labels) for one in matchers.matchers)


@given(
    st.text(st.sampled_from(list("ab|\\.-_]é /&")), max_size=10), st.text(st.sampled_from(list("ab|.-_é]")), max_size=4)
)
def test_listed_alternatives_are_what_re2_matches(expression, value):
    """The short cut for plain alternatives answers as the expression itself would."""
    options = re2.Options()
    options.log_errors = False
    try:
        compiled = re2.compile(expression, options)
    except re2.error:
        with pytest.raises(ValueError, match="is not an RE2 expression"):
            matcher("a", RE, expression)
        return
    tried = matcher("a", RE, expression)
    for text in {value, *(tried.accepted or ())}:
        assert (compiled.fullmatch(text) is not None) is tried.matches({"a": text})


def test_equal_matchers_are_equal_however_they_were_written():
    """Equality and hash are those of the meaning; the text is kept for people."""
    spaced, tight = parse_matchers(' a = "b" '), parse_matchers("a=b")
    assert spaced == tight
    assert hash(spaced) == hash(tight)
    assert spaced.text == ' a = "b" '


@pytest.mark.parametrize("text", ["a=b", "a!~b.*", "a=~b.+"])
def test_copies_compile_for_themselves(text):
    """Matchers can be pickled and copied although compiled expressions cannot travel."""
    matchers = parse_matchers(text)
    for twin in (pickle.loads(pickle.dumps(matchers)), copy.deepcopy(matchers)):  # noqa: S301 - our own bytes
        assert matchers == twin
        assert matchers.matches({"a": "bc"}) is twin.matches({"a": "bc"})


def test_expression_of_a_hostile_value_stays_linear():
    """A nested repetition over a long value is answered, not searched for ever."""
    assert not parse_matchers('a=~"(x+x+)+y"').matches({"a": "x" * 100_000})


def test_index_of_nothing_finds_nothing():
    """A rule set without rules has no candidates."""
    index = MatcherIndex(())
    assert len(index) == 0
    assert index.candidates({"a": "b"}) == []


def test_index_touches_few_of_many_rules():
    """Ten thousand rules on distinct services leave one candidate, although they share other labels."""
    rules = [parse_matchers(f'env="prod", service="s{number}"') for number in range(10_000)]
    assert MatcherIndex(rules).candidates({"env": "prod", "service": "s4711", "pod": "x"}) == [4711]


def test_index_files_expressions_by_the_label_they_need():
    """A rule that needs a label is no candidate without it; one that does not is asked always."""
    index = MatcherIndex([parse_matchers(text) for text in ("a=~b.+", "a!=b", "a=~b|", 'a!=""', "a=~b|c")])
    assert index.candidates({}) == [1, 2]
    assert index.candidates({"a": "x"}) == [0, 1, 2, 3]
    assert index.candidates({"a": "c"}) == [0, 1, 2, 3, 4]


WORDS = st.sampled_from(["", "a", "b", "ab", "c"])
EXPRESSIONS = st.sampled_from(["a|b", "a.*", "a|", ".*", ".+", "b", "", "(a|c)b?"])
ONE_MATCHER = st.one_of(
    st.builds(matcher, st.sampled_from("xyz"), st.sampled_from([EQ, NE]), WORDS),
    st.builds(matcher, st.sampled_from("xyz"), st.sampled_from([RE, NR]), EXPRESSIONS),
)
RULES = st.lists(
    st.lists(ONE_MATCHER, min_size=1, max_size=3).map(lambda several: Matchers(matchers=tuple(several), text="")),
    max_size=8,
)


@given(RULES, st.dictionaries(st.sampled_from("xyz"), WORDS, max_size=3))
def test_index_never_misses_a_matching_rule(rules, labels):
    """Whatever matches is a candidate, once, in file order."""
    candidates = MatcherIndex(rules).candidates(labels)
    assert sorted(set(candidates)) == candidates
    assert {number for number, rule in enumerate(rules) if rule.matches(labels)} <= set(candidates)
