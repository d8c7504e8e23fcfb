"""`escalatord watch`: what happens, a line each, until Ctrl-C.

It asks once a second and tells what is new in the timelines of incidents that are open or have changed. A daemon that
goes away is waited for: nothing is missed, because the journal is read from where it was left.
"""

import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import click

from escalatord.cli import output
from escalatord.cli.client import Client, NotReachableError, with_client
from escalatord.cli.incident import listed

POLL_SECONDS = 1.0
INCIDENTS_LOOKED_AT_MAX = 50


@click.command()
@with_client
def watch(client: Client, as_json: bool) -> None:
    """Follow what happens, line by line; Ctrl-C ends it."""
    pause = threading.Event()
    tail = Tail(client)
    incidents = tail.begin()
    try:
        if not as_json:
            output.say(listed(incidents) or ["nothing is open; waiting"])
        follow(tail, lambda: pause.wait(POLL_SECONDS), as_json=as_json)
    except KeyboardInterrupt:
        click.echo("", err=True)


@dataclass(slots=True)
class Tail:
    """Reads timelines on from an entry of the journal."""

    client: Client
    seq: int = 0
    known: dict[int, Mapping[str, Any]] = field(default_factory=dict)

    def begin(self) -> list[Mapping[str, Any]]:
        """Start at the end of the journal; return what is open now."""
        self.seq = self.client.get("/api/v1/status")["journal_seq"]
        incidents = self._recent()
        self.known = {incident["number"]: incident for incident in incidents}
        return [incident for incident in incidents if incident["state"] != "resolved"]

    def news(self) -> Iterator[Mapping[str, Any]]:
        """Yield timeline entries since the last time, each with its `incident`, in order of the journal."""
        end = self.client.get("/api/v1/status")["journal_seq"]
        if end <= self.seq:
            return
        entries: list[dict[str, Any]] = []
        incidents = self._recent()
        for incident in incidents:
            if incident["state"] == "resolved" and incident == self.known.get(incident["number"]):
                continue
            detail = self.client.get(f"/api/v1/incidents/{incident['number']}")
            entries += [{**entry, "incident": incident} for entry in detail["timeline"] if entry["seq"] > self.seq]
        self.known = {incident["number"]: incident for incident in incidents}
        # an incident may have gone on while others were read: what comes after `end` is told next time
        self.seq = end
        yield from sorted((entry for entry in entries if entry["seq"] <= end), key=lambda entry: int(entry["seq"]))

    def _recent(self) -> list[Mapping[str, Any]]:
        return list(self.client.get("/api/v1/incidents", {"limit": str(INCIDENTS_LOOKED_AT_MAX)})["incidents"])


def follow(tail: Tail, pause: Callable[[], object], *, as_json: bool) -> None:
    """Tell news for ever, with a `pause` between looks; a daemon that is away is said once and waited for."""
    away = False
    while True:
        try:
            for entry in tail.news():
                if as_json:
                    output.say_json(entry, lines=True)
                else:
                    output.say(line(entry))
            if away:
                click.echo("the daemon is back", err=True)
            away = False
        except NotReachableError as error:
            if not away:
                click.echo(f"{error.message.splitlines()[0]} Waiting for it.", err=True)
            away = True
        pause()


def line(entry: Mapping[str, Any]) -> str:
    """Return an entry as a line: `03:11:14  INC-142  critical  Tier 1 pages Ana Ruiz`."""
    incident = entry["incident"]
    head = f"{output.clock(entry['at'])}  {incident['label']}  {incident['severity']}  "
    if entry["kind"] == "opened":
        return output.clean(f"{head}{incident['title']}. {entry['say']}", output.COLUMNS_MAX)
    return output.clean(head + entry["say"], output.COLUMNS_MAX)
