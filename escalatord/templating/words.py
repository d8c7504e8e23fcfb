"""From a template's text to the words of a message, fit for its kind of channel.

- A text message is cut to its segments: the title and summary first, then what else the alert says and the service.
  What stands in the template, the code and the link are never cut.
- A page to a responder by text message carries its code and its link, or the template has failed.
- A call speaks the template's lines as sentences of speakable characters, and how to answer after them. Once somebody
  has the incident, or it is over, a call says that and nothing else.
- Whatever goes wrong is a TemplateFailedError; the caller then says the built-in text.
"""

import re
from collections.abc import Callable, Mapping
from typing import assert_never

from escalatord.core.gsm7 import SEPTETS_MAX, one_line, septets, to_gsm7
from escalatord.core.roster import ChannelKind
from escalatord.core.telling import Words
from escalatord.core.template import Audience, Wording
from escalatord.core.template_values import Material, Room, names_for, values_of
from escalatord.core.wording import ASKS_FOR_ACK, SUBJECT_CHARACTERS_MAX
from escalatord.core.wording_speech import MENU, sentences_of, speakable, standing_sentence
from escalatord.templating.budget import TemplateFailedError
from escalatord.templating.sandbox import compiled

JOINED_SEGMENT_SEPTETS = 153
"""What is left of each part when a text goes out in several (3GPP TS 23.040, 9.2.3.24.1)."""
SENTENCES_MAX = 10
TITLE_CHARACTERS_MAX = 300
BLANK_LINES_MAX = 1
SPACES = re.compile(" {2,}")
MENUS: Mapping[str, str] = {
    "en": MENU,
    "es": "Pulse 4 si se encarga. Pulse 8 para pasar el aviso. Pulse 9 para repetir.",
    "de": "Drücken Sie 4, um zu übernehmen. Drücken Sie 8 zum Weitergeben. Drücken Sie 9 zum Wiederholen.",
    "fr": "Appuyez sur 4 pour prendre en charge. Appuyez sur 8 pour transmettre. Appuyez sur 9 pour réécouter.",
    "pt": "Prima 4 se vai tratar disto. Prima 8 para passar. Prima 9 para repetir.",
    "it": "Prema 4 per prendere in carico. Prema 8 per passare. Prema 9 per riascoltare.",
}


class LeftOutError(TemplateFailedError):
    """A page to a responder lacks what it is answered with."""


def words_of(wording: Wording, audience: Audience, kind: ChannelKind, material: Material) -> Words:
    """Return the words of a template for a kind of channel; TemplateFailedError when it gives none."""
    match kind:
        case ChannelKind.SMS:
            text = _sms(wording, audience, material)
            return Words(title=text.partition("\n")[0], text=text)
        case ChannelKind.CALL:
            return _call(wording, audience, material)
        case ChannelKind.CHAT | ChannelKind.WEBHOOK:
            text = _said(wording.text, audience, material)
            return Words(title=text.partition("\n")[0][:TITLE_CHARACTERS_MAX], text=text)
        case ChannelKind.MAIL:
            return _mail(wording, audience, material)
        case _:
            assert_never(kind)


def septets_allowed(segments: int) -> int:
    """Return how many septets fit into so many parts of a text message."""
    return SEPTETS_MAX if segments <= 1 else JOINED_SEGMENT_SEPTETS * segments


def septets_least(wording: Wording, audience: Audience, material: Material) -> int:
    """Return how many septets a text message takes when everything is cut that may be."""
    return septets(_texted(wording.text, audience, material, Room(title=0, rest=0)))


def answerable(text: str, kind: ChannelKind, material: Material) -> bool:
    """Return whether the reader of a text message or mail can acknowledge by it: a code, or a link they can use."""
    handles = material.telling.handles
    linked = bool(handles.link) and handles.link in text
    if kind is ChannelKind.MAIL:
        # a link in a mail leads to three numbers, of which the mail has to say the right one
        linked = linked and (not handles.number or str(handles.number) in text)
    return linked or (bool(handles.code) and handles.code in text)


def _said(source: str, audience: Audience, material: Material, room: Room | None = None) -> str:
    """Return what a template says, tidied: no trailing blanks, at most one empty line at a time."""
    values = values_of(material, audience, room)
    lines: list[str] = []
    for line in compiled(source, names_for(audience)).render(values).split("\n"):
        kept = line.rstrip()
        if kept or any(lines[-BLANK_LINES_MAX:]):
            lines.append(kept)
    text = "\n".join(lines).strip()
    if not text:
        raise TemplateFailedError("it says nothing")
    return text


def _sms(wording: Wording, audience: Audience, material: Material) -> str:
    allowed = septets_allowed(wording.segments)

    def said(room: Room) -> str:
        return _texted(wording.text, audience, material, room)

    text = said(Room())
    if septets(text) > allowed:
        text = _longest(lambda title: said(Room(title=title)), allowed) or _longest(
            lambda rest: said(Room(title=0, rest=rest)), allowed
        )
    if not text:
        raise TemplateFailedError(f"it does not fit into {allowed} septets", fix="say less, or set segments")
    handles = material.telling.handles
    if audience is Audience.RESPONDER and material.telling.kind in ASKS_FOR_ACK:
        for name, value in (("code", handles.code), ("link", handles.link)):
            if value and value not in text:
                raise LeftOutError(f"it leaves out the {name}", fix=f"write {{{{ {name} }}}}")
    return text


def _texted(source: str, audience: Audience, material: Material, room: Room) -> str:
    """Return what a template says in the GSM alphabet; an empty value leaves no two spaces behind."""
    return SPACES.sub(" ", to_gsm7(_said(source, audience, material, room)))


def _mail(wording: Wording, audience: Audience, material: Material) -> Words:
    text = _said(wording.text, audience, material)
    try:
        subject = one_line(_said(wording.subject, audience, material))[:SUBJECT_CHARACTERS_MAX]
    except TemplateFailedError as error:
        raise TemplateFailedError(error.say, line=error.line, word=error.word, fix=error.fix, part="subject") from None
    return Words(title=subject, text=text + "\n")


def _longest(said: Callable[[int], str], allowed: int) -> str:
    """Return the text with the most room for what is cut that still fits, "" when none fits."""
    best = ""
    least, most = 0, allowed
    while least <= most:
        middle = (least + most) // 2
        text = said(middle)
        if septets(text) <= allowed:
            best, least = text, middle + 1
        else:
            most = middle - 1
    return best


def _call(wording: Wording, audience: Audience, material: Material) -> Words:
    told = material.telling
    if standing_sentence(told):
        speech = sentences_of(told)
    else:
        lines = [speakable(line) for line in _said(wording.text, audience, material).split("\n")]
        sentences = [line if line.endswith(".") else f"{line}." for line in lines if line]
        if not sentences or len(sentences) > SENTENCES_MAX:
            raise TemplateFailedError(f"a call has 1 to {SENTENCES_MAX} sentences, one on a line")
        menu = MENUS.get(wording.language.lower().partition("-")[0], MENU)
        speech = (*sentences, menu) if told.kind in ASKS_FOR_ACK else tuple(sentences)
    return Words(title=speech[0], text=" ".join(speech), speech=speech)
