"""What a template can do with a value."""

import pytest

from escalatord.templating.budget import TemplateFailedError
from escalatord.templating.filters import ARGUMENTS, FILTERS, OURS, WRITTEN_OUT
from tests.templating.test_sandbox import said

RESULTS = [
    pytest.param("{{ 'aB c'|toUpper }}", "AB C", id="toUpper"),
    pytest.param("{{ 'aB C'|toLower }}", "ab c", id="toLower"),
    pytest.param('{{ "bob\'s SERVICE"|title }}', "Bob's Service", id="title"),
    pytest.param("{{ '  a '|trimSpace }}", "a", id="trimSpace"),
    pytest.param("{{ paged|join }}", "Ana, Bo", id="join"),
    pytest.param("{{ paged|join(' y ') }}", "Ana y Bo", id="join with a separator"),
    pytest.param("{{ labels|join(',') }}", "a-b,empty,team", id="join the names of a bag"),
    pytest.param("{{ ['a', 1, true]|join('') }}", "a1true", id="join what is written out"),
    pytest.param("{{ 'abcdef'|truncate(5) }} {{ 'abc'|truncate(3) }}", "abc.. abc", id="truncate"),
    pytest.param("{{ title|match('8[.][0-9]%') }} {{ title|match('^rate') }}", "true false", id="match"),
    pytest.param("{{ 'a1b2'|reReplaceAll('[0-9]', '') }}", "ab", id="reReplaceAll"),
    pytest.param("{{ 'a1b2'|reReplaceAll('([a-z])([0-9])', '$2$1-') }}", "1a-2b-", id="reReplaceAll by number"),
    pytest.param("{{ 'k=v'|reReplaceAll('(?P<k>.)=(?P<v>.)', '${v}=${k}$$') }}", "v=k$", id="reReplaceAll by name"),
    pytest.param("{{ 'aa'|reReplaceAll('x*', '-') }}", "-a-a-", id="reReplaceAll of nothing"),
    pytest.param("{{ 'ab'|reReplaceAll('(a)|(b)', '[$1]') }}", "[a][]", id="a group that took no part"),
    pytest.param("{{ 5400|humanizeDuration }} {{ '90.4'|humanizeDuration }}", "1h30m 1m30s", id="humanizeDuration"),
    pytest.param("{{ paged|length }} {{ 'abc'|length }} {{ labels|length }}", "2 3 3", id="length"),
]


@pytest.mark.parametrize(("source", "expected"), RESULTS)
def test_a_filter_gives(source, expected):
    """Named and behaving as in Alertmanager."""
    assert expected == said(source)


WRONG = [
    pytest.param("{{ title|join }}", "this is no list", id="join a text"),
    pytest.param("{{ title|truncate('x') }}", "truncate wants a number", id="truncate to a word"),
    pytest.param("{{ title|truncate(2) }}", "truncate wants a number", id="truncate to nothing"),
    pytest.param("{{ title|humanizeDuration }}", "humanizeDuration wants a number", id="a duration of words"),
    pytest.param("{{ 'inf'|humanizeDuration }}", "humanizeDuration wants a number", id="an endless duration"),
    pytest.param("{{ 'nan'|humanizeDuration }}", "humanizeDuration wants a number", id="a duration of no number"),
    pytest.param("{{ paged|sortedPairs }}", "sortedPairs is for labels", id="pairs of a list"),
    pytest.param("{{ paged|toUpper }}", "a list is no text", id="upper case of a list"),
    pytest.param("{{ 'a'|reReplaceAll('a', '$3') }}", "the pattern has no group 3", id="a group that is not there"),
    pytest.param("{{ 'a'|reReplaceAll('a', '${x}') }}", "the pattern has no group x", id="a named group not there"),
    pytest.param("{{ labels.who|toUpper }}", 'there is no "who" in labels', id="upper case of nothing"),
    pytest.param("{{ labels.who|join }}", 'there is no "who" in labels', id="join nothing"),
    pytest.param("{{ 12345678901234|humanizeDuration }}", "humanizeDuration wants", id="an age"),
]


@pytest.mark.parametrize(("source", "say"), WRONG)
def test_a_filter_refuses(source, say):
    """What cannot be done is a failure with a sentence."""
    with pytest.raises(TemplateFailedError, match=say):
        said(source)


def test_the_tables_name_filters_that_there_are():
    """Arguments are listed for filters that exist; our own two cannot be written."""
    assert set(ARGUMENTS) | WRITTEN_OUT <= set(FILTERS)
    assert set(OURS) - set(FILTERS) == {"_counted", "_glued"}


def test_a_filter_outside_of_a_rendering_refuses():
    """Without a budget nothing is worked out."""
    from escalatord.templating.sandbox import Sandbox  # noqa: PLC0415 - only here

    with pytest.raises(TemplateFailedError, match="not a rendering of ours"):
        Sandbox().from_string("{{ 'a'|toUpper }}").render()
