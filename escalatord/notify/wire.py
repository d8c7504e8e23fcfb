"""What all channels share: secrets, legible text, and one reading of every way a request can fail.

Rules: a redirect is never followed; an error text holds no secret, no address and nothing the provider said; when a
request may have been acted upon, the error says `unknown`, because a second page is better than none.
"""

import asyncio
import re
import unicodedata
from collections.abc import Callable, Mapping
from typing import NoReturn

import aiohttp

from escalatord.core.roster import ChannelSpec
from escalatord.errors import DeliveryError, DeliveryReason
from escalatord.names import Names
from escalatord.notify.channel import UNKNOWN, Capabilities, Message, Receipt, Unknown

ANSWER_BYTES_MAX = 256 * 1024
CONNECT_SECONDS_MAX = 5.0
SEND_SECONDS = 10.0
CONNECTIONS_MAX = 64
KEEP_ALIVE_SECONDS = 60.0
# 500 too: a server that fell over while answering may have acted before it fell.
MAYBE_TAKEN = frozenset({500, 502, 504})
REFUSED: Mapping[int, tuple[DeliveryReason, bool]] = {
    401: (DeliveryReason.AUTH, True),
    403: (DeliveryReason.AUTH, True),
    408: (DeliveryReason.TIMEOUT, False),
    425: (DeliveryReason.SERVER_ERROR, False),
    429: (DeliveryReason.RATE_LIMITED, False),
}
# What SDKs raise on an answer that is not what they expect.
NONSENSE = (ValueError, KeyError, TypeError, AttributeError, RecursionError)
BREAKS = str.maketrans(dict.fromkeys("\r\n\t\v\f\x85\u2028\u2029", " "))


def reveal(value: object) -> str:
    """Return a setting as text: a secret gives itself up here and nowhere else; None is ""."""
    shown = getattr(value, "reveal", None)
    return str(shown()) if callable(shown) else "" if value is None else str(value)


def masked(address: str) -> str:
    """Return what may be shown of an address: its last two characters."""
    return f"…{address[-2:]}" if len(address) > 4 else "…"  # noqa: PLR2004 (a shorter one would be shown whole)


def legible(text: str) -> str:
    """Return `text` as every wire can carry it: no lone surrogates, no control characters but line feed and tab."""
    if text.replace("\n", "").replace("\t", "").isprintable():  # no surrogate, no control character: nearly every text
        return text
    whole = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return "".join(each for each in whole if each in "\n\t" or unicodedata.category(each) != "Cc")


def one_line(text: str) -> str:
    """Return `text` legible and on one line, so that it cannot end a header."""
    return legible(re.sub(" +", " ", text.translate(BREAKS))).strip()


def from_status(provider: str, status: int) -> DeliveryError:
    """Return what an HTTP status other than 2xx means for the message.

    408, 425, 429 and 5xx pass; every other 4xx, and a redirect, will say the same again: use the next method.
    """
    if status >= 500:  # noqa: PLR2004 (the class of server errors)
        reason, permanent = DeliveryReason.SERVER_ERROR, False
    else:
        reason, permanent = REFUSED.get(status, (DeliveryReason.CLIENT_ERROR, True))
    say = "redirects are not followed" if 300 <= status < 400 else reason.value.replace("_", " ")  # noqa: PLR2004 (3xx)
    return DeliveryError(
        reason, f"{provider} answered {status}: {say}", permanent=permanent, unknown=status in MAYBE_TAKEN
    )


