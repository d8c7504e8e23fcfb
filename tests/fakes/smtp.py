"""A mail server on loopback that keeps what it gets and refuses as told."""

import asyncio
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any, Self

from aiosmtpd.smtp import SMTP, Envelope, Session


class SmtpFake:
    """Refuses by `refuse` (step → reply line; steps RCPT, MAIL, DATA); `hang` never answers the DATA command."""

    def __init__(self) -> None:
        self.mails: list[EmailMessage] = []
        self.envelopes: list[Envelope] = []
        self.refuse: dict[str, str] = {}
        self.hang = False
        self.port = 0
        self._over = asyncio.Event()
        self._server: asyncio.Server | None = None

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(
            lambda: SMTP(self, enable_SMTPUTF8=True, loop=loop, hostname="mail.test"), "127.0.0.1", 0
        )
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._over.set()
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()

    async def handle_MAIL(  # noqa: N802 (aiosmtpd finds its hooks by these names)
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, options: list[Any]
    ) -> str:
        """Take or refuse the sender."""
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return self.refuse.get("MAIL", "250 OK")

    async def handle_RCPT(  # noqa: N802 (as above)
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _options: list[Any]
    ) -> str:
        """Take or refuse the recipient."""
        if "RCPT" in self.refuse:
            return self.refuse["RCPT"]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(  # noqa: N802 (as above)
        self, _server: SMTP, _session: Session, envelope: Envelope
    ) -> str:
        """Take or refuse the mail."""
        if self.hang:
            await self._over.wait()
        if "DATA" in self.refuse:
            return self.refuse["DATA"]
        content = envelope.content if isinstance(envelope.content, bytes) else b""
        mail = message_from_bytes(content, policy=policy.default)
        assert isinstance(mail, EmailMessage)
        self.mails.append(mail)
        self.envelopes.append(envelope)
        return "250 OK"
