"""What providers call: receipts, texts, keys, buttons.

- Every request is checked against the address that *we* gave out (built from the external URL), never against what the
  request says of itself. There is no unsigned mode.
- An address carries a MAC over what it is for, so a stranger cannot even ask the store whether a reference exists.
- Callbacks may come late, twice, and in any order: receipts only move states forward, texts are known by their id.
"""

import asyncio
import hmac
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from urllib.parse import quote
from xml.sax.saxutils import escape

import structlog
from aiohttp import web
from pydantic_core import from_json

from escalatord.core.incident import Via
from escalatord.core.roster import ChannelKind, ChannelSpec
from escalatord.core.ruleset import Ruleset
from escalatord.engine.commands import Receipt, Stranger
from escalatord.errors import DeliveryError
from escalatord.notify import slack
from escalatord.notify.twilio_status import twilio_status
from escalatord.notify.wire import reveal
from escalatord.respond import Untaken
from escalatord.respond.keypad import KEY_ACK
from escalatord.web.answers import refuse
from escalatord.web.asking import form_fields, small_body
from escalatord.web.parts import PARTS, Route, WebParts

MAC_DIGITS = 32
INBOUND = "inbound"
KEYS_REMEMBERED_MAX = 10_000
FORGERIES_JOURNALED_PER_HOUR_MAX = 600
EMPTY_RESPONSE = "<Response/>"
XML = "text/xml"
SLACK_ANSWERS = "https://hooks.slack.com/"
ANSWER_SECONDS = 5.0
OVER = frozenset({"completed", "busy", "no-answer", "failed", "canceled"})

log = structlog.get_logger("escalatord.web")


def callback_path(external_url: str, secret: bytes) -> Callable[[str, str, str], str]:
    """Return what gives channels their callback addresses: (provider, kind, reference) to a whole URL."""

    def path(provider: str, kind: str, reference: str) -> str:
        mac = callback_mac(secret, provider, kind, reference)
        return f"{external_url.rstrip('/')}/callbacks/{provider}/{kind}/{quote(reference, safe='')}/{mac}"

    return path


def callback_mac(secret: bytes, provider: str, kind: str, reference: str) -> str:
    """Return the MAC that an address for this purpose carries."""
    return hmac.new(secret, f"callback\n{provider}\n{kind}\n{reference}".encode(), "sha256").hexdigest()[:MAC_DIGITS]


class CallMemory:
    """What must be remembered between two callbacks: calls in which a key was pressed, forgeries told this hour.

    Forgotten at a restart, which costs nothing wrong: a key that was pressed has long been committed as an answer.
    """

    def __init__(self) -> None:
        self._keys: OrderedDict[str, None] = OrderedDict()
        self._hour = ""
        self._forgeries = 0

    def pressed(self, reference: str) -> None:
        """Remember that a key was pressed in this call."""
        self._keys[reference] = None
        if len(self._keys) > KEYS_REMEMBERED_MAX:
            self._keys.popitem(last=False)

    def was_pressed(self, reference: str) -> bool:
        """Return whether a key was pressed in this call."""
        return reference in self._keys

    def may_journal(self, hour: str) -> bool:
        """Return whether one more forgery may be journaled in this hour; past the limit they are only refused."""
        if hour != self._hour:
            self._hour, self._forgeries = hour, 0
        self._forgeries += 1
        return self._forgeries <= FORGERIES_JOURNALED_PER_HOUR_MAX


MEMORY: web.AppKey[CallMemory] = web.AppKey("call_memory", CallMemory)
TASKS = web.AppKey("callback_tasks", set[asyncio.Task[None]])


def routes() -> list[Route]:
    """Return the routes."""
    return [
        Route("POST", "/callbacks/twilio/{kind}/{reference}/{mac}", twilio),
        Route("POST", "/callbacks/slack/actions", slack_actions),
    ]


async def _forged(request: web.Request, via: Via, say: str) -> web.Response:
    parts = request.app[PARTS]
    now = parts.engine.clock.now()
    if request.app[MEMORY].may_journal(f"{now:%Y-%m-%d %H}"):
        await parts.engine.submit(Stranger(via=via, who="", say=say))
    return refuse(403, "forbidden", say)


# ------------------------------------------------------------------------------------------------------- Twilio


