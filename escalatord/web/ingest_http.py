"""`POST /in/{source}`: monitoring systems hand alerts over.

- A 2xx is sent only after the commit. Load and trouble are 503 with `Retry-After`, never 429 or another 4xx, because
  most senders retry nothing else (wire formats, 1.1 and 1.2).
- `POST /in/{source}/beat` is the heartbeat of a source, with the same protection.
- A body that nobody can use is kept as a dead letter and told about; a partly bad one is used for its good alerts.
- This is the hot path: the body is read once, nothing is logged, nothing is rendered.
"""

import hmac

from aiohttp import hdrs, web
from multidict import CIMultiDict
from pydantic_core import to_json

from escalatord.core.alert import AlertStatus
from escalatord.core.ruleset import Ruleset, SourceSpec
from escalatord.engine.commands import Accepted, Beat, Ingest, Ingested, Quarantine
from escalatord.engine.known import digest_of
from escalatord.errors import BadInputError, StoreUnavailableError
from escalatord.ingest import Parsed, Rejected, parse
from escalatord.limits import BODY_BYTES_MAX
from escalatord.web.answers import answer, refuse, unavailable
from escalatord.web.auth import bearer_of, from_this_machine, token_digest
from escalatord.web.parts import PARTS, WebParts

# Stands in when the rules declare no source of that name: pasting the URL into a local Alertmanager must just work.
BUILT_IN_SOURCE = SourceSpec(name="alertmanager", adapter="alertmanager")
SOURCES_NAMED_MAX = 20
READING: web.RequestKey[bool] = web.RequestKey("reading", bool)
"""Whether a body is just being read: what breaks then is broken by the body alone."""
HEADERS = {"Server": "escalatord", "X-Content-Type-Options": "nosniff"}
JSON_HEADERS = CIMultiDict({**HEADERS, hdrs.CONTENT_TYPE: "application/json"})


async def ingest(request: web.Request) -> web.Response:
    """Take one webhook body: 202, 200, 207, or what is wrong with it."""
    parts = request.app[PARTS]
    spec = _admitted(request)
    if isinstance(spec, web.Response):
        return spec
    try:
        body = await request.read()
    except web.HTTPRequestEntityTooLarge:
        parts.observe_ingest(spec.name, "malformed", 0.0)
        return too_large()
    dry_run = "dry_run" in request.query and request.query["dry_run"] not in {"", "0", "false"}
    started = parts.engine.clock.monotonic()
    digest = b"" if dry_run else digest_of(spec.name, _form_of(request), body)
    known = parts.engine.known.look_up(digest, started)
    if known is not None:
        parts.count_alerts(spec.name, firing=known.firing, resolved=known.resolved)
        parts.observe_ingest(spec.name, "unchanged", None)
        return _json(known.answer, 200)
    try:
        response, result = await _take(parts, spec, request, body, digest)
    except StoreUnavailableError:
        response, result = unavailable(), "unavailable"
    if not dry_run:
        parts.observe_ingest(spec.name, result, parts.engine.clock.monotonic() - started)
    return response


def _form_of(request: web.Request) -> str:
    """Return what the request says of its body beside the body."""
    headers = request.headers
    return f"{headers.get(hdrs.CONTENT_TYPE, '')}\n{headers.get(hdrs.CONTENT_ENCODING, '')}"


async def beat(request: web.Request) -> web.Response:
    """Take a heartbeat of a source: 202 when it is committed. What the body says does not matter, nor is it read."""
    parts = request.app[PARTS]
    spec = _admitted(request)
    if isinstance(spec, web.Response):
        return spec
    if parts.engine.ruleset.heartbeat_of(spec.name) is None:
        say = f"Nobody waits for a heartbeat of source {spec.name}."
        return refuse(404, "no_heartbeat", say, fix="Say so in the rules: heartbeat: {every: 5m}.", headers=HEADERS)
    started = parts.engine.clock.monotonic()
    try:
        await parts.engine.submit(Beat(source=spec.name))
    except StoreUnavailableError:
        parts.observe_ingest(spec.name, "unavailable", 0.0)
        return unavailable()
    parts.observe_ingest(spec.name, "accepted", parts.engine.clock.monotonic() - started)
    return answer({"result": "accepted"}, 202, HEADERS)


