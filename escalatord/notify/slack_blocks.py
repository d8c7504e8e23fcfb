"""How a Slack message looks: a sentence, the text, and while an answer is wanted the buttons. Pure.

A button's value is `reference|epoch`, an option's of "More" `verb|reference|epoch`; a click with an old epoch changes
nothing. Action ids are `ack`, `next`, `more` and `runbook` (a plain link). All text is data: `&`, `<` and `>` are
escaped, so no alert can mention anybody or hide a link.
"""

import re
from collections.abc import Mapping
from typing import Any

from escalatord.core.incident import NoticeKind
from escalatord.notify.channel import Message
from escalatord.notify.wire import legible, one_line

# Slack's own limits: a section's text, an option's value, a URL.
TEXT_CHARACTERS_MAX = 3000
OPTION_CHARACTERS_MAX = 150
URL_CHARACTERS_MAX = 3000
TITLE_CHARACTERS_MAX = 300
ASKS = frozenset(
    {NoticeKind.PAGE, NoticeKind.REMIND, NoticeKind.LAST_RESORT, NoticeKind.ACK_QUESTION, NoticeKind.HANDOVER}
)
MORE = (("Snooze 1 h", "snooze"), ("Resolve", "resolve"))


def escaped(text: str, limit: int) -> str:
    """Return `text` legible, with Slack's three control characters escaped, in at most `limit` characters."""
    kept, room = [], limit
    for character in legible(text):
        piece = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}.get(character, character)
        room -= len(piece)
        if room < 0:
            break
        kept.append(piece)
    return "".join(kept)


def first_line(message: Message, mention: str) -> str:
    """Return what a lock screen shows: the mention and the title, a whole sentence."""
    line = escaped(one_line(message.title), TITLE_CHARACTERS_MAX)
    return f"<@{mention}> {line}" if mention else line


def blocks(message: Message, mention: str) -> list[dict[str, Any]]:
    """Return the layout: the sentence, the text, and while an answer is wanted the buttons."""
    text = message.text.removeprefix(message.title).strip()
    layout = [_section(f"*{first_line(message, mention)}*")]
    if text:
        layout.append(_section(escaped(text, TEXT_CHARACTERS_MAX)))
    if message.kind in ASKS:
        layout.append({"type": "actions", "block_id": "answer", "elements": _buttons(message)})
    return layout


def _section(text: str) -> dict[str, Any]:
    return {"type": "section", "text": {"type": "mrkdwn", "text": text, "verbatim": True}}


def _buttons(message: Message) -> list[dict[str, Any]]:
    value = f"{message.reference}|{message.epoch}"
    elements = [
        _button("I have it", "ack", value=value, style="primary"),
        _button("Page next now", "next", value=value),
    ]
    options = [
        {"text": {"type": "plain_text", "text": label}, "value": f"{verb}|{value}"}
        for label, verb in MORE
        if len(verb) + 1 + len(value) <= OPTION_CHARACTERS_MAX
    ]
    if options:
        elements.append({"type": "overflow", "action_id": "more", "options": options})
    links = message.facts.get("links")
    runbook = str(links.get("runbook", "")) if isinstance(links, Mapping) and not message.confidential else ""
    if re.match(r"https?://[^\s<>]+$", runbook) and len(runbook) <= URL_CHARACTERS_MAX:
        elements.append(_button("Runbook", "runbook", url=runbook))
    return elements


def _button(label: str, action: str, **more: str) -> dict[str, Any]:
    return {"type": "button", "action_id": action, "text": {"type": "plain_text", "text": label}, **more}
