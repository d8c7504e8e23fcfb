"""What a story sees of a world: what lies on the phones, what the store says, what Prometheus would read."""

from typing import Any

from escalatord.core.incident import Incident
from escalatord.core.roster import ChannelKind
from escalatord.metrics import Metrics
from escalatord.notify.simulated import SimMessage
from escalatord.sim.phones import Phones
from escalatord.store.rows import JournalRow
from escalatord.store.store import Store


class Sight:
    """The eyes of a world, which brings the rest."""

    store: Store
    phones: Phones
    metrics: Metrics

    def incidents(self) -> list[Incident]:
        """Return every incident, newest first."""
        return self.store.read(lambda tx: tx.list_incidents())

    def incident(self, number: int = 1) -> Incident:
        """Return one incident; KeyError when there is none."""
        return self.store.read(lambda tx: tx.load((number,)))[number]

    def journal(self, incident: int = 1, kind: str = "") -> list[JournalRow]:
        """Return what is written of an incident (0 = of the daemon), of one kind when one is named."""
        rows = self.store.read(lambda tx: tx.journal_of(incident))
        return [row for row in rows if not kind or row.entry.kind == kind]

    def figure(self, name: str, **labels: str) -> float:
        """Return a figure as Prometheus would read it; 0 when it is not there."""
        return self.metrics.registry.get_sample_value(name, labels) or 0.0

    def expect_sms(self, person: str, contains: str = "", **more: Any) -> SimMessage:
        """Expect a text; see `Phones.expect`."""
        return self.phones.expect(ChannelKind.SMS, person, contains, **more)

    def expect_call(self, person: str, contains: str = "", **more: Any) -> SimMessage:
        """Expect a call; see `Phones.expect`."""
        return self.phones.expect(ChannelKind.CALL, person, contains, **more)

    def expect_chat(self, person: str, contains: str = "", **more: Any) -> SimMessage:
        """Expect a chat message; see `Phones.expect`."""
        return self.phones.expect(ChannelKind.CHAT, person, contains, **more)

    def expect_mail(self, person: str, contains: str = "", **more: Any) -> SimMessage:
        """Expect a mail; see `Phones.expect`."""
        return self.phones.expect(ChannelKind.MAIL, person, contains, **more)

    def expect_nothing(self) -> None:
        """Fail when there are messages that nobody expected."""
        self.phones.expect_nothing()
