"""Slack: one message for each incident, edited in place; refusals; signatures."""

import json
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest

from escalatord.core.incident import Attempt, NoticeKind
from escalatord.core.roster import ChannelKind
from escalatord.errors import DeliveryError
from escalatord.notify import slack
from escalatord.notify.slack import EDITS, verify
from tests.fakes.http import Answer
from tests.fakes.messages import PAGE, Secret, message, outside, spec
from tests.fakes.slack import SlackFake, signed
from tests.fakes.stepped_clock import SteppedClock

ANA = message(address="U01ANA")


@asynccontextmanager
async def workspace(**settings):
    """Connect the channel to a fake workspace; yields (fake, channel)."""
    async with SlackFake() as fake:
        given = {"token": Secret(fake.token), "room": "C01OPS", "base_url": fake.url + "/api", "timeout_seconds": 0.3}
        channel = slack.build(spec(ChannelKind.CHAT, "slack", **{**given, **settings}), outside(SteppedClock()))
        yield fake, channel
        await channel.close()


def calls(fake):
    """Return the methods called and their content."""
    return [(request.path.removeprefix("/api/"), json.loads(request.body)) for request in fake.requests]


@pytest.mark.asyncio
async def test_page_is_posted_exactly_so():
    """The room gets a sentence that mentions the person, the text, the buttons, and no previews."""
    async with workspace() as (fake, channel):
        receipt = await channel.send(ANA)
        assert (receipt.status, receipt.provider_id) == (Attempt.ACCEPTED, "C01OPS:1792804260.000001")
        ((method, content),) = calls(fake)
        shown = content.pop("blocks")
        assert method == "chat.postMessage"
        assert content == {
            "channel": "C01OPS", "text": "<@U01ANA> checkout: 5xx rate 8.2% over 5% for 5m.", "unfurl_links": False,
            "unfurl_media": False,
        }  # fmt: skip
        assert [block["type"] for block in shown] == ["section", "section", "actions"]
        assert {"type": "mrkdwn", "text": ANA.text, "verbatim": True} == shown[1]["text"]


@pytest.mark.parametrize("kind", NoticeKind)
@pytest.mark.asyncio
async def test_later_message_edits_or_goes_to_the_thread(kind):
    """News of the incident changes its one message; a new page is a reply in its thread, so that it rings."""
    async with workspace() as (fake, channel):
        first = await channel.send(ANA)
        later = await channel.send(message(kind=kind, thread=first.provider_id, address="U02BO"))
        method, content = calls(fake)[-1]
        if kind in EDITS:
            assert ("chat.update", first.provider_id, 1) == (method, later.provider_id, len(fake.messages))
            assert (content["channel"], content["ts"]) == ("C01OPS", "1792804260.000001")
            assert "unfurl_links" not in content
        else:
            assert (method, content["thread_ts"]) == ("chat.postMessage", "1792804260.000001")
            assert (kind is NoticeKind.LAST_RESORT) is content["reply_broadcast"]
            assert content["text"].startswith("<@U02BO> ")


@pytest.mark.asyncio
async def test_message_that_is_gone_is_posted_anew():
    """Somebody deleted the message: the news is told all the same."""
    async with workspace() as (fake, channel):
        receipt = await channel.send(message(kind=NoticeKind.STAND_DOWN, thread="C01OPS:1.000001", address=""))
        assert [method for method, _ in calls(fake)] == ["chat.update", "chat.postMessage"]
        assert receipt.provider_id in fake.messages


@pytest.mark.asyncio
async def test_layout_that_is_refused_goes_out_as_plain_text():
    """A refusal of the blocks costs the buttons, never the page (T92)."""
    async with workspace() as (fake, channel):
        fake.refuse.append("invalid_blocks")
        assert (await channel.send(ANA)).provider_id
        content = calls(fake)[-1][1]
        assert "blocks" not in content
        assert content["text"].startswith("<@U01ANA> checkout: 5xx rate")
        assert content["text"].endswith(PAGE.link)


