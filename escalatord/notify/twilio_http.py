"""Twilio's client, made safe, and the check of Twilio's signatures.

The SDK builds requests and reads answers; the transport is ours, because the SDK's own ignores its time limit, logs
addresses, and has nothing that keeps it from following redirects. No request is ever repeated here: Twilio's creates
have no idempotency key, so a time-out is an unknown outcome and the sender asks before it sends again.
"""

import asyncio
import base64
import hmac
import logging
import re
from collections.abc import Awaitable, Mapping
from typing import Any, TypeVar
from urllib.parse import urlencode, urlsplit, urlunsplit

import aiohttp
from twilio.base.exceptions import TwilioException, TwilioRestException, TwilioServiceException
from twilio.http import AsyncHttpClient
from twilio.http.response import Response
from twilio.request_validator import RequestValidator
from twilio.rest import Client

from escalatord.core.incident import Attempt
from escalatord.core.roster import ChannelKind, ChannelSpec
from escalatord.errors import DeliveryError, DeliveryReason
from escalatord.notify.channel import Message, Outside, Receipt
from escalatord.notify.twilio_status import refusal, twilio_status
from escalatord.notify.wire import NONSENSE, from_trouble, open_session, read_answer, reveal, timeout_seconds

T = TypeVar("T")

API_HOST = "https://api.twilio.com"
SETTINGS = ("account_sid", "auth_token", "from")
LOOKUP_SECONDS = 3.0
LOOKUP_ROWS_MAX = 200
"""Of those that a phone got last; a node that takes over may look past all that others sent there meanwhile."""
# The provider's clock and ours may differ by this much when a row's age is compared.
CLOCK_SKEW_SECONDS = 60.0
QUIET = logging.getLogger("escalatord.notify.twilio")

# Every parameter documented for the callbacks we take (status, incoming text, voice, Gather).
KNOWN_PARAMETERS = frozenset(
    {
        "AccountSid", "AnsweredBy", "ApiVersion", "Body", "CallDuration", "CallSid", "CallStatus", "CallToken",
        "CallbackSource", "Called", "CalledCity", "CalledCountry", "CalledState", "CalledZip", "Caller", "CallerCity",
        "CallerCountry", "CallerName", "CallerState", "CallerZip", "ChannelToAddress", "Confidence", "Digits",
        "Direction", "Duration", "ErrorCode", "ErrorMessage", "FinishedOnKey", "ForwardedFrom", "From", "FromCity",
        "FromCountry", "FromState", "FromZip", "MediaContentType0", "MediaUrl0", "MessageSid", "MessageStatus",
        "MessagingServiceSid", "NumMedia", "NumSegments", "OptOutType", "ParentCallSid", "RawDlrDoneDate",
        "SequenceNumber", "SipResponseCode", "SmsMessageSid", "SmsSid", "SmsStatus", "SpeechResult",
        "StirPassportToken", "StirVerstat", "Timestamp", "To", "ToCity", "ToCountry", "ToState", "ToZip", "msg",
    }
)  # fmt: skip
SID, COUNT, ADDRESS = r"[SM]M[0-9a-f]{32}", r"\d{0,6}", r"(?:\+\d{3,15}|[^+].{0,99})?"
SHAPES: Mapping[str, re.Pattern[str]] = {
    name: re.compile(shape, re.ASCII)
    for name, shape in {
        "AccountSid": r"AC[0-9a-f]{32}",
        "ApiVersion": r"[0-9-]{0,10}",
        "CallDuration": COUNT,
        "CallSid": r"CA[0-9a-f]{32}",
        "CallStatus": r"[a-z-]{1,24}",
        "CallbackSource": r"[a-z-]{0,40}",
        "Called": ADDRESS,
        "Caller": ADDRESS,
        "Digits": r"[0-9*#]{0,32}",
        "Direction": r"[a-z-]{0,24}",
        "Duration": COUNT,
        "ErrorCode": COUNT,
        "FinishedOnKey": r"[0-9*#]?",
        "From": ADDRESS,
        "MessageSid": SID,
        "MessageStatus": r"[a-z_]{1,24}",
        "NumMedia": COUNT,
        "NumSegments": COUNT,
        "SequenceNumber": COUNT,
        "SmsMessageSid": SID,
        "SmsSid": SID,
        "SmsStatus": r"[a-z_]{1,24}",
        "To": ADDRESS,
    }.items()
}
# What people wrote or are called; in there any word may stand.
FREE_TEXT = frozenset({"Body", "CallerName", "SpeechResult"})
SWALLOWED_LENGTH_MIN = 6
SUBJECTS = (
    frozenset({"AccountSid", "MessageSid", "MessageStatus"}),
    frozenset({"AccountSid", "MessageSid", "Body", "From", "To"}),
    frozenset({"AccountSid", "CallSid", "CallStatus", "From", "To"}),
)


def verify(auth_token: str, url: str, params: Mapping[str, str], signature: str) -> bool:
    """Return whether Twilio signed this request for this `url`, which is ours, never the request's own.

    The scheme covers the concatenation of names and values, so parameters can be cut anew without the signature
    changing (`ab=c` as `a=bc`). Therefore every request must also have the shape of a callback: no name twice, no
    name that is a known one cut short or run on, ids and statuses in their formats. `params` may be a multi-dict.

    Twilio drops an explicit port from what it signs for some products; the bare form is accepted for a URL that has
    one. A URL without a port is signed as it is.
    """
    pairs = tuple(params.items())
    if not signature.isascii() or not _shaped(pairs):
        return False
    validator = RequestValidator(auth_token)
    parts = urlsplit(url)
    bare = urlunsplit(parts._replace(netloc=parts.hostname or "")) if parts.port else url
    given = dict(pairs)
    return any(
        # Compared here and not by the SDK, which also takes `:443` where we never wrote it.
        hmac.compare_digest(validator.compute_signature(form, given), signature)
        for form in {url, bare}
    )


