"""Calls by Twilio: what is said, which key counts, and what a call that nobody answered is."""

from contextlib import asynccontextmanager
from urllib.parse import parse_qsl
from xml.etree import ElementTree as ET

import pytest

from escalatord.core.incident import Attempt
from escalatord.core.roster import ChannelKind
from escalatord.notify import twilio_voice
from escalatord.notify.channel import UNKNOWN
from escalatord.notify.twilio_http import verify
from escalatord.notify.twilio_status import twilio_status
from escalatord.notify.twilio_voice import TWIML_CHARACTERS_MAX, shortened, spoken_language, twiml
from tests.fakes.http import LocalServer
from tests.fakes.messages import EXTERNAL_URL, PAGE, Secret, message, outside, spec
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
        channel = twilio_voice.build(spec(ChannelKind.CALL, "twilio", **{**given, **settings}), outside(clock))
        yield fake, channel, clock
        await channel.close()


@pytest.mark.asyncio
async def test_call_is_made_exactly_so():
    """The request carries the words themselves, both callbacks and all four events, and nothing else."""
    async with phones(language="en-GB", voice="Polly.Amy") as (fake, channel, _):
        receipt = await channel.send(PAGE)
        assert (Attempt.ACCEPTED, "CA" + f"{1:032x}") == (receipt.status, receipt.provider_id)
        words = "Severity critical. Checkout. Press 4 if you have it. Press 8 to pass it on."
        say = f'<Say language="en-GB" voice="Polly.Amy">{words}</Say>'
        action = f"{EXTERNAL_URL}/callbacks/twilio/voice/142.technical.1.ana.sms.1/mac"
        assert [
            ("To", "+34600000021"), ("From", "+15550100000"),
            ("StatusCallback", f"{EXTERNAL_URL}/callbacks/twilio/status/142.technical.1.ana.sms.1/mac"),
            ("StatusCallbackEvent", "initiated"), ("StatusCallbackEvent", "ringing"),
            ("StatusCallbackEvent", "answered"), ("StatusCallbackEvent", "completed"),
            ("Timeout", "30"), ("TimeLimit", "180"),
            ("Twiml", (f'<Response><Gather numDigits="1" timeout="8" method="POST" action="{action}">{say}'
                      f'<Pause length="1"/>{say}</Gather><Hangup/></Response>')),
        ] == parse_qsl(fake.requests[0].body.decode())  # fmt: skip


@pytest.mark.parametrize(
    ("wanted", "configured", "given"),
    [
        ("en", "en-GB", "en-GB"), ("en", "", "en-US"), ("es", "en-GB", "es-ES"), ("es-MX", "en-GB", "es-MX"),
        ("", "de-DE", "de-DE"), ("eu", "es-ES", "es-ES"), ("eu", "", "en-US"), ("EN-GB", "en-GB", "en-GB"),
    ],
)  # fmt: skip
def test_language_is_the_readers_or_the_configured_one(wanted, configured, given):
    """The configured accent serves its own language; another language gets its common form."""
    assert given == spoken_language(wanted, configured)


def spoken(document):
    """Return what each Say of a document says."""
    return [say.text or "" for say in ET.fromstring(document).iter("Say")]  # noqa: S314 (our own document)


def test_hostile_words_stay_words():
    """No label can add a verb to the call: everything is text of the two Say."""
    document = twiml(["</Say><Dial>+1900</Dial>", 'a"b', "\x00\x08\ud800"], action='https://x/?a=1&b="2"', language='"')
    assert [
        each.tag
        for each in ET.fromstring(document).iter()  # noqa: S314 (our own document)
    ] == ["Response", "Gather", "Say", "Pause", "Say", "Hangup"]
    assert ET.fromstring(document)[0].get("action") == 'https://x/?a=1&b="2"'  # noqa: S314 (our own document)


@pytest.mark.parametrize("filler", ["word ", "&", "日", "\x01", ""])
def test_call_fits_and_keeps_its_last_sentence(filler):
    """However long the alert, the document stays in Twilio's limit and says which keys to press."""
    sentences = ["Severity critical.", filler * 5000, "Press 4 if you have it."]
    document = twiml(sentences, action=EXTERNAL_URL, language="en-US")
    assert len(document) <= TWIML_CHARACTERS_MAX
    first, second = spoken(document)
    assert first == second
    assert first.startswith("Severity critical.")
    assert first.endswith("Press 4 if you have it.")


