"""What a template can say, and that it can do nothing else."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jinja2 import TemplateError
from jinja2.exceptions import SecurityError

from escalatord.core.template_values import ALL_NAMES, PUBLIC_NAMES, Bag
from escalatord.templating.budget import SOURCE_CHARACTERS_MAX, TemplateFailedError
from escalatord.templating.sandbox import Sandbox, compiled, find_faults

HOSTILE = [
    "{0.__class__}",
    "{{7*7}}",
    "{% for x in ().__class__.__base__.__subclasses__() %}{{ x }}{% endfor %}",
    "${7*7}",
    "%(x)s %s",
    "<@U01ANA> <!channel>",
    "{#",
    "{% raw %}",
    "'\"`\\",
]


def values(**changes):
    """Return values for every name, some changed."""
    known = dict.fromkeys(ALL_NAMES, "") | {
        "service": "checkout",
        "title": "5xx rate 8.2%",
        "tier": 1,
        "tiers": 3,
        "late": False,
        "paged": ("Ana", "Bo"),
        "labels": Bag("labels", {"team": "payments", "a-b": "c", "empty": ""}, str),
        "annotations": Bag("annotations", {}, str),
    }
    return known | changes


def said(source, **changes):
    """Return what a template says."""
    return compiled(source, ALL_NAMES).render(values(**changes))


BAG_SAID = "a-b=c;empty=;team=payments;"
SAYINGS = [
    pytest.param("{{ service }}: {{ title }}.", "checkout: 5xx rate 8.2%.", id="values"),
    pytest.param("{{ labels.team }} {{ labels['a-b'] }}", "payments c", id="values of a bag"),
    pytest.param("{{ labels.who|default('nobody') }}", "nobody", id="a default for what is not there"),
    pytest.param("{{ labels.empty|default('nobody') }}", "nobody", id="a default for what is empty"),
    pytest.param("{% if labels.who is defined %}a{% else %}b{% endif %}", "b", id="whether it is there"),
    pytest.param("{% if tier > 1 %}a{% elif tier == 1 %}b{% endif %}", "b", id="numbers compare"),
    pytest.param("{% if 'check' in service and not late %}a{% endif %}", "a", id="texts are looked into"),
    pytest.param("{{ 'a' if late else 'b' }}", "b", id="one or the other"),
    pytest.param("{{ tier + 1 }} of {{ tiers - 1 }} {{ -tier }}", "2 of 2 -1", id="sums"),
    pytest.param("{{ service ~ ' ' ~ tier }}", "checkout 1", id="texts put together"),
    pytest.param("{{ title[:3] }} {{ paged[0] }} {{ paged[-1] }}", "5xx Ana Bo", id="parts"),
    pytest.param(
        "{% for who in paged %}{{ loop.index }} {{ who }}{% if not loop.last %}, {% endif %}{% endfor %}",
        "1 Ana, 2 Bo",
        id="a loop",
    ),
    pytest.param("{% for who in paged if who != 'Ana' %}{{ who }}{% else %}x{% endfor %}", "Bo", id="a loop with if"),
    pytest.param("{% for k, v in labels|sortedPairs %}{{ k }}={{ v }};{% endfor %}", BAG_SAID, id="a bag"),
    pytest.param("a{{ labels.team if late }}", "a", id="a value or nothing"),
    pytest.param("{% for (k, v) in labels|sortedPairs if k == 'team' %}{{ v }}{% endfor %}", "payments", id="pairs"),
    pytest.param("a\n{% if late %}\nb\n{% endif %}\nc", "a\nc", id="a line with nothing but a tag is no line"),
    pytest.param("{# why #}{% raw %}{{ x }}{% endraw %}", "{{ x }}", id="comments and raw text"),
]  # fmt: skip


@pytest.mark.parametrize(("source", "expected"), SAYINGS)
def test_a_template_says(source, expected):
    """What is in the language works."""
    assert expected == said(source)


@pytest.mark.parametrize("text", HOSTILE)
def test_alert_text_comes_out_as_it_went_in(text):
    """A value is an argument: nothing in it is read as a template, a format or a pattern."""
    assert f"{text} {text}" == said(
        "{{ title }} {{ labels.team }}", title=text, labels=Bag("labels", {"team": text}, str)
    )
    assert text.upper() == said("{{ title|toUpper }}", title=text)
    assert text == said("{{ title|reReplaceAll('nothing', 'x') }}", title=text)
    assert text * 2 == said("{{ title ~ title }}", title=text)


# The known ways out of Jinja2's sandbox, and their like.
ESCAPES = [
    pytest.param("{{ ''.__class__.__mro__[1].__subclasses__() }}", id="by classes"),
    pytest.param("{{ '{0.__class__}'.format(title) }}", id="CVE-2016-10745 str.format"),
    pytest.param("{{ '{a.__class__}'.format_map({'a': title}) }}", id="CVE-2019-10906 str.format_map"),
    pytest.param("{% set f = '{0.__class__}'.format %}{{ f(title) }}", id="CVE-2024-56326 format kept for later"),
    pytest.param("{{ ['{0.__class__}']|map('format', title)|list }}", id="CVE-2024-56326 format by a filter"),
    pytest.param("{{ ('{0.__class__}'|attr('format'))(title) }}", id="CVE-2025-27516 format by |attr"),
    pytest.param("{{ title|attr('__class__') }}", id="CVE-2025-27516 |attr"),
    pytest.param("{% block title %}{{ self.title() }}{% endblock %}", id="CVE-2024-56201 blocks"),
    pytest.param("{{ '%s' % title }}", id="the old format"),
    pytest.param("{{ title|format }}", id="|format"),
    pytest.param("{{ 'a' * 2000000000 }}", id="a long text by *"),
    pytest.param("{{ [1] * 2000000000 }}", id="a long list by *"),
    pytest.param("{{ 9 ** 9 ** 9 }}", id="a long number by **"),
    pytest.param("{{ title.center(2000000000) }}", id="a long text by center"),
    pytest.param("{{ title|center(2000000000) }}", id="a long text by |center"),
    pytest.param("{% for i in range(100000) %}x{% endfor %}", id="range"),
    pytest.param("{% set x = 1 %}", id="set"),
    pytest.param("{% macro m() %}{% endmacro %}", id="macro"),
    pytest.param("{% include 'x' %}", id="include"),
    pytest.param("{% import 'x' as y %}", id="import"),
    pytest.param("{% extends 'x' %}", id="extends"),
    pytest.param("{% with a = 1 %}{% endwith %}", id="with"),
    pytest.param("{% filter upper %}a{% endfilter %}", id="filter block"),
    pytest.param("{% call x() %}{% endcall %}", id="call"),
    pytest.param("{{ cycler }}", id="a global"),
    pytest.param("{{ self }}", id="the template itself"),
    pytest.param("{{ _budget }}", id="our own budget"),
    pytest.param("{{ paged|_counted(1) }}", id="our own filters"),
    pytest.param("{{ labels.team.upper }}", id="an attribute of a value"),
    pytest.param("{{ labels[title] }}", id="a name out of an alert"),
    pytest.param("{{ title|reReplaceAll(title, '') }}", id="a pattern out of an alert"),
    pytest.param("{{ title|match('(') }}", id="a pattern that is none"),
    pytest.param("{{ title|match('" + "a" * 201 + "') }}", id="a pattern too long"),
    pytest.param("{{ title|toUpper(1) }}", id="an argument too many"),
    pytest.param("{{ title|default(fallback='x') }}", id="an argument by name"),
    pytest.param("{% for title in paged %}{% endfor %}", id="a loop that hides a value"),
    pytest.param("{% for loop in paged %}{% endfor %}", id="a loop called loop"),
    pytest.param("{% for x in paged recursive %}{% endfor %}", id="a recursive loop"),
    pytest.param("{% for a in paged %}{{ loop.changed(a) }}{{ loop.nextitem }}{% endfor %}", id="more of a loop"),
    pytest.param("{% if tier is odd %}x{% endif %}", id="a test"),
    pytest.param("{{ " + "[" * 40 + "]" * 40 + " }}", id="lists in lists"),
    pytest.param("{% for a in paged %}" * 4 + "{% endfor %}" * 4, id="loops in loops in loops in loops"),
    pytest.param("{{ " + "(" * 3000 + "1" + ")" * 3000 + " }}", id="brackets without end"),
    pytest.param("{{ " + "not " * 1900 + "1 }}", id="not without end"),
    pytest.param("{% if 1 %}" * 400 + "{% endif %}" * 400, id="ifs without end"),
    pytest.param("x" * (SOURCE_CHARACTERS_MAX + 1), id="a source too long"),
    pytest.param("{{ service", id="an open bracket"),
    pytest.param("{% if %}{% endif %}", id="an empty condition"),
]


@pytest.mark.parametrize("source", ESCAPES)
def test_what_is_not_in_the_language_is_refused_before_it_runs(source):
    """Every known way out of a sandbox, and everything that grows, is a fault with a sentence and a line."""
    found = find_faults(source, ALL_NAMES)
    assert found
    assert all(fault.say and fault.line >= 1 for fault in found)
    with pytest.raises(TemplateFailedError):
        compiled(source, ALL_NAMES)


@pytest.mark.parametrize(
    "source",
    [
        "{{ '{0.__class__}'.format(title) }}",
        "{{ '{a.__class__}'.format_map({'a': title}) }}",
        "{% set f = '{0.__class__}'.format %}{{ f(title) }}",
        "{{ title.__class__ }}",
        "{{ labels._raw }}",
        "{{ labels.items() }}",
        "{{ 'a' * 3 }}",
        "{{ 2 ** 3 }}",
        "{{ '%s' % title }}",
        "{{ title() }}",
        "{{ paged.append(1) }}",
        "{% include 'x' %}",
    ],
)
def test_the_sandbox_holds_without_the_grammar(source):
    """The second fence by itself: the same things raise in the environment, were the allow-list to let them through."""
    template = Sandbox().from_string(source)
    with pytest.raises((TemplateError, SecurityError, TemplateFailedError, TypeError)):
        template.render(values())


def test_the_sandbox_knows_no_filter_or_global_but_ours():
    """Nothing of the library's own is left to be called by name."""
    sandbox = Sandbox()
    assert dict(sandbox.globals) == {}
    assert set(sandbox.tests) == {"defined"}
    assert not {"attr", "map", "format", "center", "replace", "urlize", "tojson"} & set(sandbox.filters)


