"""Two nodes on one database, as far down as decisions go: each a store and a batch, no loops and no network."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from escalatord.config.load import load
from escalatord.core.alert import AlertStatus
from escalatord.engine.batch import Batch, Written
from escalatord.engine.commands import Claim, Claimed, Command, Ingest
from escalatord.engine.handlers import Due
from escalatord.store.rows import NodeRow
from escalatord.store.store import Store
from tests.fakes.rulesets import ALERT
from tests.store.samples import NOW

LEASE = timedelta(seconds=10)


class Node:
    """One of them. `ahead` is by how much the database's clock seems to be ahead."""

    def __init__(self, url: str, rules: Path, name: str) -> None:
        self.name = name
        self.ahead = timedelta()
        self.store = Store(url)
        self.store.open()
        begin = self.store.database.begin_writing

        def begin_later(connection, *, alone):
            standing = begin(connection, alone=alone)
            return replace(standing, now=standing.now + self.ahead)

        self.store.database.begin_writing = begin_later
        self.batch = Batch(self.store, load(rules).ruleset, b"k" * 32)
        self.join()
        self.batch.refresh(NOW)
        self.batch.survey(NOW)

    def join(self, over: Iterable[str] = ()) -> NodeRow:
        """Become a node."""

        def enter(tx):
            now = tx.standing.now
            row = NodeRow(
                id=self.name,
                place="",
                version="0",
                started_at=now,
                heartbeat_at=now,
                lease_until=now + LEASE,
            )
            return tx.nodes.join(row, list(over))

        row = self.store.write(enter, alone=True)
        self.store.chain = row.chain
        return row

    def do(self, *commands: Command | Due) -> Written:
        """Run commands in one batch."""
        return self.batch.commit(commands, NOW)

    def fire(self, *names: str, status: AlertStatus = AlertStatus.FIRING, **labels: str) -> Written:
        """Take alerts in, one for each name (`alertname`), in one body."""
        alerts = tuple(
            replace(
                ALERT,
                source="am",
                fingerprint=f"{name}{sorted(labels.items())}",
                status=status,
                title=name,
                labels={"alertname": name, **labels},
                ends_at=ALERT.starts_at if status is AlertStatus.RESOLVED else None,
            )
            for name in names
        )
        return self.do(Ingest(source="am", alerts=alerts))

    def claim(self, lane: str, room: int, **more) -> tuple[Claimed, ...]:
        """Claim so many attempts of a lane."""
        (claimed,) = self.do(Claim(room={lane: room}, lease_seconds=LEASE.total_seconds(), **more)).results
        return claimed

    def close(self) -> None:
        """Let go of the database."""
        self.store.close()
