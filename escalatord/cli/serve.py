"""`escalatord serve`: the daemon in the foreground, as systemd and containers want it.

Flags say where things are, the rules say what happens. Errors at the start are sentences, not tracebacks.
"""

import errno
from collections.abc import Callable, Iterator
from pathlib import Path

import click

from escalatord.cli import options
from escalatord.cli.check import as_text
from escalatord.cli.client import EXIT_BAD_RULES, EXIT_NEGATIVE
from escalatord.daemon import Options, Ready, run
from escalatord.errors import ConfigError, StoreRefusedError, StoreUnavailableError

ADDRESS_TROUBLE = frozenset({errno.EADDRINUSE, errno.EADDRNOTAVAIL, errno.EACCES})


@click.command()
@click.option(
    "--rules",
    "--config.file",
    "rules",
    type=click.Path(path_type=Path),
    default=Path("rules"),
    show_default=True,
    help="The rules: a directory or one file.",
)
@options.storage_options
@click.option(
    "--web.listen-address",
    "listen",
    multiple=True,
    default=(options.LISTEN_DEFAULT,),
    show_default=True,
    callback=options.listen_addresses,
    metavar="HOST:PORT",
    help="Where to listen; may repeat.",
)
@click.option(
    "--web.external-url",
    "external_url",
    default="",
    callback=options.external_address,
    metavar="URL",
    help="How phones and providers reach this machine.  [default: the first listen address]",
)
@click.option("--web.enable-lifecycle", "enable_lifecycle", is_flag=True, help="Allow POST /-/reload.")
@click.option(
    "--config.auto-reload-interval",
    "auto_reload_seconds",
    default="0",
    show_default=True,
    callback=options.duration,
    metavar="DURATION",
    help="Look for changed rules this often; 0 = only on SIGHUP.",
)
@click.option(
    "--heartbeat.url",
    "heartbeat_url",
    default="",
    callback=options.called_address,
    metavar="URL",
    help="A dead-man service outside, or file:NAME of its address: called while audits pass; it alarms when that ends.",
)
@click.option(
    "--heartbeat.interval",
    "heartbeat_seconds",
    default="1m",
    show_default=True,
    callback=options.duration,
    metavar="DURATION",
    help="How often it is called.",
)
@click.option(
    "--log.level",
    "log_level",
    type=click.Choice(["debug", "info", "warn", "error"]),
    default="info",
    show_default=True,
    help="The least that is logged.",
)
@click.option(
    "--log.format",
    "log_format",
    type=click.Choice(["logfmt", "json"]),
    default="logfmt",
    show_default=True,
    help="How a log line looks.",
)
def serve(
    *,
    rules: Path,
    storage_url: str | None,
    storage_path: Path | None,
    listen: tuple[str, ...],
    external_url: str,
    enable_lifecycle: bool,
    auto_reload_seconds: float,
    heartbeat_url: str,
    heartbeat_seconds: float,
    log_level: str,
    log_format: str,
) -> None:
    """Run the daemon until SIGTERM; SIGHUP reloads the rules."""
    chosen = Options(
        rules=rules,
        storage_url=options.storage_address(storage_url, storage_path),
        listen=listen,
        external_url=external_url,
        log_level=log_level,
        log_format=log_format,
        enable_lifecycle=enable_lifecycle,
        auto_reload_seconds=auto_reload_seconds,
        heartbeat_url=heartbeat_url,
        heartbeat_seconds=heartbeat_seconds,
    )
    raise SystemExit(run_plainly(chosen))


def run_plainly(chosen: Options, on_ready: Callable[[Ready], None] = lambda _ready: None) -> int:
    """Run the daemon and return the exit code; what an operator can mend is said in a sentence."""
    try:
        return run(chosen, on_ready)
    except ConfigError as error:
        click.echo(as_text(error.findings, {}, chosen.rules), err=True)
        return EXIT_BAD_RULES
    except (StoreRefusedError, StoreUnavailableError) as error:
        click.echo(f"Error: {error}", err=True)
    except ExceptionGroup as group:
        causes = list(_leaves(group))
        if not all(isinstance(cause, OSError) and cause.errno in ADDRESS_TROUBLE for cause in causes):
            raise
        click.echo(f"Error: cannot listen on {', '.join(chosen.listen)}: {causes[0]}.", err=True)
        click.echo("Is another escalatord running? Give another --web.listen-address (demo: --port).", err=True)
    return EXIT_NEGATIVE


def _leaves(group: BaseExceptionGroup[BaseException]) -> Iterator[BaseException]:
    for error in group.exceptions:
        if isinstance(error, BaseExceptionGroup):
            yield from _leaves(error)
        else:
            yield error