async def twilio(request: web.Request) -> web.Response:
    """Take one signed request of Twilio's: `status`, `sms`, `voice` or `voice-inbound`."""
    kind, reference = request.match_info["kind"], request.match_info["reference"]
    handler = TWILIO_KINDS.get(kind)
    parts = request.app[PARTS]
    mac = callback_mac(parts.secret, "twilio", kind, reference)
    via = Via.SMS if kind == "sms" else Via.CALL
    if handler is None or not hmac.compare_digest(mac.encode(), request.match_info["mac"].encode(errors="replace")):
        return await _forged(request, via, "This is no callback address of ours.")
    fields = form_fields(await small_body(request))
    url = callback_path(parts.external_url, parts.secret)("twilio", kind, reference)
    if not _signed_by_twilio(parts.engine.ruleset, url, fields, request.headers.get("X-Twilio-Signature", "")):
        if kind == "sms" or dict(fields).get("Digits") == KEY_ACK:
            parts.engine.on_untaken(via, Untaken.REFUSED)
        return await _forged(request, via, "A Twilio callback was not signed by an account of ours.")
    return await handler(request, dict(fields), reference)


def _signed_by_twilio(ruleset: Ruleset, url: str, fields: list[tuple[str, str]], signature: str) -> bool:
    from multidict import MultiDict  # noqa: PLC0415 - with the SDK below: only who uses Twilio pays for its import

    from escalatord.notify.twilio_http import verify  # noqa: PLC0415 - 0.3 s and 20 MB of SDK

    tokens = {
        reveal(spec.settings.get("auth_token")) for spec in ruleset.channels.values() if spec.provider == "twilio"
    }
    params = MultiDict(fields)
    return any([verify(token, url, params, signature) for token in tokens - {""}])  # noqa: C419 - the same time for all


async def _status(request: web.Request, fields: Mapping[str, str], reference: str) -> web.Response:
    parts = request.app[PARTS]
    code = int(fields["ErrorCode"]) if fields.get("ErrorCode", "").isdigit() else None
    if "CallStatus" in fields and "MessageStatus" not in fields:
        status = fields["CallStatus"]
        row = await parts.engine.read(lambda tx: tx.outbox_get(reference)) if status in OVER else None
        if row is not None:
            seconds = float(fields.get("CallDuration", "0")) if fields.get("CallDuration", "").isdigit() else 0.0
            pressed = request.app[MEMORY].was_pressed(reference)
            await parts.keypad.hung_up(row, seconds, status, key_pressed=pressed)
            return web.Response(status=204)
        heard = twilio_status(ChannelKind.CALL, status, code, provider_id=fields.get("CallSid", ""))
    else:
        status = fields.get("MessageStatus") or fields.get("SmsStatus", "")
        heard = twilio_status(ChannelKind.SMS, status, code, provider_id=fields.get("MessageSid", ""))
    await parts.engine.submit(
        Receipt(reference=reference, status=heard.status, reason=heard.reason, provider_id=heard.provider_id)
    )
    return web.Response(status=204)


async def _sms(request: web.Request, fields: Mapping[str, str], reference: str) -> web.Response:
    del reference
    reply = await request.app[PARTS].sms.receive(
        fields.get("From", ""), fields.get("Body", ""), via=Via.SMS, provider_id=fields.get("MessageSid", "")
    )
    body = EMPTY_RESPONSE if not reply else f"<Response><Message>{escape(reply)}</Message></Response>"
    return web.Response(text=body, content_type=XML)


async def _voice(request: web.Request, fields: Mapping[str, str], reference: str) -> web.Response:
    parts = request.app[PARTS]
    row = await parts.engine.read(lambda tx: tx.outbox_get(reference))
    digit = fields.get("Digits", "")[:1]
    if row is None:
        if digit == KEY_ACK:
            parts.engine.on_untaken(Via.CALL, Untaken.REFUSED)
        return _hang_up(("This page is no longer known. Goodbye.",))
    if digit:
        request.app[MEMORY].pressed(reference)
    spoken = await parts.keypad.key(row, digit)
    if spoken.hang_up:
        return _hang_up(spoken.sentences)
    return _again(parts, row.channel, spoken.sentences, "voice", reference)


