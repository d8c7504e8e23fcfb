"""What providers call: signed, idempotent, truthful."""

import asyncio
import hmac
import json
from dataclasses import replace
from urllib.parse import urlencode

import pytest
import pytest_asyncio
from structlog.testing import capture_logs
from twilio.request_validator import RequestValidator

from escalatord.core.incident import Attempt
from escalatord.core.roster import ChannelKind
from escalatord.engine.commands import Receipt, Stranger, Unreachable
from escalatord.errors import DeliveryError, DeliveryReason
from escalatord.web import callbacks
from escalatord.web.callbacks import INBOUND, TASKS, CallMemory, callback_path
from tests.fakes.web_engine import EXTERNAL_URL, SECRET, Night, night

AUTH_TOKEN = "twilio-auth-token"
SIGNING_SECRET = "slack-signing-secret"
ACCOUNT = "AC" + "0" * 32
MESSAGE = "SM" + "0" * 32
CALL = "CA" + "0" * 32
ADDRESS_OF = callback_path(EXTERNAL_URL, SECRET)


@pytest_asyncio.fixture
async def wired(tmp_path):
    """Return a daemon whose texts and calls go by Twilio and whose chat is Slack; answers to chats are kept."""
    told: list[tuple[str, str]] = []

    async def answer_chat(address: str, text: str) -> None:
        told.append((address, text))

    async with night(tmp_path, answer_chat=answer_chat) as world:
        channels = dict(world.engine.ruleset.channels)
        for name, spec in channels.items():
            if spec.kind in {ChannelKind.SMS, ChannelKind.CALL}:
                channels[name] = replace(spec, provider="twilio", settings={"auth_token": AUTH_TOKEN})
            if spec.kind is ChannelKind.CHAT:
                settings = {"signing_secret": SIGNING_SECRET}
                channels[name] = replace(spec, provider="slack", address_key="slack", settings=settings)
        people = {
            who.id: replace(who, addresses={**who.addresses, "slack": f"U{who.id.upper()}"})
            for who in world.engine.ruleset.people.values()
        }
        world.engine.rules = replace(world.engine.ruleset, channels=channels, people=people)
        world.told = told
        yield world


async def twilio(world: Night, kind: str, reference: str, *, sign: bool = True, **fields: str):
    """Post a callback as Twilio would, signed for the external address."""
    url = ADDRESS_OF("twilio", kind, reference)
    fields = {"AccountSid": ACCOUNT, "From": "+15550100100", "To": "+15550100101", **fields}
    signature = RequestValidator(AUTH_TOKEN).compute_signature(url, fields) if sign else "AAAA"
    return await world.client.post(
        url.removeprefix(EXTERNAL_URL), data=fields, headers={"X-Twilio-Signature": signature}
    )


async def page_of(world: Night, channel: str):
    """Fire an alert and return the claimed page that goes by `channel`, with its code."""
    await world.incident("HighErrorRate", service="checkout", transaction_failure_rate="9")
    claimed = await world.claim(1)
    if not any(each.row.channel == channel for each in claimed):
        world.clock.move(minutes=4)
        await world.due()
        claimed = await world.claim(1)
    return next(each for each in claimed if each.row.channel == channel and each.row.track == "technical")


def number_of(world: Night, person: str) -> str:
    """Return a person's phone number."""
    return world.engine.ruleset.people[person].addresses["sms"]


@pytest.mark.parametrize(
    ("status", "code", "state"),
    [
        ("sent", "", Attempt.ACCEPTED),
        ("delivered", "", Attempt.DELIVERED),
        ("undelivered", "30003", Attempt.FAILED_PERMANENT),
        ("failed", "21610", Attempt.FAILED_PERMANENT),
    ],
)
@pytest.mark.asyncio
async def test_a_status_becomes_a_receipt(wired: Night, status, code, state):
    """What Twilio says of a text is committed as news of the attempt."""
    page = await page_of(wired, "sms")
    fields = {"MessageSid": MESSAGE, "MessageStatus": status, **({"ErrorCode": code} if code else {})}
    answer = await twilio(wired, "status", page.row.reference, **fields)
    assert answer.status == 204
    receipt = wired.engine.commands[-1]
    assert isinstance(receipt, Receipt)
    assert (receipt.reference, receipt.status, receipt.provider_id) == (page.row.reference, state, MESSAGE)


