"""Mail: what it looks like, where it goes, what a server's refusal means."""

import re
from contextlib import asynccontextmanager
from email.utils import parsedate_to_datetime

import aiosmtplib
import pytest

from escalatord.core.alert import Severity
from escalatord.core.incident import Attempt
from escalatord.core.roster import ChannelKind
from escalatord.errors import DeliveryError
from escalatord.notify import smtp
from escalatord.notify.channel import UNKNOWN
from escalatord.notify.smtp import _refusal, composed
from tests.fakes.messages import PAGE, Secret, message, outside, spec
from tests.fakes.smtp import SmtpFake
from tests.fakes.stepped_clock import SteppedClock

SENDER = "escalatord@example.com"
ANA = message(address="ana@example.org")


@asynccontextmanager
async def post(**settings):
    """Connect the channel to a fake server; yields (fake, channel, clock)."""
    clock = SteppedClock()
    async with SmtpFake() as fake:
        given = {"host": "127.0.0.1", "port": fake.port, "from_": SENDER, "tls": "none", "timeout_seconds": 0.5}
        channel = smtp.build(spec(ChannelKind.MAIL, "smtp", **{**given, **settings}), outside(clock))
        yield fake, channel, clock
        await channel.close()


@pytest.mark.asyncio
async def test_mail_is_sent_exactly_so():
    """Every header is this, the date is the clock's, the text arrives as it is."""
    async with post() as (fake, channel, clock):
        receipt = await channel.send(ANA)
        assert (receipt.status, receipt.provider_id) == (Attempt.ACCEPTED, "<142.technical.1.ana.sms.1@example.com>")
        (mail,) = fake.mails
        assert {
            "From": "escalatord <escalatord@example.com>",
            "To": "Ana Ruiz <ana@example.org>",
            "Subject": PAGE.title,
            "Message-ID": "<142.technical.1.ana.sms.1@example.com>",
            "References": "<inc-142.escalatord@example.com>",
            "Auto-Submitted": "auto-generated",
            "X-Auto-Response-Suppress": "All",
            "Importance": "high",
            "Content-Type": 'text/plain; charset="utf-8"',
            "Content-Transfer-Encoding": "7bit",
            "MIME-Version": "1.0",
        } == {name: value for name, value in mail.items() if name not in {"Date", "X-Peer"}}
        assert clock.now() == parsedate_to_datetime(mail["Date"])
        assert PAGE.text == mail.get_content().replace("\r\n", "\n").rstrip()
        assert (fake.envelopes[0].mail_from, fake.envelopes[0].rcpt_tos) == (SENDER, ["ana@example.org"])
        assert await channel.lookup(ANA) is UNKNOWN


def test_copy_after_a_crash_has_the_same_id():
    """The reader's program can fold two copies of one attempt, and no two attempts."""
    assert composed(ANA, SENDER)["Message-ID"] == composed(ANA, SENDER)["Message-ID"]
    assert (
        composed(ANA, SENDER)["Message-ID"] != composed(message(address="a@b.c", reference="x"), SENDER)["Message-ID"]
    )


def test_later_mail_is_threaded():
    """Mails of one incident stand in one thread; a thread id that is none is not written."""
    mail = composed(message(address="a@b.c", thread="<first@example.com>"), SENDER)
    assert mail["In-Reply-To"] == "<first@example.com>"
    assert mail["References"] == "<inc-142.escalatord@example.com> <first@example.com>"
    assert composed(message(address="a@b.c", thread="C01:17.1\r\nBcc: e@v.e"), SENDER)["In-Reply-To"] is None
    assert composed(message(address="a@b.c", severity=Severity.INFO), SENDER)["Importance"] is None


@pytest.mark.parametrize("field", ["title", "text", "person_name", "reference", "incident_label", "thread"])
@pytest.mark.asyncio
async def test_no_text_becomes_a_header(field):
    """Line ends of every kind in every field add no header and no recipient."""
    async with post() as (fake, channel, _):
        for end in ("\r\n", "\n", "\r", "\x0b", "\x0c", "\x85", "\u2028", "\x00\n", "\r\n.\r\n"):
            await channel.send(message(**{"address": "ana@example.org", field: f"a{end}Bcc: eve@example.com{end}b"}))
        for mail, envelope in zip(fake.mails, fake.envelopes, strict=True):
            assert mail["Bcc"] is None
            assert envelope.rcpt_tos == ["ana@example.org"]
        assert len(fake.mails) == 9


@pytest.mark.parametrize(
    "address",
    ["", "ana", "ana@example.org, eve@example.org", "ana@example.org\r\nRCPT TO:<eve@x>", "<a@b>", "a b@c", "@"],
)
@pytest.mark.asyncio
async def test_address_that_is_none_is_refused_here(address):
    """Nothing but one address is ever handed to a server, and the error does not repeat it."""
    async with post() as (fake, channel, _):
        with pytest.raises(DeliveryError) as caught:
            await channel.send(message(address=address))
        assert (caught.value.reason, caught.value.permanent) == ("bad_address", True)
        assert (not address) or address not in str(caught.value)
        assert fake.envelopes == []