def from_trouble(provider: str, trouble: Exception) -> DeliveryError:
    """Return what a failed request means; the exception's own words stay out, they can hold addresses and URLs."""
    match trouble:
        case DeliveryError():
            return trouble
        case aiohttp.ConnectionTimeoutError():
            reason, say, unknown = DeliveryReason.TIMEOUT, f"{provider} did not accept a connection in time", False
        case asyncio.TimeoutError():
            reason, say, unknown = DeliveryReason.TIMEOUT, f"{provider} did not answer in time", True
        case aiohttp.InvalidURL():
            reason, say, unknown = DeliveryReason.NOT_CONFIGURED, f"{provider} has an unusable URL", False
        case aiohttp.ClientConnectorError():
            reason, say, unknown = DeliveryReason.NETWORK, f"{provider} cannot be connected to", False
        case aiohttp.ClientError() | OSError():
            reason, say, unknown = DeliveryReason.NETWORK, f"the connection to {provider} broke", True
        case _:
            reason, say, unknown = DeliveryReason.SERVER_ERROR, f"{provider} answered nonsense", True
    return DeliveryError(reason, say, permanent=reason is DeliveryReason.NOT_CONFIGURED, unknown=unknown)


async def read_answer(provider: str, response: aiohttp.ClientResponse) -> bytes:
    """Return the body, of at most `ANSWER_BYTES_MAX` bytes; a longer one is a DeliveryError of unknown outcome."""
    body = bytearray()
    async for chunk in response.content.iter_chunked(16 * 1024):
        body += chunk
        if len(body) > ANSWER_BYTES_MAX:
            say = f"{provider} answered more than {ANSWER_BYTES_MAX} bytes"
            raise DeliveryError(DeliveryReason.SERVER_ERROR, say, permanent=False, unknown=True)
    return bytes(body)


async def _refuse_redirect(*_: object) -> NoReturn:
    raise from_status("the provider", 302)


def open_session(
    timeout_seconds: float, still_ours: Callable[[], None] = lambda: None, names: Names | None = None
) -> aiohttp.ClientSession:
    """Open a session that keeps connections, no cookies, follows nothing; call it inside the running loop.

    `still_ours` may raise right before a request is written: a process may have been stopped since it began. `names`
    resolves (and keeps) addresses, None = one for this session alone.
    """

    async def last_look(*_what: object) -> None:
        still_ours()

    trace = aiohttp.TraceConfig()
    trace.on_request_headers_sent.append(last_look)  # called before they are, in spite of its name
    # Libraries that do not let us say `allow_redirects=False` are stopped here.
    trace.on_request_redirect.append(_refuse_redirect)
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(
            limit=CONNECTIONS_MAX,
            keepalive_timeout=KEEP_ALIVE_SECONDS,
            resolver=names or Names(),
            use_dns_cache=False,  # `Names` keeps them, and knows when to ask again
        ),
        timeout=aiohttp.ClientTimeout(total=timeout_seconds, sock_connect=min(timeout_seconds, CONNECT_SECONDS_MAX)),
        cookie_jar=aiohttp.DummyCookieJar(),
        trace_configs=[trace],
    )


def absent(spec: ChannelSpec, *names: str) -> tuple[str, ...]:
    """Return which of the settings `names` are missing or empty."""
    return tuple(name for name in names if not reveal(spec.settings.get(name)).strip())


def timeout_seconds(spec: ChannelSpec, default: float = SEND_SECONDS) -> float:
    """Return how long one request may take in all: the setting `timeout_seconds`, else `default`."""
    return float(reveal(spec.settings.get("timeout_seconds")) or default)


class Unconfigured:
    """A channel that lacks settings: it fails at once and for good, so that the next method starts now."""

    def __init__(self, capabilities: Capabilities, name: str, missing: tuple[str, ...]) -> None:
        self.capabilities = capabilities
        self._say = f"channel {name} is not configured: {', '.join(missing)} missing"

    async def send(self, message: Message) -> Receipt:
        """Refuse."""
        del message
        raise DeliveryError(DeliveryReason.NOT_CONFIGURED, self._say, permanent=True)

    async def lookup(self, message: Message) -> Receipt | Unknown:
        """Know nothing."""
        del message
        return UNKNOWN

    async def close(self) -> None:
        """Let go of nothing."""