async def _voice_inbound(request: web.Request, fields: Mapping[str, str], reference: str) -> web.Response:
    parts = request.app[PARTS]
    spoken = await parts.keypad.called_back(fields.get("From", ""), fields.get("Digits", "")[:1])
    if spoken is None:
        return web.Response(text="<Response><Reject/></Response>", content_type=XML)
    if spoken.hang_up:
        return _hang_up(spoken.sentences)
    channel = next((name for name, spec in parts.engine.ruleset.channels.items() if _twilio_call(spec)), "")
    return _again(parts, channel, spoken.sentences, "voice-inbound", reference)


def _twilio_call(spec: ChannelSpec) -> bool:
    return spec.provider == "twilio" and spec.kind is ChannelKind.CALL


TWILIO_KINDS = {"status": _status, "sms": _sms, "voice": _voice, "voice-inbound": _voice_inbound}


def _again(parts: WebParts, channel: str, sentences: tuple[str, ...], kind: str, reference: str) -> web.Response:
    from escalatord.notify.twilio_voice import spoken_language, twiml  # noqa: PLC0415 - as above

    spec = parts.engine.ruleset.channels.get(channel)
    settings = spec.settings if spec is not None else {}
    text = twiml(
        sentences,
        action=callback_path(parts.external_url, parts.secret)("twilio", kind, reference),
        language=spoken_language("", reveal(settings.get("language"))),
        voice=reveal(settings.get("voice")),
    )
    return web.Response(text=text, content_type=XML)


def _hang_up(sentences: tuple[str, ...]) -> web.Response:
    say = "".join(f"<Say>{escape(sentence)}</Say>" for sentence in sentences)
    return web.Response(text=f"<Response>{say}<Hangup/></Response>", content_type=XML)


# -------------------------------------------------------------------------------------------------------- Slack


async def slack_actions(request: web.Request) -> web.Response:
    """Take one signed click of Slack's; what it came to is told at the address that the click brought along."""
    parts = request.app[PARTS]
    body = await small_body(request)
    if not _signed_by_slack(parts, request, body):
        parts.engine.on_untaken(Via.CHAT, Untaken.REFUSED)
        return await _forged(request, Via.CHAT, "A Slack callback was not signed for a channel of ours.")
    payload = dict(form_fields(body)).get("payload", "")
    try:
        content = from_json(payload)
    except ValueError:
        content = None
    click = _click(content)
    if click is None:
        return web.Response(status=200)  # a kind of interaction that means nothing here: Slack wants 200 all the same
    told = await parts.chat.click(click.user, click.action, click.value)
    if parts.answer_chat is not None and click.answer_to.startswith(SLACK_ANSWERS):
        task = asyncio.create_task(_tell(parts.answer_chat, click.answer_to, told.text), name="slack-answer")
        request.app[TASKS].add(task)
        task.add_done_callback(request.app[TASKS].discard)
    return web.Response(status=200)


async def _tell(answer_chat: Callable[[str, str], Awaitable[None]], address: str, text: str) -> None:
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            await answer_chat(address, text)
    except (DeliveryError, OSError, TimeoutError) as error:
        # The click is committed; only the words about it are lost, and the message itself is edited soon.
        log.warning("chat answer not delivered", error=type(error).__name__)


def _signed_by_slack(parts: WebParts, request: web.Request, body: bytes) -> bool:
    stamp = request.headers.get("X-Slack-Request-Timestamp", "")
    signature = request.headers.get("X-Slack-Signature", "")
    channels = parts.engine.ruleset.channels.values()
    known = {reveal(spec.settings.get("signing_secret")) for spec in channels if spec.provider == "slack"}
    now = parts.engine.clock.now()
    return any([slack.verify(each, stamp, body, signature, now) for each in known - {""}])  # noqa: C419 - as above


@dataclass(frozen=True, slots=True, kw_only=True)
class _Click:
    user: str
    action: str
    value: str
    answer_to: str


def _click(content: object) -> _Click | None:
    if not isinstance(content, dict) or content.get("type") != "block_actions":
        return None
    actions, user = content.get("actions"), content.get("user")
    action = actions[0] if isinstance(actions, list) and actions else None
    if not isinstance(action, dict) or not isinstance(user, dict):
        return None
    chosen = action.get("selected_option")
    value = chosen.get("value") if isinstance(chosen, dict) else action.get("value")
    found = {
        "user": user.get("id"),
        "action": action.get("action_id"),
        "value": value or "",
        "answer_to": content.get("response_url") or "",
    }
    texts = {key: text for key, text in found.items() if isinstance(text, str)}
    return _Click(**texts) if len(texts) == len(found) else None
