"""`escalatord fire`: post an example alert, as its monitoring system would."""

import secrets
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import click

from escalatord.cli import output, payloads
from escalatord.cli.client import Client, NegativeError, NotAllowedError, Reply, with_client
from escalatord.cli.options import rules_here
from escalatord.clock import SystemClock


@click.command()
@click.argument("example", required=False)
@click.option("--set", "labels", multiple=True, metavar="LABEL=VALUE", help="Change a label; may repeat.")
@click.option("--source", help="The source to post as.  [default: the one that the body fits]")
@click.option(
    "--rules",
    type=click.Path(path_type=Path),
    help="Where the examples are: payloads/ beside the rules.  [default: rules, else those shipped]",
)
@with_client
def fire(
    example: str | None,
    labels: tuple[str, ...],
    source: str | None,
    rules: Path | None,
    client: Client,
    as_json: bool,
) -> None:
    """Send EXAMPLE (a name, or a JSON file) to the daemon as if it had just happened; without it, list the examples."""
    folder = rules or rules_here()
    if example is None:
        found = payloads.names(folder)
        output.say_json({"examples": found}) if as_json else output.say(found or f"no examples beside {folder}")
        return
    try:
        chosen, reply = send(client, example, folder, source=source, labels=_labels(labels))
    except payloads.PayloadError as error:
        raise click.UsageError(str(error)) from None
    if as_json:
        output.say_json(reply.content)
    else:
        output.say(told(example, chosen, reply.content))
    if not reply.content.get("accepted"):
        raise SystemExit(NegativeError.exit_code)


def send(
    client: Client, example: str, rules: Path, *, source: str | None = None, labels: Mapping[str, str] | None = None
) -> tuple[str, Reply]:
    """Post the example and return the source and the answer; PayloadError when it cannot be written."""
    content = payloads.read(example, rules)
    now = _now_there(client)
    if payloads.is_alertmanagers(content):
        chosen = source or payloads.ALERTMANAGER
        body = payloads.freshen(content, now, secrets.token_hex, labels or {})
    else:
        chosen, field_map = _mapped(content, rules, source)
        body = payloads.freshen_mapped(content, field_map, now, labels or {})
    return chosen, client.post(f"/in/{chosen}", body)


def told(example: str, source: str, answer: Mapping[str, Any]) -> Iterator[str]:
    """Yield what became of each alert."""
    yield output.clean(f"fired {example} as {source}", output.COLUMNS_MAX)
    rows = []
    for item in answer.get("accepted", []):
        incident = f"INC-{item['incident']}" if item.get("incident") else "no incident"
        reason = str(item.get("reason") or "pages nobody").replace("_", " ")
        opened = ("opened" if item.get("incident") else "pages nobody") if item.get("new") else reason
        rows.append([incident, opened, f"policy {item['policy']}" if item.get("policy") else "", item["fingerprint"]])
    if rows:
        yield from output.table(rows, indent=2)
    for item in answer.get("rejected", []):
        yield output.clean(f"  refused {item.get('at')}: {item.get('say')}", output.COLUMNS_MAX)
    first = next((item["incident"] for item in answer.get("accepted", []) if item.get("incident")), None)
    if first is not None:
        yield f"look: escalatord explain INC-{first}"
    elif answer.get("accepted"):
        yield output.clean(f"why: escalatord explain {source}/{answer['accepted'][0]['fingerprint']}")


def _now_there(client: Client) -> datetime:
    """Return the daemon's time: a demonstration runs faster than the wall clock here."""
    try:
        there = output.instant(client.get("/api/v1/status").get("at"))
    except NotAllowedError:
        there = None  # a source's token posts alerts and reads nothing
    return there or SystemClock().now()


def _mapped(content: payloads.Json, rules: Path, source: str | None) -> tuple[str, Mapping[str, Any]]:
    """Return the generic source that the body fits, and its field map, from the rules beside the example."""
    from escalatord.config.load import load  # noqa: PLC0415 - only for bodies that are no Alertmanager's
    from escalatord.errors import ConfigError  # noqa: PLC0415 - as above

    try:
        sources = load(rules, need_secrets=False).ruleset.sources
    except ConfigError as error:
        say = f"the rules in {rules} cannot be read, so nobody knows what takes this body: {error.findings[0].say}"
        raise payloads.PayloadError(say) from None
    if source is not None:
        return source, sources[source].map if source in sources else {}
    for name, spec in sources.items():
        if spec.map and payloads.fits(content, spec.map):
            return name, spec.map
    raise payloads.PayloadError("no source in the rules fits this body; give --source NAME")


def _labels(given: tuple[str, ...]) -> dict[str, str]:
    labels = {}
    for text in given:
        name, equals, value = text.partition("=")
        if not equals or not name:
            raise click.BadParameter(f'"{text}" is not LABEL=VALUE', param_hint="--set")
        labels[name] = value
    return labels
