"""Pages for people: what they show, that they are guarded, and that hostile text stays text."""

import re
from html.parser import HTMLParser

import pytest

from escalatord.core.incident import Reason
from escalatord.engine.outage import Degraded
from escalatord.web.auth import CSRF_FIELD
from escalatord.web.middleware import CONTENT_SECURITY_POLICY
from escalatord.web.pages import WHAT_WAS_SAID
from tests.fakes.web_engine import Night

PAGES = ["/", "/incidents/1", "/oncall", "/raise", "/sim", "/login", "/nothing-here", "/incidents/99"]
PAYLOADS = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "'-alert(1)-'",
    "{{ 7 * 7 }}{% raw %}",
    "{0.__class__}",
    "javascript:alert(1)",
    "</title><svg onload=alert(1)>",
    "&lt;script&gt;",
    "\u202e\u0000\ud7ff",
]


class Watcher(HTMLParser):
    """Collects what a browser could execute or fetch."""

    def __init__(self):
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.inline: list[str] = []
        self._in_script = False

    def handle_starttag(self, tag, attrs):
        """Keep the tag."""
        self.found.append((tag, dict(attrs)))
        self._in_script = tag == "script"

    def handle_data(self, data):
        """Keep what stands inside a script."""
        if self._in_script and data.strip():
            self.inline.append(data)

    def handle_endtag(self, tag):
        """Leave the script."""
        self._in_script = False


def watch(text: str) -> Watcher:
    """Return what a page holds."""
    watcher = Watcher()
    watcher.feed(text)
    return watcher


def harmless(text: str) -> None:
    """Fail when a page has any script, handler, style or address that is not ours."""
    watcher = watch(text)
    assert watcher.inline == []
    for tag, attributes in watcher.found:
        assert tag not in {"iframe", "object", "embed", "base", "style"}, tag
        assert not [name for name in attributes if name.startswith("on") or name == "style"], (tag, attributes)
        if tag in {"script", "link", "img", "form", "button"}:
            for name in ("src", "href", "action", "formaction"):
                assert (attributes.get(name) or "/").startswith("/"), (tag, attributes)
        if tag == "a":
            assert re.match(r"https?://|/|#", attributes["href"] or ""), attributes


@pytest.mark.parametrize("path", PAGES)
@pytest.mark.asyncio
async def test_every_page_is_protected(world: Night, path):
    """The strict policy stands on every page, and the page itself keeps to it."""
    await world.incident("disk", service="search")
    answer = await world.client.get(path)
    text = await answer.text()
    assert answer.headers["Content-Security-Policy"] == CONTENT_SECURITY_POLICY
    assert "unsafe" not in CONTENT_SECURITY_POLICY
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.content_type == "text/html"
    assert "aiohttp" not in answer.headers["Server"].lower()
    harmless(text)


@pytest.mark.parametrize("payload", PAYLOADS)
@pytest.mark.asyncio
async def test_hostile_text_stays_text(world: Night, payload):
    """Labels, annotations, notes and titles never become markup, links or template code."""
    body = {
        "version": "4",
        "alerts": [
            {
                "status": "firing",
                "labels": {"alertname": payload, "severity": "critical", "service": payload, "x": payload},
                "annotations": {
                    "summary": payload,
                    "description": payload,
                    "runbook_url": payload,
                    "dashboard_url": "https://ok.example/?q=" + payload,
                },
                "startsAt": "2026-10-24T01:00:00Z",
                "generatorURL": payload,
            }
        ],
    }
    assert (await world.client.post("/in/alertmanager", json=body)).status == 202
    await world.client.post("/api/v1/incidents/1/note", json={"text": payload, "person": payload})
    await world.client.post("/api/v1/incidents", json={"title": f"T {payload}", "service": payload, "person": payload})
    world.board.say("ana", "sms", payload, mine=True)
    for path in ("/", "/incidents/1", "/incidents/2", "/oncall", "/sim", f"/?said={payload}"):
        answer = await world.client.get(path)
        assert answer.status == 200
        harmless(await answer.text())


@pytest.mark.asyncio
async def test_a_template_in_an_alert_is_not_evaluated(world: Night):
    """Alert text is shown as it was sent, braces and all."""
    await world.incident("{{ 6 * 7 }}", service="search")
    text = await (await world.client.get("/incidents/1")).text()
    assert "{{ 6 * 7 }}" in text


