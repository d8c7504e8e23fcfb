"""What every channel that speaks to a provider must do, whoever the provider is."""

import ast
import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from escalatord import notify
from escalatord.core.incident import Attempt, NoticeKind
from escalatord.core.roster import ChannelKind, ChannelSpec
from escalatord.engine.lease import LeaseLostError
from escalatord.errors import DeliveryError, DeliveryReason
from escalatord.notify import slack, smtp, twilio_sms, twilio_voice, webhook
from escalatord.notify.channel import UNKNOWN, Channel, Message, Outside
from tests.fakes.http import Answer, LocalServer, Trouble
from tests.fakes.messages import PHONE, Secret, message, outside, spec
from tests.fakes.slack import SlackFake
from tests.fakes.stepped_clock import SteppedClock
from tests.fakes.twilio import TwilioFake

SECRET = "canary-9f8e7d6c"
TIMEOUT_SECONDS = 0.3
IN_TIME_SECONDS = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """One channel under test: its fake, how it is built, and who it writes to."""

    server: Callable[[SteppedClock], LocalServer]
    build: Callable[[ChannelSpec, Outside], Channel]
    spec: Callable[[str], ChannelSpec]
    address: str
    lookup: bool


def twilio(clock: SteppedClock) -> TwilioFake:
    """Return Twilio with the canary as its token."""
    fake = TwilioFake(now=clock.now)
    fake.auth_token = SECRET
    return fake


def twilio_spec(kind: ChannelKind) -> Callable[[str], ChannelSpec]:
    """Return how a Twilio channel is specified, given the fake's URL."""
    return lambda url: spec(
        kind, "twilio", account_sid="AC" + "0" * 32, auth_token=Secret(SECRET), from_="+15550100000", base_url=url,
        timeout_seconds=TIMEOUT_SECONDS,
    )  # fmt: skip