@pytest.mark.parametrize(
    ("sentences", "room", "kept"),
    [((), 9, []), (("abc",), 2, ["ab"]), (("ab", "cd"), 5, ["ab", "cd"]), (("ab", "cd"), 4, ["a", "cd"]),
     (("ab", "cd"), 2, ["cd"]), (("ab", "cd", "ef"), 6, ["ab", "ef"])],
)  # fmt: skip
def test_shortening_gives_up_the_middle_first(sentences, room, kept):
    """The last sentence is kept whole as long as it can be, then the first ones."""
    assert kept == shortened(sentences, room)


@pytest.mark.asyncio
async def test_key_comes_to_our_callback_signed():
    """A pressed key arrives at the action URL with a signature that we believe."""
    async with phones() as (fake, channel, _), LocalServer() as receiver:
        sid = (await channel.send(PAGE)).provider_id
        fake.local_url = receiver.url
        await fake.press(sid, "4")
        callback, status, _ = fake.delivered[-1]
        assert (200, "4", sid) == (status, callback.params["Digits"], callback.params["CallSid"])
        assert verify(fake.auth_token, callback.url, callback.params, callback.signature)
        assert fake.calls[sid]["_events"] == ["initiated", "ringing", "answered", "completed"]


@pytest.mark.asyncio
async def test_voicemail_reaches_nobody():
    """A machine takes the call and it completes: without a key that is a failure, at once (T103)."""
    async with phones() as (fake, channel, _):
        receipt = await channel.send(PAGE)
        fake.hold = True
        await fake.voicemail(receipt.provider_id)
        found = await channel.lookup(message(provider_id=receipt.provider_id))
        assert (found.status, found.reason) == (Attempt.FAILED_PERMANENT, "no_key")
        assert [each.params["CallStatus"] for each in fake.held] == ["in-progress", "completed"]


@pytest.mark.parametrize(
    ("status", "reason"), [("busy", "busy"), ("no-answer", "no_answer"), ("failed", "unreachable")]
)
@pytest.mark.asyncio
async def test_call_that_fails_says_why(status, reason):
    """Busy, unanswered and failed calls come as callbacks with their reason."""
    async with phones() as (fake, channel, _):
        sid = (await channel.send(PAGE)).provider_id
        await fake.progress(sid, status)
        assert reason == twilio_status(ChannelKind.CALL, fake.held[-1].params["CallStatus"]).reason


@pytest.mark.asyncio
async def test_call_still_alive_is_found_without_its_id():
    """After a crash, the one call to this phone that is still alive is the attempt: it is not made twice."""
    async with phones() as (_fake, channel, clock):
        page = message(since=clock.now())
        assert await channel.lookup(page) is UNKNOWN
        receipt = await channel.send(page)
        assert receipt == await channel.lookup(page)
        await channel.send(page)
        assert await channel.lookup(page) is UNKNOWN, "two calls: nobody can say which"


@pytest.mark.asyncio
async def test_call_that_is_over_is_made_again():
    """A call has no text to know it by; one that is over may be another, and twice is better than never."""
    async with phones() as (fake, channel, clock):
        page = message(since=clock.now())
        sid = (await channel.send(page)).provider_id
        await fake.progress(sid, "completed")
        assert await channel.lookup(page) is UNKNOWN


@pytest.mark.asyncio
async def test_earlier_call_is_not_taken_for_the_second():
    """The second call, which pierces Do Not Disturb, is not taken for made because the first still rings."""
    async with phones() as (_, channel, clock):
        await channel.send(PAGE)
        await clock.pass_time(120)
        assert await channel.lookup(message(since=clock.now())) is UNKNOWN


@pytest.mark.asyncio
async def test_call_without_speech_speaks_its_title():
    """A message nobody wrote sentences for is still heard."""
    async with phones() as (fake, channel, _):
        sid = (await channel.send(message(speech=()))).provider_id
        assert [PAGE.title, PAGE.title] == spoken(fake.calls[sid]["_twiml"])
