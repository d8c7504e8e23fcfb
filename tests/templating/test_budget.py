"""A template ends, soon and small, whatever its author and its alert do."""

import time

import pytest

from escalatord.core.gsm7 import one_line
from escalatord.core.template_values import ALL_NAMES, VALUE_CHARACTERS_MAX, Bag
from escalatord.templating.budget import OUTPUT_CHARACTERS_MAX, TURNS_MAX, TemplateFailedError
from escalatord.templating.sandbox import compiled
from tests.templating.test_sandbox import values

LONG = "é" * 65_536
RENDER_SECONDS_MAX = 0.05


def largest():
    """Return values as large and as slow to clean as they get."""
    raw = {f"label_{number:04}": LONG for number in range(1000)}
    bags = {name: Bag(name, raw, lambda text: one_line(text[:VALUE_CHARACTERS_MAX])) for name in ("labels", "facts")}
    return values(title="x" * 200, summary="y" * 500, **bags)


PAIRS = "{% for pair in labels|sortedPairs %}"
ENDINGS = [
    pytest.param("{{ title }}" * 720, "it says more than", id="a long output"),
    pytest.param(
        "{% for a in labels %}{% for b in labels %}x{% endfor %}{% endfor %}", "its loops turn", id="loops in loops"
    ),
    pytest.param("{% for a in labels %}" + "{{ a }}" * 320 + "{% endfor %}", "its loops do too much", id="long turns"),
    pytest.param(PAIRS + "{{ pair[1]" + "|toUpper" * 25 + " }}{% endfor %}", "works through more", id="filters"),
    pytest.param(
        PAIRS + "{{ (" + " ~ ".join(["pair[1]"] * 30) + ")|length }}{% endfor %}", "works through more", id="joins"
    ),
    pytest.param("{{ " + "(" * 9 + "summary" + "~summary~summary)|toUpper" * 9 + " }}", "", id="nested joins"),
    pytest.param(
        "{{ labels.label_0001|reReplaceAll('(.*)', '" + "$1" * 3000 + "') }}", "works through", id="a group repeated"
    ),
    pytest.param(
        "{{ labels.label_0001|reReplaceAll('', '" + "ab" * 3000 + "') }}", "works through", id="nothing repeated"
    ),
    pytest.param(
        PAIRS + "{{ pair[1]|reReplaceAll('(a|é)+', '$1')|match('(é*)*x') }}{% endfor %}", "", id="bad patterns"
    ),
    pytest.param("{{ labels|sortedPairs|length }} {{ facts|sortedPairs|length }}", "", id="everything cleaned"),
    pytest.param(
        "{% for a in labels %}" + "{% if a in summary %}x{% endif %}" * 40 + "{% endfor %}", "", id="questions"
    ),
]


@pytest.mark.parametrize(("source", "say"), ENDINGS)
def test_a_rendering_ends_in_time(source, say):
    """It says something of bounded size, or fails by its budget; either way within 50 ms of computing."""
    template = compiled(source, ALL_NAMES)
    seconds = []
    for _ in range(3):
        told = largest()
        started = time.thread_time()
        if say:
            with pytest.raises(TemplateFailedError, match=say):
                template.render(told)
        else:
            assert len(template.render(told)) <= OUTPUT_CHARACTERS_MAX
        seconds.append(time.thread_time() - started)
    assert min(seconds) <= RENDER_SECONDS_MAX


def test_a_thousand_turns_are_allowed():
    """The limit is where it is said to be, over all loops together."""
    items = tuple("x" for _ in range(100))
    inner = "{% for a in paged %}{% for b in next_people %}x{% endfor %}{% endfor %}"
    ten, nine = items[:10], items[:9]
    template = compiled(inner, ALL_NAMES)
    assert len(template.render(values(paged=nine, next_people=items))) == 9 * 100
    with pytest.raises(TemplateFailedError, match=str(TURNS_MAX)):
        template.render(values(paged=ten, next_people=items))
