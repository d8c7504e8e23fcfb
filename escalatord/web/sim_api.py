"""The simulated phones: reading them and answering from them, through the very code that real answers take."""

from collections.abc import Mapping
from dataclasses import dataclass

from aiohttp import web

from escalatord.core.incident import Via
from escalatord.core.roster import ChannelKind
from escalatord.core.ruleset import Ruleset
from escalatord.errors import BadInputError, EscalatordError
from escalatord.notify.simulated import ROOM, SimMessage, Switchboard
from escalatord.web.answers import answer, refuse
from escalatord.web.asking import json_object, text_of
from escalatord.web.parts import PARTS, WebParts

MESSAGES_LISTED_MAX = 2000
HANG_UP = "hangup"
KEYS = frozenset("0123456789*#") | {HANG_UP}


class NothingThereError(EscalatordError):
    """What somebody wanted to answer is not there (any more)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What a human does with a simulated phone: a text by `sms` or `chat`, or a key in a `call`."""

    person: str
    channel: str
    text: str = ""
    key: str = ""


def said(content: Mapping[str, object]) -> Said:
    """Return what was said; raise BadInputError when it makes no sense."""
    channel = text_of(content, "channel", needed=True)
    if channel not in {ChannelKind.SMS, ChannelKind.CALL, ChannelKind.CHAT}:
        raise BadInputError("E101", "/channel", '"channel" must be sms, call or chat')
    key = text_of(content, "key")
    if channel == ChannelKind.CALL and key not in KEYS:
        raise BadInputError("E102", "/key", f'"key" must be one of 0-9, *, # or {HANG_UP}')
    text = "" if channel == ChannelKind.CALL else text_of(content, "text", needed=True)
    return Said(person=text_of(content, "person", needed=True), channel=channel, text=text, key=key)


async def sim_messages(request: web.Request) -> web.Response:
    """Return what was sent to one person's phone (or to all, and the room), oldest first."""
    parts = request.app[PARTS]
    board = parts.switchboard
    if board is None:
        return no_phones()
    person = request.query.get("person")
    people = board.persons() if person is None else [person]
    found = sorted((message for who in people for message in board.messages(who)), key=lambda message: message.at)
    return answer({"messages": [message_json(message) for message in found[-MESSAGES_LISTED_MAX:]]})


def message_json(message: SimMessage) -> dict[str, object]:
    """Return one message for tools."""
    return {
        "at": message.at,
        "person": message.person,
        "channel": message.channel,
        "name": message.name,
        "kind": message.kind,
        "title": message.title,
        "text": message.text,
        "incident": message.incident,
        "label": message.label,
        "link": message.link,
        "code": message.code,
        "number": message.number or None,
        "reference": message.reference,
        "ringing": message.ringing,
        "status": message.status,
        "reason": message.reason,
    }


async def sim_answer(request: web.Request) -> web.Response:
    """Answer from a simulated phone; the reply is what a real phone would get (null = none)."""
    parts = request.app[PARTS]
    content = await json_object(request)
    if parts.switchboard is None:
        return no_phones()
    try:
        return answer({"reply": await answer_from_phone(parts, parts.switchboard, said(content))})
    except NothingThereError as error:
        return refuse(404, "nothing_there", str(error))


def no_phones() -> web.Response:
    """Return 404: every channel is real."""
    say = "There are no simulated phones here: no channel has the provider sim."
    return refuse(404, "no_simulated_phones", say, fix="escalatord demo has them.")


async def answer_from_phone(parts: WebParts, board: Switchboard, said: Said) -> str | None:
    """Do what was said; return the reply in words. Raise NothingThereError when there is nothing to answer."""
    ruleset = parts.engine.ruleset
    if said.person not in ruleset.people:
        raise NothingThereError(f"There is no person {said.person[:64]!r} in the rules.")
    if said.channel == ChannelKind.CALL:
        return await _press(parts, board, said)
    number = phone_of(ruleset, said.person) if said.channel == ChannelKind.SMS else ""
    board.say(said.person, said.channel, said.text, mine=True)
    if number:
        reply = await parts.sms.receive(number, said.text)
    else:
        reply = await parts.sms.hear(said.person, said.text, via=Via.CHAT)
    if reply:
        board.say(said.person, said.channel, reply, mine=False)
    return reply


async def _press(parts: WebParts, board: Switchboard, said: Said) -> str | None:
    ringing = [message for message in board.messages(said.person) if message.ringing]
    if not ringing:
        raise NothingThereError("No call is ringing there.")
    call = ringing[-1]
    if said.key == HANG_UP:
        await board.hang_up(call.reference)
        return None
    row = await parts.engine.read(lambda tx: tx.outbox_get(call.reference))
    if row is None:
        raise NothingThereError("That call is no longer known.")
    board.say(said.person, said.channel, f"pressed {said.key}", mine=True)
    spoken = await parts.keypad.key(row, said.key)
    if spoken.hang_up:
        await board.press(call.reference)
    reply = " ".join(spoken.sentences)
    board.say(said.person, said.channel, reply, mine=False)
    return reply


def phone_of(ruleset: Ruleset, person: str) -> str:
    """Return the number a person's texts come from; raise NothingThereError when they have none."""
    keys = [spec.address_key for spec in ruleset.channels.values() if spec.kind is ChannelKind.SMS]
    addresses = ruleset.people[person].addresses
    number = next((addresses[key] for key in keys if key in addresses), "")
    if not number:
        raise NothingThereError(f"{ruleset.people[person].name} has no phone for texts in the rules.")
    return number


def room_messages(board: Switchboard) -> list[SimMessage]:
    """Return what was posted to the rooms."""
    return board.messages(ROOM)