def _admitted(request: web.Request) -> SourceSpec | web.Response:
    """Return the source that a request speaks for, or the refusal: no such source, or not allowed, which is counted."""
    parts, name = request.app[PARTS], request.match_info["source"]
    spec = source_of(parts.engine.ruleset, name)
    if spec is None:
        return unknown_source(parts.engine.ruleset, name)
    refusal = unauthorized(request, spec)
    if refusal is None:
        return spec
    parts.observe_ingest(spec.name, "unauthorized", 0.0)
    return refusal


async def _take(
    parts: WebParts, spec: SourceSpec, request: web.Request, body: bytes, digest: bytes
) -> tuple[web.Response, str]:
    """Parse, commit and remember a body; with an empty digest only explain what would become of it."""
    dry_run = not digest
    try:
        refuse_encodings(request)
        request[READING] = True
        parsed = parse(spec, body, request.headers.get(hdrs.CONTENT_TYPE, ""), parts.engine.clock.now())
    except BadInputError as error:
        if not dry_run:
            await parts.engine.submit(_letter(spec, body, error.code, error.at, error.say))
        return answer({"error": error.code, "at": error.at, "say": error.say}, 400, HEADERS), "malformed"
    request[READING] = False
    if dry_run:
        return await _explain(parts, spec, parsed), "dry_run"
    # what is wrong with a part of a body is told again with every repeat
    digest = b"" if parsed.rejected else digest
    done = await parts.engine.submit(Ingest(source=spec.name, alerts=parsed.alerts, digest=digest))
    if not isinstance(done, Ingested):
        raise TypeError(type(done))
    firing = sum(alert.status is AlertStatus.FIRING for alert in parsed.alerts)
    parts.count_alerts(spec.name, firing=firing, resolved=len(parsed.alerts) - firing)
    if parsed.rejected:
        first = parsed.rejected[0]
        more = f" (and {len(parsed.rejected) - 1} more)" if len(parsed.rejected) > 1 else ""
        await parts.engine.submit(_letter(spec, body, first.code, first.at, first.say + more))
    response = ingested(spec.name, done, parsed.rejected)
    if done.repeatable and isinstance(response.body, bytes):
        parts.engine.known.answered(digest, response.body)
    return response, "accepted" if done.changed else "unchanged"


async def keep_what_broke(request: web.Request) -> web.Response:
    """Keep a body that our reading of it broke on, and let people hear of it: it would break us again and again.

    What broke later, while it was committed, may be over the next time: 503.
    """
    parts = request.app[PARTS]
    spec = source_of(parts.engine.ruleset, request.match_info["source"])
    if spec is None or not request.get(READING) or "dry_run" in request.query:
        return unavailable("Something broke here; nothing is known to be committed.")
    say = "escalatord itself failed to read this body; it is kept, and people are told"
    await parts.engine.submit(_letter(spec, await request.read(), "E191", "", say))
    parts.observe_ingest(spec.name, "malformed", 0.0)
    return answer({"error": "E191", "at": "", "say": say}, 400, HEADERS)


def _letter(spec: SourceSpec, body: bytes, code: str, at: str, say: str) -> Quarantine:
    return Quarantine(source=spec.name, body=body, code=code, at_pointer=at, say=say)


def ingested(source: str, done: Ingested, rejected: tuple[Rejected, ...]) -> web.Response:
    """Return what became of each alert of a committed body."""
    status = 207 if rejected else 202 if done.changed else 200
    content = {
        "result": "accepted" if done.changed else "unchanged",
        "accepted": [_accepted(source, item) for item in done.accepted],
        "rejected": [_rejected(item) for item in rejected],
    }
    return _json(to_json(content), status)


def _json(body: bytes, status: int) -> web.Response:
    return web.Response(body=body, status=status, headers=JSON_HEADERS)