FAILURES = [
    pytest.param("a\nb {{ labels.who }}", 2, 'there is no "who" in labels', id="a label that is not there"),
    pytest.param("{{ paged[7] }}", 1, "there are not so many", id="a place that is not there"),
    pytest.param("\n\n{% if tier > title %}a{% endif %}", 3, "texts and numbers do not mix", id="a number and a text"),
    pytest.param("{{ labels }}", 1, "`labels` holds many values", id="a bag is no text"),
    pytest.param("{{ paged }}", 1, "a list is no text", id="a list is no text"),
    pytest.param("{{ title + title }}", 1, "`+` is for numbers, + and - only", id="texts are not added"),
    pytest.param("{{ -title }}", 1, "`-` is for numbers", id="texts have no sign"),
    pytest.param("x\n{% for a in title %}{{ a }}{% endfor %}", 2, "this is no list", id="a loop over a text"),
]  # fmt: skip


@pytest.mark.parametrize(("source", "line", "say"), FAILURES)
def test_a_failure_says_where_and_what(source, line, say):
    """Past the grammar, what fails says its line, and repeats no text of an alert."""
    assert find_faults(source, ALL_NAMES) == ()
    with pytest.raises(TemplateFailedError) as caught:
        said(source, title="hostile-canary", labels=Bag("labels", {"team": "hostile-canary"}, str))
    assert caught.value.line == line
    assert caught.value.say.startswith(say)
    assert "canary" not in f"{caught.value.say}{caught.value.fix}{caught.value}"