@pytest.mark.asyncio
async def test_receipts_may_come_twice_and_out_of_order(wired: Night):
    """After `delivered` an older `sent` moves nothing."""
    page = await page_of(wired, "sms")
    for status in ("delivered", "sent", "delivered", "queued"):
        await twilio(wired, "status", page.row.reference, MessageSid=MESSAGE, MessageStatus=status)
    row = wired.store.read(lambda tx: tx.outbox_get(page.row.reference))
    assert row.state is Attempt.DELIVERED


# ------------------------------------------------------------------------------------------------------- texts


@pytest.mark.asyncio
async def test_a_text_with_the_code_acks(wired: Night):
    """The reply is TwiML with the truthful answer; the same id again has no second effect."""
    page = await page_of(wired, "sms")
    fields = {"MessageSid": MESSAGE, "From": number_of(wired, page.row.person), "To": "+15550100100", "Body": page.code}
    first = await twilio(wired, "sms", INBOUND, **fields)
    text = await first.text()
    assert first.content_type == "text/xml"
    assert text.startswith("<Response><Message>OK: you own")
    count = len(wired.engine.commands)
    assert await (await twilio(wired, "sms", INBOUND, **fields)).text() == text
    assert len(wired.engine.commands) == count
    found = await (await wired.client.get("/api/v1/incidents/1")).json()
    assert found["tracks"][0]["acknowledged_via"] == "sms"


@pytest.mark.parametrize("body", ["STOP", " stop ", "\uff33\uff34\uff2f\uff30"])
@pytest.mark.asyncio
async def test_stop_gets_no_reply_and_marks_the_phone(wired: Night, body):
    """A carrier word is not answered; the phone counts as unreachable."""
    fields = {"MessageSid": MESSAGE, "From": number_of(wired, "ana"), "Body": body}
    answer = await twilio(wired, "sms", INBOUND, **fields)
    assert await answer.text() == "<Response/>"
    assert isinstance(wired.engine.commands[-1], Unreachable)


@pytest.mark.asyncio
async def test_a_stranger_gets_no_reply(wired: Night):
    """An unknown number is journaled without being answered."""
    answer = await twilio(wired, "sms", INBOUND, MessageSid=MESSAGE, From="+15550199999", Body="ok")
    assert await answer.text() == "<Response/>"
    assert isinstance(wired.engine.commands[-1], Stranger)
    assert "99999" not in str(wired.engine.commands[-1])


# ------------------------------------------------------------------------------------------------------- calls


@pytest.mark.asyncio
async def test_key_4_acks_and_hangs_up(wired: Night):
    """The key's answer is spoken, and the end of the call is then no failure."""
    page = await page_of(wired, "call")
    reference = page.row.reference
    answer = await twilio(wired, "voice", reference, CallSid=CALL, CallStatus="in-progress", Digits="4")
    text = await answer.text()
    assert "is yours" in text
    assert text.endswith("<Hangup/></Response>")
    await twilio(wired, "status", reference, CallSid=CALL, CallStatus="completed", CallDuration="12")
    assert wired.engine.commands[-1].status is Attempt.DELIVERED


@pytest.mark.asyncio
async def test_another_key_repeats_the_menu(wired: Night):
    """The call goes on and listens for a key at the same address."""
    page = await page_of(wired, "call")
    answer = await twilio(wired, "voice", page.row.reference, CallSid=CALL, CallStatus="in-progress", Digits="1")
    text = await answer.text()
    assert "<Gather" in text
    assert ADDRESS_OF("twilio", "voice", page.row.reference) in text