def _shaped(pairs: tuple[tuple[str, str], ...]) -> bool:
    names = {name for name, _ in pairs}
    absent = KNOWN_PARAMETERS - names
    if len(names) != len(pairs) or not any(names >= subject for subject in SUBJECTS):
        return False
    for name, value in pairs:
        if (shape := SHAPES.get(name)) and not shape.fullmatch(value):
            return False
        if name not in KNOWN_PARAMETERS and not re.fullmatch(r"[A-Z][A-Za-z]{1,39}\d{0,2}", name, re.ASCII):
            return False
        # The front of this parameter reads as another one that should be here and is not.
        if any((name + value).startswith(known) for known in absent):
            return False
        # This value has another parameter inside that should be here and is not.
        if name not in FREE_TEXT and any(len(known) >= SWALLOWED_LENGTH_MIN and known in value for known in absent):
            return False
    return True


class TwilioHttp(AsyncHttpClient):  # type: ignore[misc] # twilio has no types
    """Our transport under Twilio's SDK: a limit in time and size, one connection pool, no redirects, no logging."""

    def __init__(self, *, base_url: str, timeout_seconds: float, outside: Outside | None = None) -> None:
        super().__init__(QUIET, True, timeout_seconds)
        self._still_ours = outside.still_ours if outside else lambda: None
        self._names = outside.names if outside else None
        self._base_url = base_url.rstrip("/")
        self._timeout_seconds = timeout_seconds
        self._session: aiohttp.ClientSession | None = None

    async def request(self, method: str, url: str, **given: Any) -> Response:
        """Make one request; `given` is what the SDK asks for (params, data, headers, auth)."""
        if self._session is None:
            self._session = open_session(self._timeout_seconds, self._still_ours, self._names)
        if self._base_url and url.startswith(API_HOST):
            url = self._base_url + url[len(API_HOST) :]
        if params := given.get("params"):
            url = f"{url}?{urlencode(params)}"
        headers = dict(given.get("headers") or {})
        headers["Authorization"] = "Basic " + base64.b64encode(":".join(given["auth"]).encode()).decode()
        data = urlencode(given["data"], doseq=True) if given.get("data") else None
        async with self._session.request(method, url, data=data, headers=headers, allow_redirects=False) as answer:
            body = await read_answer("twilio", answer)
            return Response(answer.status, body.decode(errors="replace"), answer.headers)

    async def close(self) -> None:
        """Close the connections."""
        if self._session is not None:
            await self._session.close()


class Twilio:
    """One account as the channels use it: requests that end in time, trouble as `DeliveryError`."""

    def __init__(self, spec: ChannelSpec, outside: Outside) -> None:
        self._http = TwilioHttp(
            base_url=reveal(spec.settings.get("base_url")),
            timeout_seconds=timeout_seconds(spec),
            outside=outside,
        )
        self._client = Client(
            reveal(spec.settings["account_sid"]), reveal(spec.settings["auth_token"]), http_client=self._http
        )
        # The first touch of these loads half of the SDK (0.3 s): now, and not while somebody's house is on fire.
        self.messages: Any = self._client.messages
        self.calls: Any = self._client.calls
        self.sender = reveal(spec.settings["from"])

    async def ask(self, work: Awaitable[T]) -> T:
        """Await one request of the SDK; every expected trouble is raised as `DeliveryError`, without its text."""
        try:
            return await work
        except (TwilioRestException, TwilioServiceException) as refused:
            raise refusal(int(refused.status), refused.code) from None
        except (TwilioException, aiohttp.ClientError, OSError, *NONSENSE) as trouble:
            raise from_trouble("twilio", trouble) from None

    async def look(self, work: Awaitable[T]) -> T | None:
        """Await one question about the past for at most `LOOKUP_SECONDS`; None when it cannot be answered."""
        try:
            async with asyncio.timeout(LOOKUP_SECONDS):
                return await self.ask(work)
        except (DeliveryError, TimeoutError):
            return None

    async def close(self) -> None:
        """Close the connections."""
        await self._http.close()


def recent(row: Any, message: Message) -> bool:
    """Return whether a row of Twilio's can be the attempt: not older than `message.since`, where that is known."""
    if message.since is None or row.date_created is None:
        return True
    return bool((message.since - row.date_created).total_seconds() <= CLOCK_SKEW_SECONDS)


def receipt_of(kind: ChannelKind, row: Any) -> Receipt:
    """Return what a row of Twilio's (a message or a call) says of the attempt."""
    code = getattr(row, "error_code", None)
    return twilio_status(kind, str(row.status), int(code) if code else None, provider_id=str(row.sid))


def created(kind: ChannelKind, row: Any) -> Receipt:
    """Return the receipt of a row just created; DeliveryError when it has failed already, or is no row at all."""
    if not row.sid:
        say = "twilio answered without an id"
        raise DeliveryError(DeliveryReason.SERVER_ERROR, say, permanent=False, unknown=True)
    receipt = receipt_of(kind, row)
    if receipt.status in {Attempt.FAILED_PERMANENT, Attempt.FAILED_TEMPORARY}:
        say = f"twilio gave up at once: {receipt.reason.replace('_', ' ')}"
        raise DeliveryError(DeliveryReason(receipt.reason), say, permanent=receipt.status is Attempt.FAILED_PERMANENT)
    return receipt
