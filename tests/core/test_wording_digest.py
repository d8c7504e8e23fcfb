"""One message of several incidents: the worst first, one code, one segment."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from escalatord.core.alert import Severity
from escalatord.core.gsm7 import septets
from escalatord.core.incident import Bundle, NoticeKind, State
from escalatord.core.roster import ChannelKind
from escalatord.core.telling import Handles, subject
from escalatord.core.wording_digest import Item, digest_words
from tests.fakes.world import opened

REPLY = "Reply K8 to ack all, K8L to list\nhttps://esc.example.com/a/7QF3M9TX2B4KP"
HANDLES = Handles(code="K8", link="https://esc.example.com/a/7QF3M9TX2B4KP")


def item(number=1, service="checkout", severity=Severity.ERROR, kind=NoticeKind.PAGE, **changes):
    """Return one thing to tell of."""
    facts = {"number": number, "service": service, "title": "5xx rate 8.2%", **changes}
    return Item(kind=kind, incident=replace(opened(severity=severity), **facts))


THREE = [item(), item(2, "db-1", Severity.CRITICAL), item(3, "search", Severity.WARNING)]
ENDED = [item(n, f"s{n}", kind=NoticeKind.STAND_DOWN, state=State.RESOLVED) for n in (4, 5)]
HELD = [item(6, "mail", kind=NoticeKind.ACKED)]


@pytest.mark.parametrize(
    ("items", "expected"),
    [
        (
            THREE,
            f"CRIT 3 incidents page you. Worst: db-1: 5xx rate 8.2%. Also checkout, search.\n{REPLY}",
        ),
        (
            [*THREE[:1], *ENDED],
            f"ERR 1 incident pages you. Worst: checkout: 5xx rate 8.2%. 2 incidents over or in hand.\n{REPLY}",
        ),
        ([*ENDED, *HELD], "STAND DOWN: 2 incidents are over, 1 incident is in hand (s4, s5, mail). No action needed. "),
        (ENDED[:1], "STAND DOWN: 1 incident is over (s4). No action needed. Good night."),
        ([*HELD, *HELD], "STAND DOWN: 2 incidents are in hand (mail). No action needed. Good night."),
    ],
)
def test_the_text(items, expected):
    """How many, the worst, and how to answer; call-offs are a stand-down."""
    assert digest_words(items, HANDLES, ChannelKind.SMS).text.startswith(expected)


def test_without_a_code_there_is_still_a_way_to_answer():
    """All codes are in use."""
    assert "Reply ALL to ack what waits for you" in digest_words(THREE, Handles(), ChannelKind.SMS).text


def test_the_call():
    """The worst in words, the others by name, the menu for all of them."""
    speech = digest_words(THREE, HANDLES, ChannelKind.CALL).speech
    assert speech[0] == "3 incidents page you. The worst has severity critical."
    assert "Also checkout, search." in speech
    assert speech[-1].startswith("Press 4 if you have all of them. Press 8")
    many = [item(n, f"s{n}") for n in range(9)]
    assert "and others." in " ".join(digest_words(many, HANDLES, ChannelKind.CALL).speech)
    assert "Also" not in " ".join(digest_words(THREE[:1], HANDLES, ChannelKind.CALL).speech)
    assert digest_words(ENDED, HANDLES, ChannelKind.CALL).speech == ("No action needed. Go back to sleep.",)


def test_the_mail_lists_them():
    """A line each, as many as anybody reads, and the number where numbers are matched."""
    many = [item(n, f"s{n}") for n in range(1, 61)]
    text = digest_words(many, replace(HANDLES, number=42), ChannelKind.MAIL).text
    assert "… and 10 more" in text
    assert "INC-1 error s1: 5xx rate 8.2%" in text
    assert "Your number is 42" in text
    assert "K8 acks all of them" in text
    assert "need you" not in digest_words(ENDED, Handles(), ChannelKind.MAIL).text
    assert "Your number" not in digest_words(THREE, Handles(), ChannelKind.MAIL).text


def test_a_storm_in_it_is_called_by_its_place():
    """A bundle has no service."""
    bundle = Bundle(group="storm", by=(("cluster", "eu"),), over=10, window_seconds=60)
    assert subject(item(service="", bundle=bundle).incident) == "cluster eu"


@given(
    st.lists(
        st.tuples(
            st.text(max_size=80), st.text(max_size=300), st.sampled_from(Severity), st.sampled_from(list(NoticeKind))
        ),
        min_size=1,
        max_size=30,
    )
)
def test_hostile_content_fits_and_keeps_the_answer(things):
    """Whatever the alerts say: one segment, the code, the verb and the link stay, and no line is theirs."""
    items = [item(n, service, severity, kind, title=title) for n, (service, title, severity, kind) in enumerate(things)]
    text = digest_words(items, HANDLES, ChannelKind.SMS).text
    assert septets(text) <= 160
    if any(each.kind not in ("acked", "stand_down", "update") for each in items):
        assert text.endswith("\nReply K8 to ack all, K8L to list\nhttps://esc.example.com/a/7QF3M9TX2B4KP")
        assert text.count("\n") == 2
    else:
        assert "\n" not in text
    for channel in (ChannelKind.CALL, ChannelKind.MAIL):
        assert digest_words(items, HANDLES, channel).text