@pytest.mark.parametrize(
    ("status", "seconds", "reason"),
    [
        ("completed", "20", DeliveryReason.NO_KEY),
        ("completed", "2", DeliveryReason.NO_ANSWER),
        ("busy", "", DeliveryReason.BUSY),
        ("no-answer", "", DeliveryReason.NO_ANSWER),
    ],
)
@pytest.mark.asyncio
async def test_a_call_without_a_key_reached_nobody(wired: Night, status, seconds, reason):
    """Voicemail, a dropped call and a busy line are failures at once."""
    page = await page_of(wired, "call")
    fields = {"CallDuration": seconds} if seconds else {}
    await twilio(wired, "status", page.row.reference, CallSid=CALL, CallStatus=status, **fields)
    receipt = wired.engine.commands[-1]
    assert (receipt.status, receipt.reason) == (Attempt.FAILED_PERMANENT, reason)


@pytest.mark.asyncio
async def test_a_call_about_nothing_known_ends_politely(wired: Night):
    """A reference that the store does not know gets words and a hang-up; what is heard of it moves nothing."""
    answer = await twilio(wired, "voice", "nothing", CallSid=CALL, CallStatus="in-progress", Digits="4")
    assert "no longer known" in await answer.text()
    assert wired.engine.untaken == [("call", "refused")]
    for status in ("ringing", "completed"):
        heard = await twilio(wired, "status", "nothing", CallSid=CALL, CallStatus=status)
        assert heard.status == 204


@pytest.mark.asyncio
async def test_calling_back_says_the_open_pages(wired: Night):
    """Somebody known hears what waits for them and may press a key; a stranger is rejected."""
    page = await page_of(wired, "call")
    caller = {"CallSid": CALL, "CallStatus": "ringing", "From": number_of(wired, page.row.person)}
    answer = await twilio(wired, "voice-inbound", INBOUND, **caller)
    assert "open page" in await answer.text()
    pressed = await twilio(wired, "voice-inbound", INBOUND, **caller, Digits="4")
    assert "is yours" in await pressed.text()
    stranger = await twilio(wired, "voice-inbound", INBOUND, **{**caller, "From": "+15550199999"})
    assert await stranger.text() == "<Response><Reject/></Response>"
    assert wired.engine.untaken == []


# --------------------------------------------------------------------------------------------------- forgeries


@pytest.mark.parametrize("kind", ["status", "sms", "voice", "voice-inbound"])
@pytest.mark.asyncio
async def test_an_unsigned_callback_is_refused_and_journaled(wired: Night, kind):
    """403, one journal entry, and nothing else."""
    fields = {"MessageSid": MESSAGE, "MessageStatus": "delivered", "CallSid": CALL, "CallStatus": "completed"}
    answer = await twilio(wired, kind, "x", sign=False, **fields)
    assert answer.status == 403
    (command,) = wired.engine.commands
    assert isinstance(command, Stranger)


@pytest.mark.parametrize(
    ("kind", "fields", "counted"),
    [
        ("sms", {"Body": "K7"}, [("sms", "refused")]),
        ("voice", {"Digits": "4"}, [("call", "refused")]),
        ("voice", {"Digits": "9"}, []),
        ("status", {"MessageStatus": "delivered"}, []),
    ],
)
@pytest.mark.asyncio
async def test_an_answer_without_a_signature_is_counted(wired: Night, kind, fields, counted):
    """When the external URL is wrong, every answer is refused: the metric is where that shows."""
    await twilio(wired, kind, "x", sign=False, **fields)
    assert wired.engine.untaken == counted


