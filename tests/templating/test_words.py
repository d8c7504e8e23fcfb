"""Words by template, fit for each kind of channel."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from escalatord.core.gsm7 import septets
from escalatord.core.incident import NoticeKind
from escalatord.core.roster import ChannelKind
from escalatord.core.telling import Handles
from escalatord.core.template import Audience, Wording
from escalatord.core.template_values import Material
from escalatord.core.wording_speech import MENU
from escalatord.templating.budget import TemplateFailedError
from escalatord.templating.words import (
    MENUS,
    LeftOutError,
    answerable,
    septets_allowed,
    septets_least,
    words_of,
)
from tests.fakes.paging import LINK, acked, an_incident, resolved, telling

PAGE = "{{ severity|toUpper }} {{ code }} {{ service }}: {{ title }}.\nReply {{ code }} to ack\n{{ link }}"
ANY_TEXT = st.text(st.characters(exclude_categories=()), max_size=300)


def told(incident=None, kind=NoticeKind.PAGE, **changes):
    """Return what is told."""
    return Material(telling=telling(incident, kind, **changes))


def words(text, kind=ChannelKind.SMS, audience=Audience.RESPONDER, material=None, **more):
    """Return the words of a template."""
    return words_of(Wording(language=more.pop("language", "en"), text=text, **more), audience, kind, material or told())


def test_a_text_message_says_what_the_template_says():
    """A short title is told whole."""
    incident = an_incident(title="5xx rate 8.2%")
    assert words(PAGE, material=told(incident)).text == f"CRITICAL K7 checkout: 5xx rate 8.2%.\nReply K7 to ack\n{LINK}"


def test_the_title_is_cut_first_and_nothing_else():
    """A long title is cut to what is left of the segment; service, code and link stay."""
    incident = an_incident(title="so much to say " * 20)
    text = words(PAGE, material=told(incident)).text
    assert septets(text) == 160
    assert text.startswith("CRITICAL K7 checkout: so much to say so much")
    assert text.endswith(f"...\nReply K7 to ack\n{LINK}")


def test_when_the_title_is_not_enough_the_service_is_cut():
    """The service gets what is left, and 16 septets at least."""
    incident = an_incident(title="t" * 200, service="s" * 200)
    text = words(PAGE + "\n" + "x" * 40, material=told(incident)).text
    assert septets(text) == 160
    assert f"K7 {'s' * 46}..: .\n" in text
    text = words(PAGE + "\n" + "x" * 70, material=told(incident)).text
    assert f"K7 {'s' * 16}..: .\n" in text
    with pytest.raises(TemplateFailedError):
        words(PAGE + "\n" + "x" * 73, material=told(incident))


def test_more_segments_hold_more():
    """A text of two parts has 153 septets in each."""
    incident = an_incident(title="t" * 200)
    assert [septets_allowed(count) for count in (1, 2, 4)] == [160, 306, 612]
    assert len(words(PAGE, material=told(incident), segments=2).text) > 200


def test_a_text_message_that_cannot_fit_fails():
    """What stands in the template is never cut."""
    with pytest.raises(TemplateFailedError, match="does not fit into 160 septets"):
        words(PAGE + "x" * 100)


@pytest.mark.parametrize(("left_out", "text"), [("link", "{{ code }} {{ title }}"), ("code", "{{ link }} {{ title }}")])
def test_a_responder_is_never_paged_without_code_and_link(left_out, text):
    """A page by text message that lacks one of them fails; other audiences and other notices may."""
    with pytest.raises(LeftOutError, match=left_out):
        words(text)
    with pytest.raises(LeftOutError, match=left_out):
        words(f"{{% if title == 'x' %}}{PAGE}{{% else %}}{text}{{% endif %}}")
    assert words(text, audience=Audience.MANAGEMENT).text
    assert words(text, material=told(kind=NoticeKind.STAND_DOWN)).text
    assert words(text, material=told(handles=Handles())).text


def test_text_messages_are_written_in_the_gsm_alphabet():
    """Values and the template itself; an empty value leaves one space."""
    incident = an_incident(title="“naïve” · 日本")
    text = words("¡Ojo! {{ actor }} {{ title }} → {{ code }} {{ link }}", material=told(incident)).text
    assert text == f'¡Ojo! "naive" . ? -> K7 {LINK}'


@given(ANY_TEXT, ANY_TEXT, ANY_TEXT)
def test_any_alert_fits_into_one_segment(title, service, summary):
    """Whatever an alert says, one segment goes out, with code and link."""
    incident = an_incident(title=title, service=service, summary=summary)
    text = words("{{ code }} {{ service }} {{ title|toUpper }} {{ summary }} {{ link }}", material=told(incident)).text
    assert septets(text) <= 160
    assert "K7" in text
    assert LINK in text


def test_the_least_is_what_stands_in_the_template():
    """With everything cut that may be, the title takes nothing and the service 16 septets at most."""
    wording = Wording(language="en", text="{{ service }} {{ title }}!{{ code }}")
    assert septets_least(wording, Audience.RESPONDER, told(an_incident(service="s" * 99))) == 16 + 2 + 2


def test_a_call_says_the_lines_and_then_how_to_answer():
    """Each line is a sentence of speakable characters; the menu is spoken in the template's language."""
    text = "Gravedad {{ severity }}\n\n{{ service }}: {{ title }}\n"
    incident = an_incident(title="5xx > 8.2% <script>")
    spoken = words(text, ChannelKind.CALL, material=told(incident), language="es-MX")
    assert spoken.speech == ("Gravedad critical.", "checkout 5xx 8.2 percent script.", MENUS["es"])
    assert words(text, ChannelKind.CALL, language="fi").speech[-1] == MENU
    assert all("4" in menu and "8" in menu and "9" in menu for menu in MENUS.values())


