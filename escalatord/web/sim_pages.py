"""`/sim`: every person's phone, the ringing call, the chat room, and a button that fires an example alert."""

from collections.abc import Mapping

from aiohttp import web

from escalatord.core.incident import Attempt
from escalatord.core.roster import ChannelKind
from escalatord.engine.commands import Ingest
from escalatord.notify.simulated import Bubble, SimMessage, Switchboard
from escalatord.web.examples import read_example
from escalatord.web.login import NOT_OURS
from escalatord.web.pages import checked_form
from escalatord.web.parts import PARTS, Route, WebParts
from escalatord.web.render import error_page, page
from escalatord.web.sim_api import NothingThereError, answer_from_phone, room_messages, said

PHONES_SHOWN_MAX = 24
BUBBLES_SHOWN_MAX = 60
HINT = "K7"
ACK_PATH = "/a/"
STATUS_WORDS: Mapping[Attempt, str] = {Attempt.DELIVERED: "delivered", Attempt.FAILED_PERMANENT: "not delivered"}
PAGE_SAYS = {"fired": "Fired. Watch the phones.", "nothing": "There is nothing to answer there any more."}


def routes() -> list[Route]:
    """Return the routes."""
    return [
        Route("GET", "/sim", sim),
        Route("POST", "/sim/answer", sim_answer),
        Route("POST", "/sim/fire", sim_fire),
    ]


def _board(parts: WebParts) -> Switchboard:
    if parts.switchboard is None:
        raise web.HTTPNotFound
    return parts.switchboard


async def sim(request: web.Request) -> web.Response:
    """Return the phones; `person` shows one of them alone."""
    parts = request.app[PARTS]
    board = _board(parts)
    wanted = request.query.get("person")
    people = [person for person in parts.engine.ruleset.people.values() if wanted in {None, person.id}]
    phones = [_phone(board, person.id, person.name, parts.external_url) for person in people]
    phones.sort(key=lambda phone: (not phone["calls"], not phone["bubbles"]))
    context = {
        "live": True,
        "said": PAGE_SAYS.get(request.query.get("said", ""), ""),
        "phones": phones[:PHONES_SHOWN_MAX],
        "room": [_from_us(message, parts.external_url) for message in room_messages(board)[-BUBBLES_SHOWN_MAX:]],
        "examples": list(parts.examples.values()),
    }
    return page(request, "sim.html", context)


def _phone(board: Switchboard, person: str, name: str, external_url: str) -> dict[str, object]:
    messages = board.messages(person)
    calls = [message for message in messages if message.ringing]
    lines = [_from_us(message, external_url) for message in messages if not message.ringing]
    lines += [_talk(bubble) for bubble in board.replies(person)]
    lines.sort(key=lambda line: str(line["order"]))
    codes = [message.code for message in messages if message.code]
    return {
        "id": person,
        "name": name,
        "calls": calls,
        "bubbles": lines[-BUBBLES_SHOWN_MAX:],
        "unread": len(calls),
        "hint": codes[-1] if codes else HINT,
    }


def _from_us(message: SimMessage, external_url: str) -> dict[str, object]:
    word = "call" if message.channel == ChannelKind.CALL else message.name
    number = f" Number: {message.number}." if message.number and str(message.number) not in message.text else ""
    return {
        "at": message.at,
        "order": f"{message.at.isoformat()}0",
        "side": "theirs",
        "channel": message.channel,
        "word": word,
        "text": message.text + number,
        # Stays on the address that the reader uses: the external one may not lead here.
        "link": path if (path := message.link.removeprefix(external_url.rstrip("/"))).startswith(ACK_PATH) else "",
        "status": STATUS_WORDS.get(message.status, "")
        + (f" ({message.reason})".replace("_", " ") if message.reason else ""),
    }


def _talk(bubble: Bubble) -> dict[str, object]:
    return {
        "at": bubble.at,
        "order": f"{bubble.at.isoformat()}1",
        "side": "mine" if bubble.mine else "theirs",
        "channel": bubble.channel,
        "word": bubble.channel,
        "text": bubble.text,
        "link": "",
        "status": "",
    }


async def sim_answer(request: web.Request) -> web.Response:
    """Answer from a phone: 303 back to the phones."""
    fields = await checked_form(request)
    if fields is None:
        return error_page(request, 403, NOT_OURS, "Load the page again.")
    parts = request.app[PARTS]
    try:
        await answer_from_phone(parts, _board(parts), said(fields))
    except NothingThereError:
        return web.Response(status=303, headers={"Location": "/sim?said=nothing"})
    return web.Response(status=303, headers={"Location": "/sim"})


async def sim_fire(request: web.Request) -> web.Response:
    """Fire an example alert, as its source would: 303 back to the phones."""
    fields = await checked_form(request)
    if fields is None:
        return error_page(request, 403, NOT_OURS, "Load the page again.")
    parts = request.app[PARTS]
    _board(parts)
    example = parts.examples.get(fields.get("example", ""))
    found = None
    if example is not None:
        found = read_example(parts.engine.ruleset, example, parts.engine.clock.now())
    if found is None:
        return error_page(request, 404, "There is no such example.", "Examples lie beside the rules, in payloads/.")
    spec, parsed = found
    await parts.engine.submit(Ingest(source=spec.name, alerts=parsed.alerts))
    return web.Response(status=303, headers={"Location": "/sim?said=fired"})
