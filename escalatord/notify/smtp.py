"""Mail by SMTP: plain text, threaded by incident, one connection for each message.

Mail cannot be asked what became of it. A message sent twice after a crash carries the same Message-ID, so that the
reader's program can fold the copies. `Auto-Submitted` keeps answering machines quiet. With `tls: starttls` (the
default) a server that offers no TLS is refused: nothing, the password least of all, ever goes out in clear by accident.
"""

import asyncio
import re
import socket
from email.errors import MessageError
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime

import aiosmtplib

from escalatord.core.alert import Severity
from escalatord.core.incident import Attempt
from escalatord.core.roster import ChannelKind, ChannelSpec
from escalatord.errors import DeliveryError, DeliveryReason
from escalatord.notify.channel import UNKNOWN, Capabilities, Channel, Message, Outside, Receipt, Unknown
from escalatord.notify.wire import Unconfigured, absent, legible, one_line, reveal, timeout_seconds

BODY_CHARACTERS_MAX = 100_000
SUBJECT_CHARACTERS_MAX = 200
# A longer word makes a header line that servers refuse.
NAME_CHARACTERS_MAX = 100
PORTS = {"starttls": 587, "tls": 465, "none": 25}
MESSAGE_ID = re.compile(r"<[^<>\s@]{1,200}@[^<>\s@]{1,200}>", re.ASCII)
BAD_RECIPIENT = frozenset({501, 510, 511, 513, 550, 551, 553, 556})


def build(spec: ChannelSpec, outside: Outside) -> Channel:
    """Return the channel for settings `host`, `from`; `port`, `username`, `password`, `tls` (starttls, tls, none)."""
    capabilities = Capabilities(
        kind=ChannelKind.MAIL,
        receipts=False,
        two_way=False,
        lookup=False,
        max_length=BODY_CHARACTERS_MAX,
        timeout_seconds=timeout_seconds(spec),
    )
    missing = absent(spec, "host", "from")
    if reveal(spec.settings.get("tls") or "starttls") not in PORTS:
        missing = (*missing, "tls (starttls, tls or none)")
    if missing:
        return Unconfigured(capabilities, spec.name, missing)
    return Smtp(spec, capabilities, outside)


class Smtp:
    """Hands mails to one server."""

    def __init__(self, spec: ChannelSpec, capabilities: Capabilities, outside: Outside) -> None:
        self.capabilities = capabilities
        self._host = reveal(spec.settings["host"])
        self._tls = reveal(spec.settings.get("tls") or "starttls")
        self._port = int(reveal(spec.settings.get("port")) or PORTS[self._tls])
        self._sender = reveal(spec.settings["from"])
        self._username = reveal(spec.settings.get("username")) or None
        self._password = reveal(spec.settings.get("password")) or None
        self._clock = outside.clock
        self._names = outside.names

    async def send(self, message: Message) -> Receipt:
        """Hand the mail over; ACCEPTED with its Message-ID."""
        mail = composed(message, self._sender)
        mail["Date"] = format_datetime(self._clock.now())
        try:
            async with asyncio.timeout(self.capabilities.timeout_seconds):
                await aiosmtplib.send(
                    mail,
                    recipients=[message.address],
                    hostname=self._host,
                    sock=await self._connected(),
                    username=self._username,
                    password=self._password,
                    # The name of the machine as it is: asking DNS for a fuller one could hang.
                    local_hostname=socket.gethostname() or "localhost",
                    timeout=self.capabilities.timeout_seconds,
                    use_tls=self._tls == "tls",
                    start_tls=self._tls == "starttls",
                )
        except (aiosmtplib.SMTPException, OSError, UnicodeError, ValueError) as trouble:
            raise _refusal(trouble) from None
        return Receipt(status=Attempt.ACCEPTED, provider_id=str(mail["Message-ID"]))

    async def _connected(self) -> socket.socket:
        """Return a socket to the first address that takes a connection; SMTPConnectError when none does.

        aiosmtplib would look the name up in a pool that others need too.
        """
        loop, trouble = asyncio.get_running_loop(), "no address"
        try:
            addresses = await self._names.resolve(self._host, self._port, socket.AF_UNSPEC)
        except OSError as error:
            raise aiosmtplib.SMTPConnectError(str(error)) from None
        for address in addresses:
            sock = socket.socket(address["family"], socket.SOCK_STREAM)
            sock.setblocking(False)
            try:
                await loop.sock_connect(sock, (address["host"], address["port"]))
            except OSError as error:
                sock.close()
                trouble = str(error)
            except BaseException:
                sock.close()
                raise
            else:
                return sock
        raise aiosmtplib.SMTPConnectError(trouble)

    async def lookup(self, message: Message) -> Receipt | Unknown:
        """Know nothing: mail cannot be asked."""
        del message
        return UNKNOWN

    async def close(self) -> None:
        """Let go of nothing: no connection outlives its mail."""