@pytest.mark.asyncio
async def test_the_board_is_friendly_when_nothing_is_open(world: Night):
    """An empty board says so, and who would be called."""
    text = await (await world.client.get("/")).text()
    assert "All quiet" in text
    assert "On call now" in text
    assert "Ana Ruiz" in text


@pytest.mark.asyncio
async def test_the_board_shows_the_unacknowledged_first(world: Night):
    """What waits comes first, worst first, with a count-down; what somebody has comes after."""
    await world.incident("mild", service="search", severity="warning", instance="a")
    await world.incident("bad", service="checkout", transaction_failure_rate="9")
    await world.client.post("/api/v1/incidents", json={"title": "held", "severity": "critical"})
    await world.client.post("/api/v1/incidents/3/ack", json={"person": "ana"})
    text = await (await world.client.get("/")).text()
    assert "waiting for somebody" in text
    assert text.index("Somebody has it") > text.index("I have it")
    assert "Ana Ruiz has it" in text
    assert "data-left=" in text
    assert 'http-equiv="refresh"' in text


@pytest.mark.asyncio
async def test_a_red_bar_says_that_the_database_is_away(world: Night):
    """Every page says since when, how much goes on from memory, and that acks count."""
    assert "database is away" not in await (await world.client.get("/")).text()
    away = Degraded(since=world.clock.now(), incidents=1)
    object.__setattr__(world.parts, "degraded", lambda: away)
    for path in ("/", "/oncall", "/raise"):
        text = await (await world.client.get(path)).text()
        assert "The database is away" in text
        assert "1 open incident goes on from memory, and acks count" in text


@pytest.mark.asyncio
async def test_a_red_bar_says_that_escalatord_is_unhealthy(world: Night):
    """The board says it when the board itself cannot be believed."""
    assert "unhealthy" not in await (await world.client.get("/")).text()
    world.engine.is_healthy = False
    assert "escalatord itself is unhealthy" in await (await world.client.get("/")).text()


@pytest.mark.asyncio
async def test_an_incident_tells_what_is_next_and_why(world: Night):
    """Timeline, ladder with names, and reasons stand on one page."""
    await world.incident("disk", service="search")
    text = await (await world.client.get("/incidents/INC-1")).text()
    for words in ("What happens next", "What happened", "Opened by", "Why?", "source alertmanager", "I have it"):
        assert words in text


async def form_token(world: Night, path: str = "/raise") -> str:
    """Return the form token that the page at `path` carries for this browser."""
    text = await (await world.client.get(path)).text()
    return re.search(r'name="csrf" value="(\w+)"', text)[1]


@pytest.mark.asyncio
async def test_buttons_act_and_say_what_happened(world: Night):
    """A form with our token acts and leads back to the page with a sentence."""
    await world.incident("disk", service="search")
    token = await form_token(world)
    for verb, fields, reason in (
        ("ack", {"person": "ana"}, "acknowledged"),
        ("ack", {"person": "bo"}, "joined_response"),
        ("note", {"text": "looking"}, "noted"),
        ("unack", {}, "unacknowledged"),
        ("next", {}, "manual"),
        ("snooze", {"for": "30m"}, "snoozed"),
        ("resolve", {}, "resolved"),
    ):
        answer = await world.client.post(
            f"/incidents/1/{verb}", data={CSRF_FIELD: token, **fields}, allow_redirects=False
        )
        assert (answer.status, answer.headers["Location"]) == (303, f"/incidents/1?said={reason}"), verb
        page = await world.client.get(answer.headers["Location"])
        assert WHAT_WAS_SAID[Reason(reason)] in await page.text()


@pytest.mark.asyncio
async def test_the_ack_button_of_the_board_leads_back_to_it(world: Night):
    """Acking from the board shows the board again."""
    await world.incident()
    fields = {CSRF_FIELD: await form_token(world), "back": "/"}
    answer = await world.client.post("/incidents/1/ack", data=fields, allow_redirects=False)
    assert answer.headers["Location"] == "/?said=acknowledged"
    elsewhere = {**fields, "back": "https://evil.example/"}
    answer = await world.client.post("/incidents/1/ack", data=elsewhere, allow_redirects=False)
    assert answer.headers["Location"].startswith("/incidents/1")