KINDS = {
    "webhook": Kind(
        server=lambda _: LocalServer(),
        build=webhook.build,
        spec=lambda url: spec(
            ChannelKind.WEBHOOK, "webhook", url=f"{url}/{SECRET}", secret=Secret(SECRET),
            headers={"Authorization": Secret(SECRET)}, timeout_seconds=TIMEOUT_SECONDS,
        ),
        address="",
        lookup=False,
    ),
    "twilio sms": Kind(
        server=twilio, build=twilio_sms.build, spec=twilio_spec(ChannelKind.SMS), address=PHONE, lookup=True
    ),
    "twilio voice": Kind(
        server=twilio, build=twilio_voice.build, spec=twilio_spec(ChannelKind.CALL), address=PHONE, lookup=True
    ),
    "slack": Kind(
        server=lambda _: SlackFake(token=SECRET),
        build=slack.build,
        spec=lambda url: spec(
            ChannelKind.CHAT, "slack", token=Secret(SECRET), room="C01OPS", base_url=url + "/api/",
            timeout_seconds=TIMEOUT_SECONDS,
        ),
        address="U01ANA",
        lookup=False,
    ),
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """A channel connected to its fake."""

    server: Any
    channel: Channel
    page: Message
    lookup: bool

    async def refused(self, page: Message | None = None) -> DeliveryError:
        """Return the error of a send that must fail; what it says is searched for secrets and addresses."""
        with pytest.raises(DeliveryError) as caught:
            await self.channel.send(page or self.page)
        shown = f"{caught.value}{caught.value!r}{caught.value.say}{caught.value.__cause__}"
        assert caught.value.__suppress_context__ or caught.value.__context__ is None
        for hidden in (SECRET, PHONE, PHONE[:-2], "127.0.0.1", "U01ANA"):
            assert hidden not in shown
        return caught.value


@asynccontextmanager
async def bench(name: str, **around: object) -> AsyncIterator[Bench]:
    """Connect a channel to its fake; `around` changes what it knows of its house."""
    kind, clock = KINDS[name], SteppedClock()
    async with kind.server(clock) as server:
        channel = kind.build(kind.spec(server.url), replace(outside(clock), **around))
        try:
            yield Bench(server=server, channel=channel, page=message(address=kind.address), lookup=kind.lookup)
        finally:
            await channel.close()


every_channel = pytest.mark.parametrize("name", KINDS)


@every_channel
@pytest.mark.asyncio
async def test_channel_sends_nothing_that_is_no_longer_ours(name):
    """The lease ended while the connection was made: not one octet of a request reaches the provider."""

    def lost() -> None:
        raise LeaseLostError("the lease is over")

    async with bench(name, still_ours=lost) as it:
        for _ in range(2):
            with pytest.raises(LeaseLostError):
                await it.channel.send(it.page)
        assert it.server.requests == []


@every_channel
@pytest.mark.asyncio
async def test_channel_hands_a_message_over(name):
    """A healthy provider takes the message in exactly one request."""
    async with bench(name) as it:
        receipt = await it.channel.send(it.page)
        assert receipt.status in {Attempt.ACCEPTED, Attempt.DELIVERED}
        assert receipt.provider_id
        assert len(it.server.requests) == 1


def verdict(status: int) -> tuple[DeliveryReason, bool]:
    """Return the reason, and whether it stays, that the specification gives a status."""
    match status:
        case 401 | 403:
            return DeliveryReason.AUTH, True
        case 408:
            return DeliveryReason.TIMEOUT, False
        case 429:
            return DeliveryReason.RATE_LIMITED, False
        case 425:
            return DeliveryReason.SERVER_ERROR, False
        case _ if status >= 500:
            return DeliveryReason.SERVER_ERROR, False
        case _:
            return DeliveryReason.CLIENT_ERROR, True


@every_channel
@pytest.mark.asyncio
async def test_channel_reads_every_status_as_the_matrix_says(name):
    """Each status from 300 to 599 gives its reason, its permanence, one request, and no secret in the text."""
    async with bench(name) as it:
        for status in [*range(300, 304), *range(305, 600)]:
            it.server.script.append(Answer(status=status, body=b"{}", headers={"Content-Type": "application/json"}))
            error = await it.refused()
            assert (status, *verdict(status)) == (status, error.reason, error.permanent)
            assert (status in {500, 502, 504}) == error.unknown
        assert len(it.server.requests) == 299


@every_channel
@pytest.mark.asyncio
async def test_channel_never_follows_a_redirect(name):
    """A redirect is an error that stays, and what it points to is never asked."""
    async with bench(name) as it, LocalServer() as elsewhere:
        for status in (301, 302, 303, 307, 308):
            it.server.script.append(Answer(status=status, headers={"Location": elsewhere.url + "/steal"}))
            assert (await it.refused()).permanent
        assert elsewhere.requests == []


@every_channel
@pytest.mark.parametrize("trouble", [Trouble.HANG, Trouble.DRIP])
@pytest.mark.asyncio
async def test_channel_gives_a_slow_provider_up_in_time(name, trouble):
    """A provider that hangs, or sends byte after byte for ever, is given up in the set time, outcome unknown."""
    async with bench(name) as it:
        # 200 with an endless body is a delivery for the webhook: the status is the answer. 503 is none anywhere.
        it.server.script.append(Answer(status=503, trouble=trouble))
        began = time.perf_counter()
        error = await it.refused()
        assert time.perf_counter() - began < IN_TIME_SECONDS
        if name == "webhook" and trouble is Trouble.DRIP:
            assert error.reason is DeliveryReason.SERVER_ERROR
        else:
            assert (error.reason, error.permanent, error.unknown) == (DeliveryReason.TIMEOUT, False, True)


@every_channel
@pytest.mark.asyncio
async def test_channel_calls_a_broken_connection_unknown_and_does_not_repeat(name):
    """After a reset nothing is sent again by the channel itself: that is for the sender to decide, who asks first."""
    async with bench(name) as it:
        it.server.script.append(Answer(trouble=Trouble.RESET))
        error = await it.refused()
        assert (error.reason, error.permanent, error.unknown) == (DeliveryReason.NETWORK, False, True)
        assert len(it.server.requests) == 1


@every_channel
@pytest.mark.asyncio
async def test_channel_tells_a_refused_connection_from_a_broken_one(name):
    """Where nothing listens, nothing was taken: the outcome is known."""
    kind, clock = KINDS[name], SteppedClock()
    async with kind.server(clock) as server:
        url = server.url
    channel = kind.build(kind.spec(url), outside(clock))
    error = await Bench(
        server=server, channel=channel, page=message(address=kind.address), lookup=kind.lookup
    ).refused()
    await channel.close()
    assert (error.reason, error.permanent, error.unknown) == (DeliveryReason.NETWORK, False, False)


@pytest.mark.parametrize("name", ["twilio sms", "twilio voice", "slack"])
@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b"null", b"{}", b'"x"', b"\xff\xfe", b"[" * 50_000])
@pytest.mark.asyncio
async def test_channel_takes_nonsense_for_an_unknown_outcome(name, body):
    """A success whose body makes no sense is no receipt, and may have been a send."""
    async with bench(name) as it:
        status = 200 if name == "slack" else 201
        it.server.script.append(Answer(status=status, body=body, headers={"Content-Type": "application/json"}))
        error = await it.refused()
        assert (error.reason, error.permanent, error.unknown) == (DeliveryReason.SERVER_ERROR, False, True)