def _accepted(source: str, item: Accepted) -> dict[str, object]:
    return {
        "fingerprint": item.fingerprint,
        "incident": item.incident or None,
        "new": item.new,
        "policy": item.verdict.policies[0] if item.verdict is not None and item.verdict.policies else "",
        "reason": item.reason,
        "explain": f"/api/v1/alerts/{source}/{item.fingerprint}",
    }


def _rejected(item: Rejected) -> dict[str, object]:
    return {"index": item.index, "at": item.at, "error": item.code, "say": item.say}


async def _explain(parts: WebParts, spec: SourceSpec, parsed: Parsed) -> web.Response:
    verdicts = await parts.engine.explain(spec.name, parsed.alerts)
    explained = [
        {"fingerprint": alert.fingerprint, "status": alert.status, "title": alert.title, "verdict": verdict}
        for alert, verdict in zip(parsed.alerts, verdicts, strict=True)
    ]
    content = {"dry_run": True, "explained": explained, "rejected": [_rejected(item) for item in parsed.rejected]}
    return answer(content, headers=HEADERS)


def source_of(ruleset: Ruleset, name: str) -> SourceSpec | None:
    """Return the source called `name`; the built-in Alertmanager source when nothing else is declared under it."""
    found = ruleset.sources.get(name)
    return BUILT_IN_SOURCE if found is None and name == BUILT_IN_SOURCE.name else found


def unknown_source(ruleset: Ruleset, name: str) -> web.Response:
    """Return 404 with the sources that exist and how to add one."""
    names = sorted({*ruleset.sources, BUILT_IN_SOURCE.name})[:SOURCES_NAMED_MAX]
    return refuse(
        404,
        "unknown_source",
        f"There is no source {name[:64]!r}. Sources: {', '.join(names)}.",
        fix=f"Add it to the rules: sources: {{{names[0]}-2: {{adapter: alertmanager, auth: {{bearer: file:TOKEN}}}}}}",
        headers=HEADERS,
    )


def unauthorized(request: web.Request, spec: SourceSpec) -> web.Response | None:
    """Return the refusal of a request that may not post to `spec`, None when it may.

    A source without secrets takes alerts from this machine only, and never from a browser: a web page could post to
    loopback behind its reader's back.
    """
    if not spec.secret_hashes:
        browser = hdrs.ORIGIN in request.headers or "Sec-Fetch-Site" in request.headers
        if from_this_machine(request) and not browser:
            return None
        say = f"Source {spec.name} has no secret, so it takes alerts from this machine only."
        return refuse(
            403, "forbidden", say, fix="Give it one in the rules: auth: {bearer: file:TOKEN}.", headers=HEADERS
        )
    token = bearer_of(request)
    if token is not None:
        digest = token_digest(token)
        if any([hmac.compare_digest(digest, known) for known in spec.secret_hashes]):  # noqa: C419 - compare all of them
            return None
    return refuse(
        401,
        "unauthorized",
        f"Source {spec.name} needs its bearer token."
        if token is None
        else f"That is not a token of source {spec.name}.",
        fix="Send the header Authorization: Bearer TOKEN (Alertmanager: http_config.authorization.credentials_file).",
        headers={**HEADERS, "WWW-Authenticate": "Bearer"},
    )


def refuse_encodings(request: web.Request) -> None:
    """Refuse compressed and multipart bodies, which can grow past every limit while they are read."""
    encoding = request.headers.get(hdrs.CONTENT_ENCODING, "identity")
    if encoding.strip().lower() not in {"", "identity"}:
        raise BadInputError("E106", "", "Compressed bodies are not taken; switch compression off in the sender.")
    if request.content_type.startswith("multipart/"):
        raise BadInputError("E106", "", "Multipart bodies are not taken; set the sender to plain JSON.")


def too_large() -> web.Response:
    """Return 413 with the limit."""
    say = f"The body is larger than {BODY_BYTES_MAX // 1024 // 1024} MiB."
    return refuse(413, "too_large", say, fix="Send fewer alerts per body (Alertmanager: max_alerts).", headers=HEADERS)
