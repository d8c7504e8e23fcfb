"""Slack: one message for each incident in the channel's room, edited in place, later pages in its thread.

With a `room` the person is mentioned there; without one the message goes to the person directly and nothing is edited.
Links are never unfurled: a preview would open them. How a message looks is in `slack_blocks`.
"""

import hmac
import re
from collections.abc import Mapping
from datetime import datetime
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import aiohttp

from escalatord.core.incident import Attempt, NoticeKind
from escalatord.core.roster import ChannelKind, ChannelSpec
from escalatord.errors import DeliveryError, DeliveryReason
from escalatord.notify.channel import UNKNOWN, Capabilities, Channel, Message, Outside, Receipt, Unknown
from escalatord.notify.slack_blocks import TEXT_CHARACTERS_MAX, blocks, escaped, first_line
from escalatord.notify.wire import (
    NONSENSE,
    Unconfigured,
    absent,
    from_status,
    from_trouble,
    open_session,
    reveal,
    timeout_seconds,
)

if TYPE_CHECKING:
    from slack_sdk.web.async_client import AsyncWebClient

SIGNATURE_AGE_SECONDS_MAX = 300
MEMBER = re.compile(r"[UW][A-Z0-9]{2,20}", re.ASCII)
EDITS = frozenset({NoticeKind.UPDATE, NoticeKind.ACKED, NoticeKind.STAND_DOWN})
GONE = frozenset({"message_not_found", "cant_update_message", "edit_window_closed", "thread_not_found"})
BAD_BLOCKS = frozenset({"invalid_blocks", "invalid_blocks_format", "msg_blocks_too_long"})
ERRORS: Mapping[str, tuple[DeliveryReason, bool]] = {
    **dict.fromkeys(("ratelimited", "rate_limited", "message_limit_exceeded"), (DeliveryReason.RATE_LIMITED, False)),
    **dict.fromkeys(
        ("invalid_auth", "not_authed", "account_inactive", "token_revoked", "token_expired", "missing_scope",
         "no_permission", "not_allowed_token_type", "org_login_required", "ekm_access_denied"),
        (DeliveryReason.AUTH, True),
    ),
    **dict.fromkeys(("channel_not_found", "user_not_found", "users_not_found"), (DeliveryReason.BAD_ADDRESS, True)),
    **dict.fromkeys(
        ("not_in_channel", "is_archived", "restricted_action", "cannot_dm_bot", "messages_tab_disabled"),
        (DeliveryReason.UNREACHABLE, True),
    ),
    **dict.fromkeys(
        ("internal_error", "fatal_error", "service_unavailable", "request_timeout"),
        (DeliveryReason.SERVER_ERROR, False),
    ),
}  # fmt: skip


def build(spec: ChannelSpec, outside: Outside) -> Channel:
    """Return the channel for settings `token`, and if wished `room`, and `base_url` in tests."""
    capabilities = Capabilities(
        kind=ChannelKind.CHAT,
        receipts=False,
        two_way=True,
        lookup=False,
        max_length=TEXT_CHARACTERS_MAX,
        timeout_seconds=timeout_seconds(spec),
    )
    missing = absent(spec, "token")
    if find_spec("slack_sdk") is None:
        missing = (*missing, "the package slack-sdk (extra `slack`)")
    if missing:
        return Unconfigured(capabilities, spec.name, missing)
    return Slack(spec, capabilities, outside)


