"""Texts by Twilio, against a fake that hurts like the real one."""

from contextlib import asynccontextmanager

import pytest

from escalatord.core.incident import Attempt
from escalatord.core.roster import ChannelKind
from escalatord.errors import DeliveryError
from escalatord.notify import twilio_sms
from escalatord.notify.channel import UNKNOWN
from escalatord.notify.twilio_http import verify
from escalatord.notify.twilio_sms import validity_seconds
from escalatord.notify.twilio_status import twilio_status
from tests.fakes.http import Answer, LocalServer, Trouble
from tests.fakes.messages import EXTERNAL_URL, LINK, PAGE, PHONE, Secret, message, outside, spec
from tests.fakes.stepped_clock import SteppedClock
from tests.fakes.twilio import TwilioFake


@asynccontextmanager
async def phones(**settings):
    """Connect the channel to a fake account; yields (fake, channel, clock)."""
    clock = SteppedClock()
    async with TwilioFake(now=clock.now, external_url=EXTERNAL_URL) as fake:
        given = {
            "account_sid": fake.account_sid, "auth_token": Secret(fake.auth_token), "from_": fake.sender,
            "base_url": fake.url, "timeout_seconds": 0.3,
        }  # fmt: skip
        channel = twilio_sms.build(spec(ChannelKind.SMS, "twilio", **{**given, **settings}), outside(clock))
        yield fake, channel, clock
        await channel.close()


@pytest.mark.asyncio
async def test_text_is_sent_exactly_so():
    """The body of the request holds these fields and no other; the validity is that of the message (T90)."""
    async with phones() as (fake, channel, _):
        receipt = await channel.send(PAGE)
        assert (Attempt.ACCEPTED, "SM" + f"{1:032x}") == (receipt.status, receipt.provider_id)
        (request,) = fake.requests
        assert f"/2010-04-01/Accounts/{fake.account_sid}/Messages.json" == request.path
        assert request.body == (
            b"To=%2B34600000021&StatusCallback=https%3A%2F%2Fesc.example.com%2Fcallbacks%2Ftwilio%2Fstatus%2F"
            b"142.technical.1.ana.sms.1%2Fmac&ValidityPeriod=300&From=%2B15550100000&Body=CRIT+K7+checkout%3A+5xx+rate"
            b"+8.2%25%0AReply+K7+to+ack%0Ahttps%3A%2F%2Fesc.example.com%2Fa%2F7QF3M9TX2B4KP"
        )


@pytest.mark.parametrize(("wanted", "given"), [(0, 60), (-5, 60), (60, 60), (300.7, 300), (1e9, 14_400)])
def test_validity_stays_in_its_limits(wanted, given):
    """A validity is never so short that slow carriers drop the text, nor longer than four hours."""
    assert given == validity_seconds(wanted)


@pytest.mark.parametrize(
    ("settings", "page", "reason", "permanent"),
    [
        ({"auth_token": "wrong"}, {}, "auth", True),
        ({}, {"address": "0600"}, "bad_address", True),
        ({}, {"address": "+34600000099"}, "opted_out", True),
        ({}, {"address": "+34910000000"}, "bad_address", True),
        ({"from_": "+15559999999"}, {}, "not_configured", True),
    ],
    ids=["wrong token", "not E.164", "sent STOP", "landline", "sender not ours"],
)
@pytest.mark.asyncio
async def test_refusal_gives_its_reason_and_never_the_number(settings, page, reason, permanent):
    """Twilio's sentences hold the whole number; ours do not."""
    async with phones(**settings) as (fake, channel, _):
        fake.opted_out, fake.landlines = {"+34600000099"}, {"+34910000000"}
        with pytest.raises(DeliveryError) as caught:
            await channel.send(message(**page))
        assert (reason, permanent) == (caught.value.reason, caught.value.permanent)
        assert message(**page).address not in f"{caught.value}"


@pytest.mark.asyncio
async def test_callback_that_twilio_refuses_is_not_left_out():
    """Nothing is given up to make an error go away (T95): one request, one error, no second try without callback."""
    async with phones() as (fake, _channel, clock):
        underscored = outside(clock)
        object.__setattr__(underscored, "callback_path", lambda *_: "https://bad_host.example.com/x")
        bad = twilio_sms.build(
            spec(ChannelKind.SMS, "twilio", account_sid=fake.account_sid, auth_token=fake.auth_token, from_=fake.sender,
                 base_url=fake.url), underscored,
        )  # fmt: skip
        with pytest.raises(DeliveryError, match="21609"):
            await bad.send(PAGE)
        await bad.close()
        assert (len(fake.requests), fake.messages) == (1, {})


@pytest.mark.parametrize("trouble", [Trouble.HANG, Trouble.RESET, Trouble.DRIP, None])
@pytest.mark.asyncio
async def test_text_whose_answer_was_lost_is_found_again(trouble):
    """After an unknown outcome the provider is asked, and knows: one message on record, none sent again (T1, T2)."""
    async with phones() as (fake, channel, clock):
        fake.script.append(Answer(status=502, trouble=trouble, taken=True))
        with pytest.raises(DeliveryError) as caught:
            await channel.send(PAGE)
        assert caught.value.unknown
        found = await channel.lookup(message(since=clock.now()))
        assert found.provider_id in fake.messages
        assert (found.status, len(fake.messages)) == (Attempt.ACCEPTED, 1)


