"""Texts by Twilio. Accepted is not delivered: receipts come to our callback, or by asking for the message's id."""

from urllib.parse import urlsplit

from escalatord.core.roster import ChannelKind, ChannelSpec
from escalatord.notify.channel import UNKNOWN, Capabilities, Channel, Message, Outside, Receipt, Unknown
from escalatord.notify.twilio_http import LOOKUP_ROWS_MAX, SETTINGS, Twilio, created, receipt_of, recent
from escalatord.notify.wire import Unconfigured, absent, legible, timeout_seconds

BODY_CHARACTERS_MAX = 1600
# Shorter lives are lost in slow carriers; longer ones than a day would page about yesterday. Twilio takes 1 to 36,000.
VALIDITY_SECONDS_MIN = 60
VALIDITY_SECONDS_MAX = 14_400


def build(spec: ChannelSpec, outside: Outside) -> Channel:
    """Return the channel for settings `account_sid`, `auth_token`, `from`, and `base_url` in tests."""
    capabilities = Capabilities(
        kind=ChannelKind.SMS,
        receipts=True,
        two_way=True,
        lookup=True,
        max_length=BODY_CHARACTERS_MAX,
        timeout_seconds=timeout_seconds(spec),
    )
    if missing := absent(spec, *SETTINGS):
        return Unconfigured(capabilities, spec.name, missing)
    return TwilioSms(Twilio(spec, outside), capabilities, outside)


class TwilioSms:
    """Sends texts, and finds them again by the link or the words that they carry."""

    def __init__(self, twilio: Twilio, capabilities: Capabilities, outside: Outside) -> None:
        self.capabilities = capabilities
        self._twilio = twilio
        self._outside = outside

    async def send(self, message: Message) -> Receipt:
        """Create the message; ACCEPTED with its SID."""
        row = await self._twilio.ask(
            self._twilio.messages.create_async(
                to=message.address,
                from_=self._twilio.sender,
                body=body(message),
                status_callback=self._outside.callback_path("twilio", "status", message.reference),
                validity_period=validity_seconds(message.validity_seconds),
            )
        )
        return created(ChannelKind.SMS, row)

    async def lookup(self, message: Message) -> Receipt | Unknown:
        """Find the text: by its SID when known, else in the list of texts to this phone.

        The link is unique to its incident, person and channel, so with `message.since` it names one attempt; a text
        without a link must be word for word the same. A text found twice is one that arrived twice: the first counts.
        """
        if message.provider_id:
            found = await self._twilio.look(self._twilio.messages(message.provider_id).fetch_async())
            rows = [found] if found else []
        else:
            # Not by date sent: what still waits in Twilio's queue has none and would be sent again.
            listed = self._twilio.messages.list_async(to=message.address, limit=LOOKUP_ROWS_MAX)
            rows = [row for row in await self._twilio.look(listed) or () if same(row.body or "", message)]
            # The incident's first text carries the same link, and its id is known: it is never the one asked for.
            rows = [row for row in rows if recent(row, message) and row.sid != message.thread]
        for row in rows:
            return receipt_of(ChannelKind.SMS, row)
        return UNKNOWN

    async def close(self) -> None:
        """Close the connections."""
        await self._twilio.close()


def body(message: Message) -> str:
    """Return the text as it is sent."""
    return legible(message.text)[:BODY_CHARACTERS_MAX]


def same(sent: str, message: Message) -> bool:
    """Return whether a text that was sent is this message."""
    token = urlsplit(message.link).path.rpartition("/")[2] if message.link else ""
    return token in sent if token else sent == body(message)


def validity_seconds(wanted: float) -> int:
    """Return how long the text may wait for its reader's phone, in whole seconds that Twilio takes."""
    return int(min(max(wanted, VALIDITY_SECONDS_MIN), VALIDITY_SECONDS_MAX))