@pytest.mark.asyncio
async def test_a_signature_for_another_address_is_refused(wired: Night):
    """A signed request replayed to another reference, another kind, or another MAC is worth nothing."""
    fields = {"AccountSid": ACCOUNT, "MessageSid": MESSAGE, "MessageStatus": "delivered"}
    url = ADDRESS_OF("twilio", "status", "one")
    headers = {"X-Twilio-Signature": RequestValidator(AUTH_TOKEN).compute_signature(url, fields)}
    for other in (
        ADDRESS_OF("twilio", "status", "two"),
        ADDRESS_OF("twilio", "sms", "one"),
        url[:-1] + ("0" if url[-1] != "0" else "1"),
        url.replace("/one/", "/two/"),
    ):
        answer = await wired.client.post(other.removeprefix(EXTERNAL_URL), data=fields, headers=headers)
        assert answer.status == 403
    assert all(isinstance(command, Stranger) for command in wired.engine.commands)


@pytest.mark.asyncio
async def test_what_the_request_says_of_itself_does_not_matter(wired: Night):
    """A forged Host or scheme cannot make a signature for another address fit."""
    fields = {"AccountSid": ACCOUNT, "MessageSid": MESSAGE, "MessageStatus": "delivered"}
    path = ADDRESS_OF("twilio", "status", "one").removeprefix(EXTERNAL_URL)
    evil = RequestValidator(AUTH_TOKEN).compute_signature("http://evil.example" + path, fields)
    headers = {"Host": "evil.example", "X-Forwarded-Proto": "http", "X-Twilio-Signature": evil}
    assert (await wired.client.post(path, data=fields, headers=headers)).status == 403


@pytest.mark.asyncio
async def test_forgeries_do_not_fill_the_journal(wired: Night, monkeypatch):
    """Past a limit in the hour they are only refused; the next hour counts anew."""
    monkeypatch.setattr(callbacks, "FORGERIES_JOURNALED_PER_HOUR_MAX", 2)
    for _ in range(5):
        assert (await twilio(wired, "status", "x", sign=False, MessageSid=MESSAGE)).status == 403
    assert len(wired.engine.commands) == 2
    wired.clock.move(hours=1)
    await twilio(wired, "status", "x", sign=False, MessageSid=MESSAGE)
    assert len(wired.engine.commands) == 3


def test_the_memory_of_pressed_keys_is_bounded(monkeypatch):
    """The oldest call is forgotten first."""
    monkeypatch.setattr(callbacks, "KEYS_REMEMBERED_MAX", 2)
    memory = CallMemory()
    for reference in ("a", "b", "c"):
        memory.pressed(reference)
    assert [memory.was_pressed(reference) for reference in ("a", "b", "c")] == [False, True, True]


@pytest.mark.parametrize("reference", ["i1-1-0", "a/b", "a b", "ä", "%2F", "x?y#z"])
def test_addresses_hold_any_reference(reference):
    """A reference is one part of the path, whatever stands in it."""
    path = ADDRESS_OF("twilio", "status", reference).removeprefix(EXTERNAL_URL)
    assert path.count("/") == 5
    assert not {"?", "#", " "} & set(path)


# ------------------------------------------------------------------------------------------------------- Slack


async def slack(world: Night, payload: object, *, secret: str = SIGNING_SECRET, age: int = 0):
    """Post an interaction as Slack would, signed."""
    body = urlencode({"payload": json.dumps(payload)}).encode()
    stamp = str(int(world.clock.now().timestamp()) - age)
    mac = hmac.digest(secret.encode(), f"v0:{stamp}:".encode() + body, "sha256").hex()
    headers = {
        "X-Slack-Request-Timestamp": stamp,
        "X-Slack-Signature": f"v0={mac}",
        "Content-Type": "application/x-www-form-urlencoded",
    }
    return await world.client.post("/callbacks/slack/actions", data=body, headers=headers)


def click(user: str, action: dict[str, object]) -> dict[str, object]:
    """Return a click on a button."""
    return {
        "type": "block_actions",
        "user": {"id": user},
        "actions": [action],
        "response_url": "https://hooks.slack.com/actions/T0/1/x",
    }


async def told(world: Night) -> list[tuple[str, str]]:
    """Return what chats were told, once every answer is out."""
    await asyncio.gather(*list(world.client.app[TASKS]))
    return world.told