def test_a_call_about_what_is_settled_says_so_and_nothing_else():
    """Once somebody has it, or it is over, the template is not spoken."""
    for incident in (acked("bo"), resolved()):
        spoken = words("{{ title }}", ChannelKind.CALL, material=told(incident))
        assert len(spoken.speech) == 1
        assert "Go back to sleep" in spoken.text or "Good night" in spoken.text


@pytest.mark.parametrize("text", ["<>", "\n".join("abcdefghijk")], ids=["nothing speakable", "too many sentences"])
def test_a_call_that_cannot_be_spoken_fails(text):
    """Nothing to say, or more than anybody listens to."""
    with pytest.raises(TemplateFailedError, match="1 to 10 sentences"):
        words(text, ChannelKind.CALL)


def test_a_chat_message_begins_with_its_first_line():
    """The first line is what a lock screen shows; blank lines are at most one at a time."""
    spoken = words("\n\n{{ service }} is down   \n\n\n\nmore\n", ChannelKind.CHAT)
    assert (spoken.title, spoken.text) == ("checkout is down", "checkout is down\n\nmore")


def test_a_mail_has_a_subject_of_one_line():
    """The subject is a template of its own, one line of at most 200 characters."""
    spoken = words("{{ title }}", ChannelKind.MAIL, subject="a\n{{ service }}\n" + "x" * 300)
    assert spoken.title.startswith("a checkout xxx")
    assert len(spoken.title) == 200
    assert spoken.text.endswith("\n")


def test_a_failure_in_a_subject_says_that_it_is_the_subject():
    """Of a mail's two templates."""
    with pytest.raises(TemplateFailedError) as caught:
        words("ok", ChannelKind.MAIL, subject="{{ labels.nope }}")
    assert caught.value.part == "subject"


@pytest.mark.parametrize("kind", [ChannelKind.SMS, ChannelKind.CHAT, ChannelKind.MAIL, ChannelKind.CALL])
def test_a_template_that_says_nothing_fails(kind):
    """An empty message would be worse than the built-in one."""
    with pytest.raises(TemplateFailedError, match="it says nothing"):
        words("{% if tier == 99 %}x{% endif %}\n  ", kind, subject="x")


@pytest.mark.parametrize(
    ("kind", "text", "expected"),
    [
        (ChannelKind.SMS, "K7", True),
        (ChannelKind.SMS, LINK, True),
        (ChannelKind.SMS, "x", False),
        (ChannelKind.MAIL, LINK, False),
        (ChannelKind.MAIL, f"{LINK} 42", True),
        (ChannelKind.MAIL, "K7", True),
    ],
)
def test_whether_a_message_can_be_answered(kind, text, expected):
    """By its code, or by its link; the link in a mail needs its number."""
    material = told(handles=Handles(code="K7", link=LINK, number=42))
    assert expected is answerable(text, kind, material)
    assert not answerable(text, kind, replace(material, telling=replace(material.telling, handles=Handles())))
