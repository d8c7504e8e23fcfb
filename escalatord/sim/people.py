"""Scripted people: what each does when paged, written as `mia: no answer; bo: acks by call after 40s; cy: busy`.

- `acks`, `passes on`: by the channel named (`by sms`, `call`, `chat`, `link`), else by whichever page comes first; as
  long `after` that page as said, at once when nothing is said. Somebody who answers a call takes it at the first ring.
- `no answer`: nothing at all. `busy`, `voicemail`: calls fail that way, everything else stays unanswered.
- Whoever is not named does not answer.

Answers go through the same code as those of real phones.
"""

import asyncio
import re
from collections.abc import Coroutine, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import assert_never

from escalatord.core.incident import NoticeKind
from escalatord.core.roster import ChannelKind
from escalatord.core.units import parse_duration_seconds
from escalatord.errors import DeliveryReason
from escalatord.notify.simulated import DELIVERY_SECONDS, VOICEMAIL_SECONDS, SimMessage
from escalatord.respond.keypad import KEY_ACK, KEY_PASS_ON
from escalatord.sim.world import World

PEOPLE_MAX = 1000
ASKING = frozenset(
    {NoticeKind.PAGE, NoticeKind.REMIND, NoticeKind.LAST_RESORT, NoticeKind.ACK_QUESTION, NoticeKind.DIGEST}
)
DOES = re.compile(r"(?P<deed>acks|passes on)(?: by (?P<by>sms|call|chat|link))?(?: after (?P<after>\S+))?")
EXAMPLE = "mia: no answer; bo: acks by call after 40s; cy: busy"


class Deed(StrEnum):
    """What somebody does when paged."""

    NOTHING = "no answer"
    ACK = "acks"
    PASS_ON = "passes on"  # noqa: S105 - a verb
    BUSY = "busy"
    VOICEMAIL = "voicemail"


@dataclass(frozen=True, slots=True, kw_only=True)
class Script:
    """What one person does. `by` "" = by the first page that can be answered."""

    deed: Deed
    by: str = ""
    after_seconds: float = 0.0


def parse_people(text: str) -> dict[str, Script]:
    """Return the scripts by person; ValueError with a sentence for what cannot be understood."""
    scripts: dict[str, Script] = {}
    for part in filter(None, (piece.strip() for piece in text.split(";"))):
        person, colon, words = (piece.strip() for piece in part.partition(":"))
        if not (colon and person and words):
            raise ValueError(f"{part!r} says nothing of anybody; write it like {EXAMPLE!r}")
        if person in scripts or len(scripts) >= PEOPLE_MAX:
            raise ValueError(f"{person} is named twice" if person in scripts else f"more than {PEOPLE_MAX} people")
        scripts[person] = parse_script(words)
    return scripts


def parse_script(words: str) -> Script:
    """Return what one person does; ValueError with a sentence for what cannot be understood."""
    plain = " ".join(words.lower().split())
    if plain in (Deed.NOTHING, Deed.BUSY, Deed.VOICEMAIL):
        return Script(deed=Deed(plain))
    match = DOES.fullmatch(plain)
    if match is None:
        raise ValueError(f"{words!r} is nothing that people do here; write it like {EXAMPLE!r}")
    after = parse_duration_seconds(match["after"]) if match["after"] else 0.0
    return Script(deed=Deed(match["deed"]), by=match["by"] or "", after_seconds=after)


class Cast:
    """The people of a world. It listens from its making on; `close` ends what is still being done."""

    def __init__(self, world: World, scripts: Mapping[str, Script]) -> None:
        self._world = world
        self._scripts = scripts
        self._tasks: set[asyncio.Task[None]] = set()
        self._answering: set[tuple[str, int]] = set()
        world.on_message = self.hear

    def hear(self, message: SimMessage) -> None:
        """Let the one who got a message do what their script says."""
        script = self._scripts.get(message.person)
        if script is None or message.kind not in ASKING:
            return
        match script.deed:
            case Deed.NOTHING:
                return
            case Deed.BUSY:
                if message.ringing:
                    self._start(self._refuse(message, DELIVERY_SECONDS, DeliveryReason.BUSY))
            case Deed.VOICEMAIL:
                if message.ringing:
                    self._start(self._refuse(message, VOICEMAIL_SECONDS, DeliveryReason.NO_KEY))
            case Deed.ACK | Deed.PASS_ON:
                place = (message.person, message.incident)
                if place not in self._answering and _fits(script, message):
                    self._answering.add(place)
                    self._start(self._answer(message, script, place))
            case _:
                assert_never(script.deed)

    async def close(self) -> None:
        """Stop answering; raise what went wrong with an answer."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        for result in await asyncio.gather(*tasks, return_exceptions=True):
            if isinstance(result, Exception):
                raise result

    def _start(self, work: Coroutine[None, None, None]) -> None:
        self._tasks.add(asyncio.create_task(work, name="a scripted answer"))

    async def _refuse(self, call: SimMessage, seconds: float, reason: DeliveryReason) -> None:
        await self._world.clock.sleep(seconds)
        await self._world.phones.hang_up(call.reference, reason)

    async def _answer(self, message: SimMessage, script: Script, place: tuple[str, int]) -> None:
        world = self._world
        if message.ringing:
            world.phones.pick_up(message.reference)
        await world.clock.sleep(script.after_seconds)
        passes = script.deed is Deed.PASS_ON
        self._answering.discard(place)
        if message.channel == ChannelKind.CALL:
            await world.press_in(message, KEY_PASS_ON if passes else KEY_ACK)
        elif script.by == "link" or message.channel == ChannelKind.MAIL:
            await world.follow_from(message, "pass_on" if passes else "ack", message.number)
        elif message.channel == ChannelKind.CHAT:
            await world.click_on(message, "pass_on" if passes else "ack")
        else:
            await world.reply(message.person, f"{message.code}N" if passes else message.code)


def _fits(script: Script, message: SimMessage) -> bool:
    if script.by == "link":
        return bool(message.link) and not message.ringing
    return script.by in ("", message.channel)