class Slack:
    """Posts and edits messages. The provider's id of a message is `channel:ts`."""

    def __init__(self, spec: ChannelSpec, capabilities: Capabilities, outside: Outside) -> None:
        self.capabilities = capabilities
        self._outside = outside
        self._token = reveal(spec.settings["token"])
        self._room = reveal(spec.settings.get("room"))
        self._base_url = reveal(spec.settings.get("base_url"))
        self._session: aiohttp.ClientSession | None = None
        self._client: AsyncWebClient | None = None

    async def send(self, message: Message) -> Receipt:
        """Post, reply in the incident's thread, or edit its message; ACCEPTED with `channel:ts`.

        A message that is gone or too old to edit is posted anew; one whose layout is refused goes out as plain text.
        """
        room, _, stamp = (message.thread if self._room else "").partition(":")
        where: dict[str, Any] = {"channel": self._room or message.address}
        method = "chat.postMessage"
        if stamp and message.kind in EDITS:
            method, where = "chat.update", {"channel": room, "ts": stamp}
        elif stamp:
            where = {"channel": room, "thread_ts": stamp}
            where["reply_broadcast"] = message.kind is NoticeKind.LAST_RESORT
        try:
            return await self._call(method, where, message)
        except _RefusedError as refused:
            if refused.word not in GONE:
                raise
        return await self._call("chat.postMessage", {"channel": self._room or message.address}, message)

    async def lookup(self, message: Message) -> Receipt | Unknown:
        """Know nothing: finding a message needs the right to read the room, which we do not ask for."""
        del message
        return UNKNOWN

    async def close(self) -> None:
        """Close the connections."""
        if self._session is not None:
            await self._session.close()

    async def _call(self, method: str, where: Mapping[str, Any], message: Message) -> Receipt:
        mention = message.address if self._room and MEMBER.fullmatch(message.address) else ""
        content = {**where, "text": first_line(message, mention), "unfurl_links": False, "unfurl_media": False}
        if method == "chat.update":
            del content["unfurl_links"], content["unfurl_media"]
        try:
            return await self._request(method, {**content, "blocks": blocks(message, mention)})
        except _RefusedError as refused:
            if refused.word not in BAD_BLOCKS:
                raise
        text = escaped(f"{message.title}\n{message.text}", TEXT_CHARACTERS_MAX)
        return await self._request(method, {**content, "text": f"<@{mention}> {text}" if mention else text})

    async def _request(self, method: str, content: Mapping[str, Any]) -> Receipt:
        from slack_sdk.errors import SlackApiError  # noqa: PLC0415 (an extra: loaded where Slack is used)

        try:
            answer = await self._open().api_call(method, json=dict(content))
        except SlackApiError as refused:
            status = getattr(refused.response, "status_code", 0) or getattr(refused.response, "status", 0)
            read = getattr(refused.response, "data", None)
            word = read.get("error", "") if isinstance(read, dict) else ""
            raise _refusal(int(status), str(word)) from None
        except (TimeoutError, aiohttp.ClientError, OSError, *NONSENSE) as trouble:
            raise from_trouble("slack", trouble) from None
        room, stamp = answer.get("channel"), answer.get("ts")
        return Receipt(status=Attempt.ACCEPTED, provider_id=f"{room}:{stamp}" if room and stamp else "")

    def _open(self) -> "AsyncWebClient":
        if self._client is None:
            from slack_sdk.web.async_client import AsyncWebClient  # noqa: PLC0415 (an extra, as above)

            self._session = open_session(
                self.capabilities.timeout_seconds, self._outside.still_ours, self._outside.names
            )
            base_url = self._base_url or AsyncWebClient.BASE_URL
            # No retry handlers: the SDK's own would post a second time after a lost connection.
            self._client = AsyncWebClient(self._token, base_url, session=self._session, retry_handlers=[])
        return self._client


class _RefusedError(DeliveryError):
    """A refusal by Slack's own word for it."""

    word = ""


def _refusal(status: int, word: str) -> DeliveryError:
    if status != 200 or not word:  # noqa: PLR2004 (Slack refuses with 200 and a word)
        return from_status("slack", status if status != 200 else 500)  # noqa: PLR2004 (200 without a word: it broke)
    reason, permanent = ERRORS.get(word, (DeliveryReason.CLIENT_ERROR, True))
    said = word if re.fullmatch(r"[a-z_]{1,60}", word, re.ASCII) else reason.value
    refused = _RefusedError(
        reason, f"slack refused: {said}", permanent=permanent, unknown=reason is DeliveryReason.SERVER_ERROR
    )
    refused.word = word
    return refused


def verify(signing_secret: str, timestamp: str, body: bytes, signature: str, now: datetime) -> bool:
    """Return whether Slack signed this body, not more than 5 min from `now` (Slack: "Verifying requests", v0)."""
    if not signing_secret or not re.fullmatch(r"[0-9]{1,12}", timestamp) or not signature.isascii():
        return False
    if abs(now.timestamp() - int(timestamp)) > SIGNATURE_AGE_SECONDS_MAX:
        return False
    mac = hmac.digest(signing_secret.encode(), b"v0:%b:%b" % (timestamp.encode(), body), "sha256").hex()
    return hmac.compare_digest(f"v0={mac}", signature)