@pytest.mark.parametrize("path", ["/incidents/1/ack", "/incidents/1/resolve", "/raise", "/sim/answer", "/sim/fire"])
@pytest.mark.parametrize("change", [lambda _: {}, lambda t: {CSRF_FIELD: ""}, lambda t: {CSRF_FIELD: t[::-1]}])
@pytest.mark.asyncio
async def test_a_form_without_our_token_changes_nothing(world: Night, path, change):
    """CSRF: a missing, empty or wrong token is refused."""
    await world.incident()
    before = len(world.engine.commands)
    token = await form_token(world)
    fields = {"title": "x", "person": "ana", "channel": "sms", "text": "ok", "example": "disk", **change(token)}
    answer = await world.client.post(path, data=fields)
    assert answer.status == 403
    assert len(world.engine.commands) == before


@pytest.mark.asyncio
async def test_a_form_token_is_bound_to_its_browser(world: Night):
    """The token of one browser is worth nothing in another."""
    await world.incident()
    token = await form_token(world)
    world.client.session.cookie_jar.clear()
    answer = await world.client.post("/incidents/1/ack", data={CSRF_FIELD: token})
    assert answer.status == 403


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.asyncio
async def test_looking_changes_nothing(world: Night, method):
    """No GET and no HEAD of any route submits a command."""
    await world.incident("disk", service="search")
    before = len(world.engine.commands)
    for path in [*PAGES, "/api/v1/incidents", "/api/v1/incidents/1", "/api/v1/oncall", "/api/v1/status", "/metrics"]:
        await world.client.request(method, path)
    for path in ("/incidents/1/ack", "/api/v1/incidents/1/ack", "/sim/fire", "/-/reload"):
        assert (await world.client.request(method, path)).status in {404, 405}
    assert len(world.engine.commands) == before


@pytest.mark.asyncio
async def test_raising_by_the_form_opens_an_incident(world: Night):
    """The form leads to the new incident."""
    fields = {CSRF_FIELD: await form_token(world), "title": "Nobody can pay", "severity": "critical", "service": ""}
    answer = await world.client.post("/raise", data=fields, allow_redirects=False)
    assert answer.headers["Location"] == "/incidents/1?said=opened"
    empty = await world.client.post("/raise", data={**fields, "title": " "})
    assert empty.status == 400


@pytest.mark.asyncio
async def test_a_viewer_sees_no_buttons(guarded: Night):
    """What a role cannot do is not offered."""
    number = await guarded.incident()
    for path in ("/", f"/incidents/{number}", "/sim"):
        text = await (await guarded.client.get(path, headers=guarded.bearer("viewer"))).text()
        assert "I have it" not in text
        assert "<form" not in text


@pytest.mark.asyncio
async def test_an_unknown_verb_is_404(world: Night):
    """Only the verbs of the language exist."""
    token = await form_token(world)
    assert (await world.client.post("/incidents/1/explode", data={CSRF_FIELD: token})).status == 404


@pytest.mark.asyncio
async def test_on_call_shows_every_schedule(world: Night):
    """Seven days for each schedule, with who has duty now and why."""
    text = await (await world.client.get("/oncall")).text()
    for name in world.engine.ruleset.schedules:
        assert name in text
    assert text.count("<svg viewBox") >= 7 * len(world.engine.ruleset.schedules)
    assert "layer" in text


@pytest.mark.parametrize("name", ["escalatord.css", "escalatord.js", "ack.css", "icon.svg"])
@pytest.mark.asyncio
async def test_static_files_are_ours_and_cached(world: Night, name):
    """Style and script come from here, fetch nothing from elsewhere, and need not be fetched twice."""
    answer = await world.client.get(f"/static/{name}")
    text = await answer.text()
    assert answer.status == 200
    assert not re.search(r"https?://(?!www\.w3\.org/2000/svg)", text)
    again = await world.client.get(f"/static/{name}", headers={"If-None-Match": answer.headers["ETag"]})
    assert again.status == 304


@pytest.mark.parametrize("name", ["nothing", "..%2Fapp.py", "%2e%2e%2f%2e%2e%2fapp.py", "escalatord.py"])
@pytest.mark.asyncio
async def test_nothing_but_static_files_is_served(world: Night, name):
    """A name is looked up in a list and never becomes a path."""
    assert (await world.client.get(f"/static/{name}")).status == 404


@pytest.mark.asyncio
async def test_strangers_are_sent_to_the_login(world: Night):
    """A page asked for from elsewhere leads to the login and back."""
    answer = await world.client.get("/oncall", headers={"X-Forwarded-For": "1.2.3.4"}, allow_redirects=False)
    assert (answer.status, answer.headers["Location"]) == (303, "/login?next=/oncall")
