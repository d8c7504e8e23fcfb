"""What a click in Slack is answered with: words to the clicker alone, posted to the address that the click brought."""

from urllib.parse import urlsplit

import aiohttp

from escalatord.errors import DeliveryError, DeliveryReason
from escalatord.notify.wire import open_session

SLACK_HOST = "hooks.slack.com"
TIMEOUT_SECONDS = 5.0


async def reply(address: str, text: str) -> None:
    """Post `text` to the response address of a click; DeliveryError when it is not Slack's or Slack refuses it."""
    parts = urlsplit(address)
    if parts.scheme != "https" or parts.hostname != SLACK_HOST or parts.port not in (None, 443):
        # the address came in a request: nothing but Slack's own host is ever called
        raise DeliveryError(DeliveryReason.BAD_ADDRESS, "that is no response address of Slack", permanent=True)
    content = {"text": text, "response_type": "ephemeral", "replace_original": False}
    try:
        async with open_session(TIMEOUT_SECONDS) as session, session.post(address, json=content) as response:
            status = response.status
    except (aiohttp.ClientError, TimeoutError) as error:
        name = type(error).__name__
        raise DeliveryError(DeliveryReason.NETWORK, f"Slack did not take the reply: {name}", permanent=True) from None
    if status >= 300:  # noqa: PLR2004 - anything but success; redirects are not followed
        raise DeliveryError(DeliveryReason.CLIENT_ERROR, f"Slack refused the reply with {status}", permanent=True)
