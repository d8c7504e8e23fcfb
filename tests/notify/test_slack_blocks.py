"""How a Slack message looks."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from escalatord.core.incident import NoticeKind
from escalatord.notify.slack_blocks import ASKS, blocks, escaped, first_line
from tests.fakes.messages import PAGE, message


def buttons(page):
    """Return the elements of a message's row of buttons."""
    return [element for block in blocks(page, "") if block["type"] == "actions" for element in block["elements"]]


def test_buttons_carry_reference_and_epoch():
    """A click says which attempt it answers and at which epoch of the track (T105)."""
    value = "142.technical.1.ana.sms.1|3"
    assert [
        ("ack", value), ("next", value), ("more", ["snooze|" + value, "resolve|" + value]),
        ("runbook", "https://run.example.com/5xx"),
    ] == [
        (each["action_id"], each.get("value") or each.get("url") or [option["value"] for option in each["options"]])
        for each in buttons(PAGE)
    ]  # fmt: skip


@pytest.mark.parametrize("kind", NoticeKind)
def test_only_a_question_has_buttons(kind):
    """What asks for an answer can be answered; what only tells cannot."""
    assert (kind in ASKS) is bool(buttons(message(kind=kind)))


@pytest.mark.parametrize(
    "url",
    ["javascript:alert(1)", "https://x y", "https://x\nhttps://y", "ftp://x", "", "https://x/" + "a" * 3000, None],
)
def test_runbook_that_is_no_link_gets_no_button(url):
    """An alert's link is used only if it is one."""
    assert "runbook" not in [each["action_id"] for each in buttons(message(facts={"links": {"runbook": url}}))]


def test_confidential_page_has_no_runbook():
    """A link of a confidential incident is alert text too."""
    assert "runbook" not in [each["action_id"] for each in buttons(message(confidential=True))]


def test_reference_too_long_for_an_option_leaves_the_menu_out():
    """The two buttons that matter stay when the menu does not fit Slack's limit."""
    assert [each["action_id"] for each in buttons(message(reference="r" * 148, facts={}))] == ["ack", "next"]


def test_first_line_mentions_only_whom_it_should():
    """The one mention is ours; one from an alert is text."""
    page = message(title="<!channel> <@U02EVE> & co\nsecond")
    assert first_line(page, "U01ANA") == "<@U01ANA> &lt;!channel&gt; &lt;@U02EVE&gt; &amp; co second"


def test_title_is_not_said_twice():
    """A text that begins with its title shows it once."""
    layout = json.dumps(blocks(message(title="checkout is down.", text="checkout is down.\nSince 03:11."), ""))
    assert layout.count("checkout is down.") == 1


@given(st.text(max_size=400), st.integers(0, 300))
def test_escaped_text_fits_and_holds_no_markup(text, limit):
    """The cut never falls inside an escape, and no bare control character of Slack's is left."""
    out = escaped(text, limit)
    assert len(out) <= limit
    rest = out.replace("&amp;", "").replace("&lt;", "").replace("&gt;", "")
    assert not set(rest) & set("&<>")