def test_all_faults_of_a_template_come_at_once():
    """Each with its line and the word to look for."""
    found = find_faults("{{ sevice }}\n{{ title|shout }}\n{{ 2 * 3 }}", ALL_NAMES)
    assert [(fault.line, fault.word, fault.unknown) for fault in found] == [
        (1, "sevice", True),
        (2, "shout", True),
        (3, "", False),
    ]


def test_a_template_for_the_public_knows_less():
    """The title, names and labels are not among the values it may use."""
    assert find_faults("{{ service }} {{ severity }} {{ since }} {{ label }}", PUBLIC_NAMES) == ()
    for name in ("title", "summary", "code", "link", "owner", "paged", "source"):
        assert find_faults(f"{{{{ {name} }}}}", PUBLIC_NAMES)
    assert find_faults("{{ labels.team }}", PUBLIC_NAMES)


@given(st.text(max_size=300))
def test_any_source_is_a_template_or_has_faults(source):
    """Reading raises nothing else, and rendering raises nothing but our error."""
    ends_well(source)


def ends_well(source):
    """Render and return nothing; our own error is a good end too."""
    with suppress(TemplateFailedError):
        compiled(source, ALL_NAMES).render(values())


PIECES = st.sampled_from(
    ["{{", "}}", "{%", "%}", "title", "labels", ".team", "|", "join", "default", "('x')", "for", "in", "endfor", "if",
     "endif", "else", "loop", "[0]", "[:2]", "~", "+", "*", "1", "'a'", " ", "\n", "x", "paged", "==", "not",
     "is defined"]
)  # fmt: skip


@given(st.lists(PIECES, max_size=30))
def test_any_pieces_of_the_language_are_a_template_or_have_faults(pieces):
    """The same for texts that look like templates."""
    ends_well(" ".join(pieces))


@given(st.text(st.characters(exclude_categories=()), max_size=200))
def test_any_alert_text_is_told(text):
    """No value can make a template fail."""
    assert said("{{ title }}|{{ title|toUpper|truncate(50) }}", title=text).startswith(text + "|")
