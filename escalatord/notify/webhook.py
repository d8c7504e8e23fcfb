"""The webhook channel: every notice as one signed POST of JSON. The hand-over is the delivery.

Body, version 1 (keys are only ever added): `version`, `reference` (also in `Idempotency-Key`; a repeat carries the
same one), `kind` (a `NoticeKind`), `incident` (number), `label` (INC-142), `severity`, `track`, `epoch`, `person`,
`person_name`, `title`, `text`, `link`, `code`, `labels`, `annotations`, `facts` (whatever else is known of the
incident). A confidential notice carries no labels, annotations or facts.

With a `secret`, `X-Escalatord-Signature: t=<unix seconds>,v1=<hex>` is HMAC-SHA256 over `<t>.<body>`. Only the
configured URL is ever called, never one from an alert, and no redirect is followed. An answer's body is not read.
"""

import hmac
import json
from collections.abc import Mapping

import aiohttp
from yarl import URL

from escalatord.core.incident import Attempt
from escalatord.core.roster import ChannelKind, ChannelSpec
from escalatord.notify.channel import UNKNOWN, Capabilities, Channel, Message, Outside, Receipt, Unknown
from escalatord.notify.wire import (
    Unconfigured,
    absent,
    from_status,
    from_trouble,
    legible,
    one_line,
    open_session,
    reveal,
    timeout_seconds,
)

POST_SECONDS = 5.0
CONCURRENCY = 64
BODY_TEXT_CHARACTERS_MAX = 20_000
VERSION = "1"
_to_json = json.JSONEncoder(separators=(",", ":"), default=str).encode


def build(spec: ChannelSpec, outside: Outside) -> Channel:
    """Return the channel for settings `url`, and if wished `secret` and `headers` (a mapping)."""
    capabilities = Capabilities(
        kind=ChannelKind.WEBHOOK,
        receipts=False,
        two_way=False,
        lookup=False,
        max_length=BODY_TEXT_CHARACTERS_MAX,
        timeout_seconds=timeout_seconds(spec, POST_SECONDS),
        concurrency=CONCURRENCY,
    )
    if missing := absent(spec, "url"):
        return Unconfigured(capabilities, spec.name, missing)
    return Webhook(spec, capabilities, outside)


class Webhook:
    """Posts notices to one URL over connections that it keeps."""

    def __init__(self, spec: ChannelSpec, capabilities: Capabilities, outside: Outside) -> None:
        self.capabilities = capabilities
        self._url = URL(reveal(spec.settings["url"]))
        self._secret = reveal(spec.settings.get("secret")).encode()
        headers = spec.settings.get("headers")
        given = headers if isinstance(headers, Mapping) else {}
        self._headers = {one_line(str(name)): one_line(reveal(value)) for name, value in given.items()}
        self._clock = outside.clock
        self._outside = outside
        self._session: aiohttp.ClientSession | None = None

    async def send(self, message: Message) -> Receipt:
        """Post the message; DELIVERED on any 2xx."""
        if self._session is None:
            self._session = open_session(
                self.capabilities.timeout_seconds, self._outside.still_ours, self._outside.names
            )
        body = encoded(message)
        headers = {**self._headers, "Content-Type": "application/json"}
        headers["Idempotency-Key"] = one_line(message.reference)
        if self._secret:
            at = int(self._clock.now().timestamp())
            headers["X-Escalatord-Signature"] = f"t={at},v1={signature(self._secret, at, body)}"
        try:
            answer = await self._session.post(self._url, data=body, headers=headers, allow_redirects=False)
        except (TimeoutError, aiohttp.ClientError, OSError, ValueError) as trouble:
            raise from_trouble("the webhook", trouble) from None
        answer.release()
        if answer.ok and answer.status < 300:  # noqa: PLR2004 (`ok` calls a redirect fine)
            return Receipt(status=Attempt.DELIVERED, provider_id=message.reference)
        raise from_status("the webhook", answer.status)

    async def lookup(self, message: Message) -> Receipt | Unknown:
        """Know nothing: a webhook cannot be asked, it folds copies by their `Idempotency-Key`."""
        del message
        return UNKNOWN

    async def close(self) -> None:
        """Close the connections."""
        if self._session is not None:
            await self._session.close()


def encoded(message: Message) -> bytes:
    """Return the body for `message`, as the head of this file says."""
    facts = {} if message.confidential else dict(message.facts)
    body = {
        "version": VERSION,
        "reference": message.reference,
        "kind": message.kind,
        "incident": message.incident,
        "label": message.incident_label,
        "severity": message.severity,
        "track": message.track,
        "epoch": message.epoch,
        "person": message.person,
        "person_name": message.person_name,
        "title": legible(message.title),
        "text": legible(message.text)[:BODY_TEXT_CHARACTERS_MAX],
        "link": message.link,
        "code": message.code,
        "labels": facts.pop("labels", {}),
        "annotations": facts.pop("annotations", {}),
        "facts": facts,
    }
    # ASCII with escapes: whatever Unicode an alert holds, lone surrogates too, the bytes are valid JSON.
    return _to_json(body).encode()


def signature(secret: bytes, at: int, body: bytes) -> str:
    """Return the hex HMAC-SHA256 over `<at>.<body>`."""
    return hmac.digest(secret, b"%d." % at + body, "sha256").hex()