@pytest.mark.asyncio
async def test_text_that_waits_in_the_queue_is_found():
    """Twilio's filter by date would leave out what it has not sent yet; we do not use it."""
    async with phones() as (fake, channel, _):
        receipt = await channel.send(PAGE)
        assert fake.messages[receipt.provider_id]["date_sent"] is None
        assert receipt == await channel.lookup(PAGE)


@pytest.mark.parametrize(
    ("earlier", "found"),
    [
        ({}, True),
        ({"text": f"other words {LINK}"}, True),
        ({"text": PAGE.text.replace("7QF3M9TX2B4KP", "0000000000000")}, False),
        ({"address": "+34600000022"}, False),
    ],
    ids=["the same", "other words, same link", "same words, other link", "another phone"],
)
@pytest.mark.asyncio
async def test_text_is_recognised_by_its_link(earlier, found):
    """The link names incident, person and channel, so it names the text."""
    async with phones() as (_, channel, _):
        await channel.send(message(**earlier))
        assert found is (await channel.lookup(PAGE) is not UNKNOWN)


@pytest.mark.asyncio
async def test_text_without_a_link_must_be_word_for_word_the_same():
    """A stand-down has no link; only the very same text is taken for it."""
    async with phones() as (_, channel, _):
        note = message(link="", text="STAND DOWN: K7 checkout recovered 03:19")
        await channel.send(note)
        assert await channel.lookup(note) is not UNKNOWN
        assert await channel.lookup(message(link="", text="STAND DOWN: K7 checkout recovered 03:20")) is UNKNOWN


@pytest.mark.asyncio
async def test_earlier_page_of_the_incident_is_not_taken_for_the_reminder():
    """The page and its reminder carry the same link: what is older than the reminder's due instant is not it."""
    async with phones() as (_, channel, clock):
        await channel.send(PAGE)
        await clock.pass_time(120)
        reminder = message(reference="142.technical.1.ana.sms.2", since=clock.now())
        assert await channel.lookup(reminder) is UNKNOWN
        sent = await channel.send(reminder)
        assert sent == await channel.lookup(reminder)


@pytest.mark.asyncio
async def test_first_page_is_not_taken_for_the_one_that_follows_at_once():
    """A severity that rises seconds after the first page sends the same link again: the first text's id is known."""
    async with phones() as (_, channel, clock):
        first = await channel.send(PAGE)
        worse = message(reference="i142-2-0", since=clock.now(), thread=first.provider_id)
        assert await channel.lookup(worse) is UNKNOWN
        sent = await channel.send(worse)
        assert sent == await channel.lookup(worse)


@pytest.mark.asyncio
async def test_lookup_by_id_says_what_became_of_it():
    """With Twilio's id a poll needs no list, and brings reason and end state."""
    async with phones() as (fake, channel, _):
        receipt = await channel.send(PAGE)
        await fake.progress(receipt.provider_id, "undelivered", 30005, copies=0)
        found = await channel.lookup(message(provider_id=receipt.provider_id))
        assert (found.status, found.reason) == (Attempt.FAILED_PERMANENT, "bad_address")
        assert fake.requests[-1].path.endswith(f"/Messages/{receipt.provider_id}.json")
        assert await channel.lookup(message(provider_id="SM" + "f" * 32)) is UNKNOWN


@pytest.mark.asyncio
async def test_callbacks_are_signed_and_verified_whatever_their_order():
    """Callbacks doubled, reordered and missing all carry a signature that we believe, and end the same."""
    async with phones() as (fake, channel, _):
        sid = (await channel.send(PAGE)).provider_id
        fake.hold = True
        await fake.progress(sid, "sent", copies=0)
        await fake.progress(sid, "delivered", copies=2)
        await fake.progress(sid, "sent")
        assert [each.params["MessageStatus"] for each in fake.held] == ["delivered", "delivered", "sent"]
        for callback in fake.held:
            assert f"{EXTERNAL_URL}/callbacks/twilio/status/142.technical.1.ana.sms.1/mac" == callback.url
            assert verify(fake.auth_token, callback.url, callback.params, callback.signature)


@pytest.mark.asyncio
async def test_fake_posts_its_callbacks_to_the_local_receiver():
    """The fake delivers over real HTTP, in the order that the test wants, and keeps the answers."""
    async with phones() as (fake, channel, _), LocalServer() as receiver:
        sid = (await channel.send(PAGE)).provider_id
        fake.local_url, fake.hold = receiver.url, True
        await fake.progress(sid, "sent")
        await fake.progress(sid, "delivered")
        await fake.release(order=(1, 0))
        assert [
            next(field for field in request.body.split(b"&") if field.startswith(b"MessageStatus"))
            for request in receiver.requests
        ] == [b"MessageStatus=delivered", b"MessageStatus=sent"]
        await fake.text(EXTERNAL_URL + "/callbacks/twilio/sms", PHONE, "K7")
        assert "x-twilio-signature" in receiver.requests[-1].headers
        assert [status for _, status, _ in fake.delivered] == [200, 200, 200]


@pytest.mark.asyncio
async def test_text_too_old_to_send_expires():
    """A text that Twilio could not send within its validity fails, and does not arrive in the morning."""
    async with phones() as (fake, channel, clock):
        sid = (await channel.send(PAGE)).provider_id
        await clock.pass_time(299)
        await fake.expire()
        assert fake.messages[sid]["status"] == "queued"
        await clock.pass_time(1)
        await fake.expire()
        row = fake.messages[sid]
        assert twilio_status(ChannelKind.SMS, row["status"], row["error_code"]).reason == "undelivered"
