"""What failed in a way it must not and cost no page: in the journal once an hour for each template and channel.

Words that were not to be had are counted and logged each time; the page itself has gone out in other words by then, so
nobody is woken for it. An attempt whose channel raised goes on by the next contact method; of that people hear, because
the channel carries nothing. Nothing here can hold anything up.
"""

from collections import OrderedDict
from collections.abc import Callable
from datetime import datetime, timedelta

from structlog import get_logger

from escalatord.engine.commands import Remark
from escalatord.engine.engine import Engine
from escalatord.errors import StoreUnavailableError
from escalatord.notify.render import Fallback

JOURNAL_EVERY = timedelta(hours=1)
TEMPLATES_MAX = 1_000
"""Past it: the template that failed longest ago is forgotten, and may be journaled again within its hour."""

log = get_logger(component="sender")


class Fallbacks:
    """Keeps count of templates that failed, by name."""

    def __init__(self, engine: Engine, count: Callable[[str], None]) -> None:
        self._engine = engine
        self._count = count
        self._told: OrderedDict[str, datetime] = OrderedDict()
        self._waiting: list[Remark] = []

    def note(self, fallback: Fallback, reference: str, now: datetime) -> None:
        """Count and log one; it is for the journal when the last one of its template is an hour ago."""
        name = fallback.template
        log.error(
            "wording fell back to the built-in text",
            reference=reference,
            template=name or "built-in",
            wording=fallback.wording,
            why=fallback.why,
        )
        if not name:
            return
        self._count(name)
        if not self._is_new(name, now):
            return
        body = {"template": name, "wording": fallback.wording, "why": fallback.why}
        self._waiting.append(Remark(kind="template_failed", body=body))

    def tell(self, channel: str, now: datetime) -> None:
        """Let people know that a channel raised; what it raised stands in the log."""
        if self._is_new(f"channel {channel}", now):
            tell = f"Channel {channel} fails in a way it must not: pages go by the next one"
            advice = "It is a defect of its adapter; the log has it. Test the channel, and please report it."
            self._waiting.append(Remark(kind="channel_failed", body={"channel": channel}, tell=tell, advice=advice))

    def _is_new(self, name: str, now: datetime) -> bool:
        """Return whether this was not told within the hour, and count it as told."""
        told = self._told.get(name)
        if told is not None and abs(now - told) < JOURNAL_EVERY:
            return False
        self._told[name] = now
        self._told.move_to_end(name)
        if len(self._told) > TEMPLATES_MAX:
            self._told.popitem(last=False)
        return True

    async def write_down(self) -> None:
        """Write what is for the journal; what cannot be written now stands in the log."""
        remarks, self._waiting = self._waiting, []
        for remark in remarks:
            try:
                await self._engine.submit(remark)
            except StoreUnavailableError as error:
                log.warning("a failed template is not in the journal", error=str(error), **remark.body)
