"""Calls by Twilio. The words travel inside the request, so a call needs nothing from us to be spoken.

Said twice while keys are listened for: 4 acks, 8 passes on, 9 repeats (1 belongs to mailbox menus). Whoever presses no
key was not reached, voicemail included; no machine detection. Only `speech` and `title` are spoken.
"""

from collections.abc import Mapping, Sequence
from xml.sax.saxutils import escape, quoteattr

from escalatord.core.roster import ChannelKind, ChannelSpec
from escalatord.notify.channel import UNKNOWN, Capabilities, Channel, Message, Outside, Receipt, Unknown
from escalatord.notify.twilio_http import LOOKUP_ROWS_MAX, SETTINGS, Twilio, created, receipt_of, recent
from escalatord.notify.twilio_status import CALLS_ALIVE
from escalatord.notify.wire import Unconfigured, absent, one_line, reveal, timeout_seconds

TWIML_CHARACTERS_MAX = 4000
SPEECH_CHARACTERS_MAX = 600
RING_SECONDS = 30
KEY_SECONDS = 8
CALL_SECONDS_MAX = 180
EVENTS = ("initiated", "ringing", "answered", "completed")
LANGUAGES: Mapping[str, str] = {
    "en": "en-US",
    "de": "de-DE",
    "es": "es-ES",
    "fr": "fr-FR",
    "it": "it-IT",
    "ja": "ja-JP",
    "nl": "nl-NL",
    "pl": "pl-PL",
    "pt": "pt-PT",
}


def build(spec: ChannelSpec, outside: Outside) -> Channel:
    """Return the channel for settings `account_sid`, `auth_token`, `from`, and if wished `language` and `voice`."""
    capabilities = Capabilities(
        kind=ChannelKind.CALL,
        receipts=True,
        two_way=True,
        lookup=True,
        max_length=SPEECH_CHARACTERS_MAX,
        timeout_seconds=timeout_seconds(spec),
    )
    if missing := absent(spec, *SETTINGS):
        return Unconfigured(capabilities, spec.name, missing)
    return TwilioVoice(Twilio(spec, outside), spec, capabilities, outside)


class TwilioVoice:
    """Calls people, and listens for one key."""

    def __init__(self, twilio: Twilio, spec: ChannelSpec, capabilities: Capabilities, outside: Outside) -> None:
        self.capabilities = capabilities
        self._twilio = twilio
        self._language = reveal(spec.settings.get("language"))
        self._voice = reveal(spec.settings.get("voice"))
        self._outside = outside

    async def send(self, message: Message) -> Receipt:
        """Create the call; ACCEPTED with its SID."""
        row = await self._twilio.ask(
            self._twilio.calls.create_async(
                to=message.address,
                from_=self._twilio.sender,
                twiml=twiml(
                    message.speech or (message.title,),
                    action=self._outside.callback_path("twilio", "voice", message.reference),
                    language=spoken_language(message.language, self._language),
                    voice=self._voice,
                ),
                status_callback=self._outside.callback_path("twilio", "status", message.reference),
                status_callback_event=list(EVENTS),
                timeout=RING_SECONDS,
                time_limit=CALL_SECONDS_MAX,
            )
        )
        return created(ChannelKind.CALL, row)

    async def lookup(self, message: Message) -> Receipt | Unknown:
        """Ask for the call: by its SID when known, else for the one call to this phone that is still alive.

        A call carries no text, so one that is over cannot be told from another: it is made again, once.
        """
        if message.provider_id:
            found = await self._twilio.look(self._twilio.calls(message.provider_id).fetch_async())
            rows = [found] if found else []
        else:
            listed = await self._twilio.look(self._twilio.calls.list_async(to=message.address, limit=LOOKUP_ROWS_MAX))
            rows = [row for row in listed or () if row.status in CALLS_ALIVE and recent(row, message)]
        if len(rows) != 1:
            return UNKNOWN
        return receipt_of(ChannelKind.CALL, rows[0])

    async def close(self) -> None:
        """Close the connections."""
        await self._twilio.close()


def spoken_language(wanted: str, configured: str) -> str:
    """Return the voice's language tag: the configured one when it is a form of `wanted`, else a common one."""
    primary = wanted.partition("-")[0].lower()
    if configured and (not primary or configured.lower().startswith(primary)):
        return configured
    return wanted if "-" in wanted else LANGUAGES.get(primary, configured or LANGUAGES["en"])


def twiml(sentences: Sequence[str], *, action: str, language: str, voice: str = "") -> str:
    """Return the call as TwiML: the sentences twice inside a Gather for one key, then the end.

    What is too long for Twilio (4,000 characters) loses its middle: the last sentence says which keys to press.
    """
    attributes = f" language={quoteattr(language)}" + (f" voice={quoteattr(voice)}" if voice else "")
    gather = f'<Gather numDigits="1" timeout="{KEY_SECONDS}" method="POST" action={quoteattr(action)}>'
    spoken = [one_line(sentence) for sentence in sentences if sentence.strip()]
    for room in (SPEECH_CHARACTERS_MAX, SPEECH_CHARACTERS_MAX // 2, SPEECH_CHARACTERS_MAX // 8):
        say = f"<Say{attributes}>{escape(' '.join(shortened(spoken, room)))}</Say>"
        document = f'<Response>{gather}{say}<Pause length="1"/>{say}</Gather><Hangup/></Response>'
        if len(document) <= TWIML_CHARACTERS_MAX:
            break
    return document


def shortened(sentences: Sequence[str], room: int) -> list[str]:
    """Return the sentences within `room` characters: the last one first of all, then from the front."""
    if not sentences:
        return []
    last = sentences[-1][:room]
    kept, left = [], room - len(last)
    for sentence in sentences[:-1]:
        if left <= 1:
            break
        kept.append(sentence[: left - 1])
        left -= len(kept[-1]) + 1
    return [*kept, last]