def composed(message: Message, sender: str) -> EmailMessage:
    """Return the mail but for its date; DeliveryError when the address is no address."""
    mail = EmailMessage(policy=SMTP)
    name = one_line(message.person_name)[:NAME_CHARACTERS_MAX]
    try:
        mail["From"] = Address(display_name="escalatord", addr_spec=sender)
        mail["To"] = Address(display_name=name, addr_spec=message.address)
    except (ValueError, IndexError, MessageError):
        say = "the mail address cannot be used"
        raise DeliveryError(DeliveryReason.BAD_ADDRESS, say, permanent=True) from None
    domain = sender.rpartition("@")[2]
    mail["Subject"] = one_line(message.title)[:SUBJECT_CHARACTERS_MAX]
    mail["Message-ID"] = f"<{re.sub(r'[^A-Za-z0-9._-]', '.', message.reference)}@{domain}>"
    thread = [f"<{re.sub(r'[^A-Za-z0-9-]', '-', message.incident_label).lower()}.escalatord@{domain}>"]
    if MESSAGE_ID.fullmatch(message.thread):
        mail["In-Reply-To"] = message.thread
        thread.append(message.thread)
    mail["References"] = " ".join(thread)
    mail["Auto-Submitted"] = "auto-generated"
    mail["X-Auto-Response-Suppress"] = "All"
    if message.severity is Severity.CRITICAL:
        mail["Importance"] = "high"
    mail.set_content(legible(message.text)[:BODY_CHARACTERS_MAX])
    return mail


def _refusal(trouble: Exception) -> DeliveryError:
    """Return what a failed hand-over means: 4xx passes, 5xx stays; the server's own words stay out of the text."""
    code = getattr(trouble, "code", 0)
    match trouble:
        case aiosmtplib.SMTPRecipientsRefused(recipients=[first, *_]):
            return _refusal(first)
        case aiosmtplib.SMTPAuthenticationError():
            reason = DeliveryReason.AUTH
        case aiosmtplib.SMTPRecipientRefused() if code in BAD_RECIPIENT:
            reason = DeliveryReason.BAD_ADDRESS
        case aiosmtplib.SMTPResponseException():
            reason = DeliveryReason.CLIENT_ERROR if code >= 500 else DeliveryReason.SERVER_ERROR  # noqa: PLR2004 (5yz)
        case aiosmtplib.SMTPConnectTimeoutError():
            return DeliveryError(DeliveryReason.TIMEOUT, "the mail server did not accept in time", permanent=False)
        case TimeoutError():
            say = "the mail server did not answer in time"
            return DeliveryError(DeliveryReason.TIMEOUT, say, permanent=False, unknown=True)
        case aiosmtplib.SMTPConnectError():
            return DeliveryError(DeliveryReason.NETWORK, "the mail server cannot be connected to", permanent=False)
        case aiosmtplib.SMTPServerDisconnected() | OSError():
            say = "the connection to the mail server broke"
            return DeliveryError(DeliveryReason.NETWORK, say, permanent=False, unknown=True)
        case aiosmtplib.SMTPNotSupported() | aiosmtplib.SMTPException():
            say = "the mail server lacks what is asked of it (TLS, authentication or UTF-8 addresses)"
            return DeliveryError(DeliveryReason.NOT_CONFIGURED, say, permanent=True)
        case _:
            return DeliveryError(DeliveryReason.BAD_ADDRESS, "the mail address cannot be used", permanent=True)
    say = f"the mail server answered {code}: {reason.value.replace('_', ' ')}"
    return DeliveryError(reason, say, permanent=code >= 500)  # noqa: PLR2004 (5yz stays, RFC 5321 4.2.1)