@pytest.mark.parametrize(
    ("step", "line", "reason", "permanent"),
    [
        ("RCPT", "550 5.1.1 no such user ana@example.org", "bad_address", True),
        ("RCPT", "553 bad mailbox", "bad_address", True),
        ("RCPT", "552 mailbox full", "client_error", True),
        ("RCPT", "450 greylisted", "server_error", False),
        ("RCPT", "451 try later", "server_error", False),
        ("MAIL", "530 authentication required", "client_error", True),
        ("MAIL", "421 too busy", "server_error", False),
        ("DATA", "554 spam", "client_error", True),
        ("DATA", "452 no space", "server_error", False),
    ],
)
@pytest.mark.asyncio
async def test_refusal_passes_with_4_and_stays_with_5(step, line, reason, permanent):
    """The first digit decides; the server's sentence, which holds the address, is not repeated."""
    async with post() as (fake, channel, _):
        fake.refuse[step] = line
        with pytest.raises(DeliveryError) as caught:
            await channel.send(ANA)
        assert (reason, permanent) == (caught.value.reason, caught.value.permanent)
        assert f"answered {line[:3]}: " in str(caught.value)
        assert "ana" not in str(caught.value)


@pytest.mark.asyncio
async def test_server_that_hangs_is_given_up():
    """A server that never answers is left in time, outcome unknown."""
    async with post(timeout_seconds=0.2) as (fake, channel, _):
        fake.hang = True
        with pytest.raises(DeliveryError) as caught:
            await channel.send(ANA)
        assert (caught.value.reason, caught.value.permanent, caught.value.unknown) == ("timeout", False, True)


@pytest.mark.asyncio
async def test_server_that_is_not_there_is_a_network_error():
    """Where nothing listens nothing was sent."""
    async with post() as (fake, channel, _):
        await fake.__aexit__()
        with pytest.raises(DeliveryError) as caught:
            await channel.send(ANA)
        assert (caught.value.reason, caught.value.permanent, caught.value.unknown) == ("network", False, False)


@pytest.mark.parametrize("settings", [{"tls": "starttls"}, {"username": "u", "password": Secret("canary-pass")}])
@pytest.mark.asyncio
async def test_what_the_server_cannot_do_is_not_gone_without(settings):
    """A server without TLS, or without login, gets nothing: no mail in clear, no password (T95)."""
    async with post(**settings) as (fake, channel, _):
        with pytest.raises(DeliveryError) as caught:
            await channel.send(ANA)
        assert (caught.value.reason, caught.value.permanent) == ("not_configured", True)
        assert "canary" not in str(caught.value)
        assert fake.mails == []


@pytest.mark.parametrize(("tls", "port"), [("starttls", 587), ("tls", 465), ("none", 25), (None, 587)])
def test_port_follows_from_the_kind_of_tls(tls, port):
    """Without a port the usual one is used; TLS is on unless it is switched off by name."""
    settings = {"host": "m", "from_": SENDER} | ({"tls": tls} if tls else {})
    channel = smtp.build(spec(ChannelKind.MAIL, "smtp", **settings), outside(SteppedClock()))
    assert port == channel._port


@pytest.mark.parametrize("text", ["ñandú 日本語 🚨", "\x00\x1b[31m \ud800", ".\r\n.\r\nQUIT\r\n", "x" * 200_000, ""])
@pytest.mark.asyncio
async def test_mail_carries_any_text(text):
    """Whatever an alert holds, the server takes the mail and nothing after a lone dot is a command."""
    async with post(timeout_seconds=5) as (fake, channel, _):
        await channel.send(message(address="ana@example.org", title=text, text=text, person_name=text))
        (mail,) = fake.mails
        legible = re.sub(r"[\x00-\x08\x0b-\x1f]", "", text.replace("\ud800", "\ufffd"))[:100_000]
        assert legible.split() == mail.get_content().split()


@pytest.mark.parametrize(
    ("trouble", "reason", "permanent", "unknown"),
    [
        (aiosmtplib.SMTPAuthenticationError(535, "bad login for canary"), "auth", True, False),
        (aiosmtplib.SMTPAuthenticationError(454, "canary later"), "auth", False, False),
        (aiosmtplib.SMTPConnectTimeoutError("canary"), "timeout", False, False),
        (aiosmtplib.SMTPReadTimeoutError("canary"), "timeout", False, True),
        (aiosmtplib.SMTPServerDisconnected("canary"), "network", False, True),
        (aiosmtplib.SMTPConnectResponseError(421, "canary"), "server_error", False, False),
        (aiosmtplib.SMTPNotSupported("canary"), "not_configured", True, False),
        (UnicodeEncodeError("ascii", "canary", 0, 1, "x"), "bad_address", True, False),
    ],
)
def test_every_trouble_has_its_reason(trouble, reason, permanent, unknown):
    """What the library raises is named, and none of its words are repeated."""
    error = _refusal(trouble)
    assert (error.reason, error.permanent, error.unknown) == (reason, permanent, unknown)
    assert "canary" not in str(error)