@pytest.mark.asyncio
async def test_without_a_room_the_person_is_written_to():
    """No room configured: a direct message, and nobody else's thread is touched."""
    async with workspace(room="") as (fake, channel):
        receipt = await channel.send(message(address="U01ANA", thread="D02BO:1.2", kind=NoticeKind.ACKED))
        assert receipt.provider_id == "D01ANA:1792804260.000001"
        assert (calls(fake)[0][1]["channel"], "thread_ts" in calls(fake)[0][1]) == ("U01ANA", False)


@pytest.mark.parametrize(
    ("word", "reason", "permanent", "unknown"),
    [
        ("ratelimited", "rate_limited", False, False), ("invalid_auth", "auth", True, False),
        ("token_revoked", "auth", True, False), ("missing_scope", "auth", True, False),
        ("channel_not_found", "bad_address", True, False), ("user_not_found", "bad_address", True, False),
        ("not_in_channel", "unreachable", True, False), ("is_archived", "unreachable", True, False),
        ("msg_too_long", "client_error", True, False), ("internal_error", "server_error", False, True),
        ("fatal_error", "server_error", False, True), ("<script>U01ANA", "client_error", True, False),
    ],
)  # fmt: skip
@pytest.mark.asyncio
async def test_refusal_gives_its_reason(word, reason, permanent, unknown):
    """Each word of Slack's has its reason; one that is no word is not repeated."""
    async with workspace() as (fake, channel):
        fake.refuse.append(word)
        with pytest.raises(DeliveryError) as caught:
            await channel.send(ANA)
        assert (reason, permanent, unknown) == (caught.value.reason, caught.value.permanent, caught.value.unknown)
        assert "U01ANA" not in str(caught.value)
        assert len(fake.requests) == 1


@pytest.mark.asyncio
async def test_lost_answer_is_not_repeated():
    """After an unknown outcome the channel itself sends nothing again."""
    async with workspace() as (fake, channel):
        fake.script.append(Answer(status=504, taken=True))
        with pytest.raises(DeliveryError) as caught:
            await channel.send(ANA)
        assert (caught.value.unknown, len(fake.messages)) == (True, 1)


BODY = b"payload=%7B%22type%22%3A%22block_actions%22%7D"
NOW = SteppedClock().now()
STAMP = str(int(NOW.timestamp()))


def test_genuine_click_is_believed():
    """A fresh request with Slack's signature is accepted, up to five minutes old."""
    assert verify("s3", STAMP, BODY, signed("s3", STAMP, BODY), NOW)
    assert verify("s3", STAMP, BODY, signed("s3", STAMP, BODY), NOW + timedelta(seconds=300))


@pytest.mark.parametrize(
    ("secret", "stamp", "body", "shift"),
    [
        ("s4", STAMP, BODY, 0), ("s3", str(int(STAMP) + 1), BODY, 0), ("s3", STAMP, BODY + b"x", 0),
        ("s3", STAMP, BODY[:-1], 0), ("s3", STAMP, b"", 0), ("s3", STAMP, BODY, 301), ("s3", STAMP, BODY, -301),
        ("s3", "", BODY, 0), ("s3", "soon", BODY, 0), ("s3", "-" + STAMP, BODY, 0), ("s3", " " + STAMP, BODY, 0),
        ("s3", "٣" * 10, BODY, 0), ("s3", "9" * 4000, BODY, 0), ("", STAMP, BODY, 0),
    ],
)  # fmt: skip
def test_click_forged_moved_or_replayed_is_refused(secret, stamp, body, shift):
    """Another secret, instant, body, or an age above five minutes is never believed."""
    assert not verify(secret, stamp, body, signed("s3", STAMP, BODY), NOW + timedelta(seconds=shift))


def test_every_changed_character_of_a_click_is_refused():
    """Each single changed byte of body and signature is found; an empty secret signs nothing."""
    good = signed("s3", STAMP, BODY)
    for at in range(len(BODY)):
        assert not verify("s3", STAMP, BODY[:at] + b"\x00" + BODY[at + 1 :], good, NOW)
    for at in range(len(good)):
        assert not verify("s3", STAMP, BODY, good[:at] + "x" + good[at + 1 :], NOW)
    for bad in ("", "v0=", "ñ", good[3:], good.replace("v0", "v1")):
        assert not verify("s3", STAMP, BODY, bad, NOW)
    assert not verify("", STAMP, BODY, signed("", STAMP, BODY), NOW)