@pytest.mark.parametrize("name", ["twilio sms", "twilio voice"])
@pytest.mark.asyncio
async def test_channel_stops_reading_an_endless_answer(name):
    """An answer larger than the limit is refused and not kept."""
    async with bench(name) as it:
        it.server.script.append(Answer(status=201, body=b" " * 300_000))
        assert (await it.refused()).unknown


HOSTILE = [
    "plain", "ñandú 日本語 🚨", "\x00\x01\x1b[31m", "lone \ud800 surrogate", "a\r\nBcc: eve@example.com",
    "<script>alert(1)</script> & </Say><Dial>+19005550100</Dial>", "<!channel> <@U01ANA>", "]]>", "\u2028\u202e",
    "x" * 50_000, "&" * 50_000, "{0.__class__} %s {{ 7*7 }}",
]  # fmt: skip


@every_channel
@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
@pytest.mark.asyncio
async def test_channel_accepts_any_unicode(name, text):
    """Whatever an alert holds, the provider gets a request that it takes."""
    async with bench(name) as it:
        page = message(
            address=it.page.address, title=text, text=text, speech=(text, text), person_name=text,
            facts={"labels": {"x": text}},
        )  # fmt: skip
        receipt = await it.channel.send(page)
        assert receipt.status in {Attempt.ACCEPTED, Attempt.DELIVERED}


@every_channel
@pytest.mark.parametrize("kind", NoticeKind)
@pytest.mark.asyncio
async def test_channel_carries_every_kind_of_notice(name, kind):
    """No kind of message is swallowed by a channel (T11)."""
    async with bench(name) as it:
        assert (await it.channel.send(message(address=it.page.address, kind=kind))).provider_id
        assert len(it.server.requests) == 1


@every_channel
@pytest.mark.asyncio
async def test_channel_keeps_its_connection(name):
    """Twenty messages in a row use one connection."""
    async with bench(name) as it:
        for _ in range(20):
            await it.channel.send(it.page)
        assert len(it.server.connections) == 1


@every_channel
@pytest.mark.asyncio
async def test_channel_that_hangs_can_be_cancelled(name):
    """A sender that gives up gets its task back at once."""
    async with bench(name) as it:
        it.server.script.append(Answer(trouble=Trouble.HANG))
        sending = asyncio.create_task(it.channel.send(it.page), name="send")
        await it.server.arrived.wait()
        sending.cancel()
        with pytest.raises(asyncio.CancelledError):
            await sending


@every_channel
@pytest.mark.asyncio
async def test_channel_says_unknown_when_it_cannot_ask(name):
    """A provider that cannot be asked, or does not know, gives UNKNOWN and never an error."""
    async with bench(name) as it:
        it.server.script.append(Answer(status=503))
        assert it.channel.capabilities.lookup is it.lookup
        assert await it.channel.lookup(it.page) is UNKNOWN


@pytest.mark.parametrize(
    ("build", "kind", "settings", "named"),
    [
        (webhook.build, ChannelKind.WEBHOOK, {}, "url"),
        (twilio_sms.build, ChannelKind.SMS, {"account_sid": "AC", "from_": "+15550100000"}, "auth_token"),
        (twilio_voice.build, ChannelKind.CALL, {"account_sid": "AC", "auth_token": Secret("")}, "auth_token, from"),
        (slack.build, ChannelKind.CHAT, {}, "token"),
        (smtp.build, ChannelKind.MAIL, {"host": "mail.example.com"}, "from"),
        (smtp.build, ChannelKind.MAIL, {"host": "m", "from_": "a@b", "tls": "maybe"}, "tls"),
    ],
)  # fmt: skip
@pytest.mark.asyncio
async def test_channel_without_settings_fails_at_once_and_for_good(build, kind, settings, named):
    """A channel that is not configured never says success, and names what is missing (T12)."""
    channel = build(spec(kind, "any", **settings), outside(SteppedClock()))
    with pytest.raises(DeliveryError, match=named) as caught:
        await channel.send(message())
    assert (caught.value.reason, caught.value.permanent) == (DeliveryReason.NOT_CONFIGURED, True)
    assert await channel.lookup(message()) is UNKNOWN
    await channel.close()


CHANNELS = ("simulated", "twilio_sms", "twilio_voice", "slack", "smtp", "webhook")


@pytest.mark.parametrize("name", CHANNELS)
def test_channel_knows_no_other_channel(name):
    """Channels share `wire` and never import one another, so each can be read, changed and removed alone."""
    tree = ast.parse(Path(notify.__file__).with_name(f"{name}.py").read_text())
    imported = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert not imported & {f"escalatord.notify.{other}" for other in CHANNELS if other != name}