@pytest.mark.asyncio
async def test_a_click_acks_and_is_answered(wired: Night):
    """The click of a linked user is theirs; the answer goes to the address that came along."""
    page = await page_of(wired, "chat")
    user = f"U{page.row.person.upper()}"
    action = {"action_id": "ack", "value": f"{page.row.reference}|{page.row.epoch}"}
    assert (await slack(wired, click(user, action))).status == 200
    found = await (await wired.client.get("/api/v1/incidents/1")).json()
    assert found["tracks"][0]["acknowledged_via"] == "chat"
    ((address, text),) = await told(wired)
    assert address.startswith("https://hooks.slack.com/")
    assert text


@pytest.mark.asyncio
async def test_a_choice_of_more_is_understood(wired: Night):
    """The value of a chosen option is what counts."""
    page = await page_of(wired, "chat")
    option = {"value": f"snooze|{page.row.reference}|{page.row.epoch}"}
    await slack(wired, click(f"U{page.row.person.upper()}", {"action_id": "more", "selected_option": option}))
    found = await (await wired.client.get("/api/v1/incidents/1")).json()
    assert any(entry["kind"] == "snoozed" for entry in found["timeline"])


@pytest.mark.asyncio
async def test_an_unlinked_user_acks_nothing(wired: Night):
    """Somebody whose account belongs to nobody is told how to link it."""
    page = await page_of(wired, "chat")
    await slack(wired, click("UNOBODY", {"action_id": "ack", "value": f"{page.row.reference}|{page.row.epoch}"}))
    assert (await (await wired.client.get("/api/v1/incidents/1")).json())["state"] == "open"
    ((_, text),) = await told(wired)
    assert "Link your account" in text


@pytest.mark.parametrize(
    "payload",
    [
        None,
        [],
        {"type": "view_submission"},
        {"type": "block_actions"},
        {"type": "block_actions", "user": {"id": "U1"}, "actions": []},
        {"type": "block_actions", "user": {"id": 7}, "actions": [{"action_id": "ack"}]},
        {"type": "block_actions", "user": "U1", "actions": ["ack"]},
    ],
)
@pytest.mark.asyncio
async def test_interactions_that_mean_nothing_here_are_taken_quietly(wired: Night, payload):
    """Signed but foreign shapes get 200 and do nothing."""
    assert (await slack(wired, payload)).status == 200
    assert wired.engine.commands == []


@pytest.mark.parametrize("change", [{"secret": "wrong"}, {"age": 600}, {"age": -600}])
@pytest.mark.asyncio
async def test_a_click_that_slack_did_not_sign_now_is_refused(wired: Night, change):
    """A wrong signature or an old one is 403 and journaled."""
    assert (await slack(wired, click("UANA", {"action_id": "ack", "value": "x|1"}), **change)).status == 403
    assert isinstance(wired.engine.commands[-1], Stranger)
    assert wired.engine.untaken == [("chat", "refused")]


@pytest.mark.asyncio
async def test_answers_go_to_slack_only(wired: Night):
    """An address elsewhere is never posted to."""
    payload = {**click("UNOBODY", {"action_id": "ack", "value": "x|1"}), "response_url": "https://evil.example/"}
    await slack(wired, payload)
    assert await told(wired) == []


@pytest.mark.parametrize(
    "error", [DeliveryError(DeliveryReason.TIMEOUT, "slow", permanent=False), OSError("refused"), TimeoutError()]
)
@pytest.mark.asyncio
async def test_an_answer_that_cannot_be_delivered_is_only_logged(error):
    """The click stays committed when the words about it are lost."""

    async def failing(_address: str, _text: str) -> None:
        raise error

    with capture_logs() as logs:
        await callbacks._tell(failing, "https://hooks.slack.com/x", "text")
    said = {"event": "chat answer not delivered", "log_level": "warning", "error": type(error).__name__}
    assert logs == [said], "and neither the address nor the text"
