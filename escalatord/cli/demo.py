"""`escalatord demo`: a whole company on this machine. The real daemon, simulated phones, an alert, a hurried clock."""

import tempfile
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from escalatord import __version__
from escalatord.cli import output, payloads
from escalatord.cli.check import as_text
from escalatord.cli.client import EXIT_BAD_RULES, Client
from escalatord.cli.fire import send
from escalatord.cli.options import PORT_MAX, shipped_rules
from escalatord.cli.serve import run_plainly
from escalatord.clock import SystemClock
from escalatord.config.load import load
from escalatord.core.units import format_duration
from escalatord.daemon import SIMULATED, Options, Ready
from escalatord.errors import ConfigError

EXAMPLE = "checkout-5xx"
SPEED_DEFAULT = 20.0
SPEED_MAX = 1000.0
PORT_DEFAULT = 8911
HASH_SHOWN = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """What the banner tells of a demonstration that runs: where, with which rules, how fast, since when it starts."""

    ready: Ready
    rules: Path
    speed: float
    started_seconds: float


@click.command()
@click.option("--port", type=click.IntRange(1, PORT_MAX), default=PORT_DEFAULT, show_default=True, help="On loopback.")
@click.option(
    "--speed",
    type=click.FloatRange(1, SPEED_MAX),
    default=SPEED_DEFAULT,
    show_default=True,
    help="How much faster than real time; only with simulated channels.",
)
@click.option("--rules", type=click.Path(path_type=Path), help="Your own rules.  [default: those shipped]")
@click.option("--example", default=EXAMPLE, show_default=True, help='What to fire once ready; "" fires nothing.')
@click.option(
    "--storage.path",
    "storage_path",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Keep the database there.  [default: a temporary one, gone at the end]",
)
@click.option(
    "--log.level", "log_level", type=click.Choice(["debug", "info", "warn", "error"]), default="warn", show_default=True
)
def demo(port: int, speed: float, rules: Path | None, example: str, storage_path: Path | None, log_level: str) -> None:
    """Try everything on this machine: no account, no Docker, no real phone. Ctrl-C ends it."""
    started_seconds = SystemClock().monotonic()
    folder = rules or shipped_rules()
    _refuse_haste(folder, speed)
    with tempfile.TemporaryDirectory(prefix="escalatord-demo-", ignore_cleanup_errors=True) as scratch:
        chosen = Options(
            rules=folder,
            storage_url=f"sqlite:///{storage_path or Path(scratch) / 'demo.db'}",
            listen=(f"127.0.0.1:{port}",),
            log_level=log_level,
            speed=speed,
        )

        def on_ready(ready: Ready) -> None:
            stage = Stage(ready=ready, rules=folder, speed=speed, started_seconds=started_seconds)
            # the alert goes over HTTP to the loop that called us, so it must not be waited for here
            threading.Thread(target=_open, args=(stage, example), name="demo", daemon=True).start()

        code = run_plainly(chosen, on_ready)
    raise SystemExit(code)


def _refuse_haste(rules: Path, speed: float) -> None:
    """Stop with a sentence when time would be hurried for people with real phones, or the rules are bad."""
    try:
        ruleset = load(rules).ruleset
    except ConfigError as error:
        click.echo(as_text(error.findings, {}, rules), err=True)
        raise SystemExit(EXIT_BAD_RULES) from None
    real = [name for name, spec in ruleset.channels.items() if spec.provider not in SIMULATED]
    if real and speed != 1:
        raise click.UsageError(
            f"--speed {speed:g} would page real people {speed:g} times too fast: not simulated: {', '.join(real)}. "
            "Give --speed 1, or make every channel {provider: sim}."
        )


def _open(stage: Stage, example: str) -> None:
    client = Client(url=stage.ready.url)
    fired = ""
    if example:
        try:
            _source, reply = send(client, example, stage.rules)
            fired = _fired(client, example, reply.content)
        except (payloads.PayloadError, click.ClickException) as error:
            fired = f"{example}: not fired: {getattr(error, 'message', error)}"
    output.say(banner(stage, fired))


def banner(stage: Stage, fired: str) -> Iterator[str]:
    """Yield the lines that greet: where everything is, what was fired, what to do now."""
    ready = stage.ready
    took = SystemClock().monotonic() - stage.started_seconds
    rules = f"rules {_short(stage.rules)} ({ready.ruleset.hash[:HASH_SHOWN]})"
    yield f"escalatord {__version__}  store {_short_store(ready.storage_url)}  {rules}  {ready.url}"
    yield "  alerts in   POST /in/alertmanager      phones  /sim      metrics  /metrics"
    if fired:
        yield f"  fired       {fired}       speed ×{stage.speed:g}"  # noqa: RUF001 - a product, for a human
    yield f"ready in {took:.1f} s. Open {ready.url}/sim and answer the phone, or wait and watch it climb."


def _fired(client: Client, example: str, answer: Mapping[str, Any]) -> str:
    """Return what the example led to: `checkout-5xx (example)  INC-1 critical → Ana (chat, sms), in 5m → Bo`."""
    numbers = [item["incident"] for item in answer.get("accepted", []) if item.get("incident")]
    if not numbers:
        return f"{example} (example)     pages nobody"
    incident = client.get(f"/api/v1/incidents/{numbers[0]}")
    return output.clean(f"{example} (example)") + "     " + summary(incident)


def summary(incident: Mapping[str, Any]) -> str:
    """Return who is paged now, how, and who is next when nobody answers."""
    track: Mapping[str, Any] = incident["tracks"][0] if incident["tracks"] else {"name": "", "tier": 0, "paging": []}
    people = []
    for page in track["paging"]:
        sent = [
            m["channel"] for m in incident["messages"] if (m["person"], m["track"]) == (page["person"], track["name"])
        ]
        people.append(f"{_first_name(page['name'])} ({', '.join(dict.fromkeys(sent))})")
    line = f"{incident['label']} {incident['severity']} → {', '.join(people) or 'nobody'}"
    for rung in incident["next"]:
        if rung["track"] == track["name"] and rung["tier"] > track["tier"]:
            names = ", ".join(_first_name(name) for name in rung["names"])
            # counted from the opening: at twenty times the speed the question itself takes seconds
            after = output.seconds_between(incident["opened_at"], rung["at"]) or 0.0
            return output.clean(f"{line}, in {format_duration(after)} → {names}")
    return output.clean(line)


def _first_name(name: str) -> str:
    return name.partition(" ")[0]


def _short(path: Path) -> str:
    """Return a path as a reader here would write it: relative to the current directory where it lies below."""
    here = Path.cwd()
    return f"{path.relative_to(here)}/" if path.is_relative_to(here) else str(path)


def _short_store(url: str) -> str:
    prefix, _, path = url.partition(":///")
    return f"{prefix}:///…/{Path(path).name}"
