"""Who may do what: every route of the router, every role, and everything that is not what it claims to be."""

import re

import pytest
from aiohttp.test_utils import make_mocked_request

from escalatord.web.app import build_app
from escalatord.web.auth import (
    ACCESS,
    CSRF_FIELD,
    NONCE_COOKIE,
    SESSION_COOKIE,
    Role,
    from_another_site,
    from_this_machine,
    names_this_machine,
)
from escalatord.web.parts import SESSION_SECONDS
from tests.fakes.web_engine import TOKENS, Night

VALUES = {
    "source": "alertmanager",
    "token": "7QF3M9TX2B4KP",
    "kind": "status",
    "reference": "x",
    "mac": "y",
    "name": "ack.css",
    "number": "1",
    "verb": "ack",
    "fingerprint": "z",
    "id": "1",
    "schedule": "managers",
    "person": "ana",
}
FOREIGN = {"Origin": "https://evil.example"}


def address(path: str) -> str:
    """Return a path of a route with its places filled."""
    return re.sub(r"\{(\w+)\}", lambda match: VALUES[match[1]], path)


def listed(world: Night) -> set[tuple[str, str]]:
    """Return (method, path) of every route in the router."""
    app = build_app(world.parts)
    return {(route.method, route.resource.canonical) for route in app.router.routes() if route.resource is not None}


@pytest.mark.asyncio
async def test_the_table_lists_exactly_the_routes_there_are(world: Night):
    """A route that no table lists would be closed; a row without route would mislead its reader."""
    hidden = {("POST", "/-/reload"), ("PUT", "/-/reload")}
    heads = {("HEAD", path) for method, path in ACCESS if method == "GET"}
    assert (set(ACCESS) | heads) - hidden == listed(world)


@pytest.mark.asyncio
async def test_a_route_that_no_table_lists_is_closed(world: Night, monkeypatch):
    """Forgetting the table closes a route even for the local operator."""
    monkeypatch.delitem(ACCESS, ("GET", "/api/v1/status"))
    assert (await world.client.get("/api/v1/status")).status == 403


@pytest.mark.asyncio
async def test_every_route_with_a_role_refuses_strangers(guarded: Night):
    """Without a token, from elsewhere, nothing that needs a role is answered."""
    for (method, path), needed in ACCESS.items():
        if needed is None or path == "/-/reload":
            continue
        answer = await guarded.client.request(
            method, address(path), headers={"X-Forwarded-For": "203.0.113.9"}, allow_redirects=False
        )
        to_login = answer.status == 303 and answer.headers["Location"].startswith("/login")
        assert answer.status == 401 or to_login, (method, path, answer.status)
    assert guarded.engine.commands == []


@pytest.mark.asyncio
async def test_every_cell_of_role_and_route_is_right(guarded: Night):
    """Each role gets through where its rank suffices, and 403 where it does not."""
    ranks = list(Role)
    for (method, path), needed in ACCESS.items():
        if needed is None or path in {"/-/reload", "/live"}:
            continue
        for role in Role:
            answer = await guarded.client.request(
                method, address(path), headers=guarded.bearer(role), allow_redirects=False
            )
            content = await answer.text()
            refused = answer.status == 403 and f"is a {role}" in content
            assert refused == (ranks.index(role) < ranks.index(needed)), (method, path, role, answer.status)


@pytest.mark.asyncio
async def test_raising_is_open_to_everybody_who_is_known(guarded: Night):
    """A viewer may pull the cord."""
    answer = await guarded.client.post(
        "/api/v1/incidents", json={"title": "smoke in the server room"}, headers=guarded.bearer("viewer")
    )
    assert answer.status == 201


@pytest.mark.asyncio
async def test_a_wrong_token_never_falls_back_to_being_local(guarded: Night):
    """Somebody at this machine with a wrong token is refused all the same."""
    answer = await guarded.client.get("/api/v1/status", headers={"Authorization": "Bearer nonsense"})
    assert answer.status == 401
    assert "escalatord token create" in (await answer.json())["fix"]


@pytest.mark.asyncio
async def test_a_removed_token_is_refused_at_once(guarded: Night):
    """There is no cache between a removal and its effect."""
    headers = guarded.bearer("admin")
    assert (await guarded.client.get("/api/v1/status", headers=headers)).status == 200
    guarded.write(lambda tx: tx.remove_token("a-admin"))
    assert (await guarded.client.get("/api/v1/status", headers=headers)).status == 401


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        pytest.param({}, 200, id="at this machine"),
        pytest.param({"Host": "localhost:8911"}, 200, id="by the name localhost"),
        pytest.param({"Host": "[::1]:8911"}, 200, id="by the sixth version"),
        pytest.param({"Host": "esc.example.com"}, 401, id="by a name that may be rebound"),
        pytest.param({"Host": "localhost.evil.example"}, 401, id="by a name that only begins well"),
        pytest.param({"X-Forwarded-For": "127.0.0.1"}, 401, id="through a proxy that claims loopback"),
        pytest.param({"Forwarded": "for=127.0.0.1"}, 401, id="through a standard proxy"),
        pytest.param({"X-Real-IP": "127.0.0.1"}, 401, id="through another proxy"),
        pytest.param({"Via": "1.1 proxy"}, 401, id="through any proxy"),
    ],
)
@pytest.mark.asyncio
async def test_the_local_operator_is_known_by_the_connection(world: Night, headers, status):
    """Only a direct connection to a loopback name is the local operator."""
    assert (await world.client.get("/api/v1/status", headers=headers)).status == status


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        pytest.param({}, 404, id="a program"),
        pytest.param(FOREIGN, 401, id="a foreign page"),
        pytest.param({"Origin": "null"}, 401, id="a page that hides where it is from"),
        pytest.param({"Origin": "null", "Sec-Fetch-Site": "same-origin"}, 404, id="our own page without referrer"),
        pytest.param({"Sec-Fetch-Site": "cross-site"}, 401, id="a foreign page without origin"),
        pytest.param({"Sec-Fetch-Site": "same-site"}, 401, id="a sibling"),
    ],
)
@pytest.mark.asyncio
async def test_a_web_page_cannot_act_as_the_local_operator(world: Night, headers, status):
    """A page elsewhere can make a browser at this machine post to us; it changes nothing."""
    assert (await world.client.post("/api/v1/incidents/7/ack", headers=headers)).status == status


@pytest.mark.parametrize(
    ("host", "is_ours"),
    [
        ("localhost", True),
        ("LOCALHOST:1", True),
        ("a.localhost", True),
        ("127.9.9.9:80", True),
        ("[::1]", True),
        ("0.0.0.0", False),
        ("example.com", False),
        ("127.0.0.1.example.com", False),
        ("", False),
        ("[", False),
        ("user@127.0.0.1", True),
    ],
)
def test_names_of_this_machine(host, is_ours):
    """Only loopback addresses and localhost names count."""
    assert names_this_machine(host) is is_ours


@pytest.mark.parametrize(
    ("peer", "is_ours"),
    [
        (("127.0.0.1", 5), True),
        (("::1", 5, 0, 0), True),
        (("::ffff:127.0.0.1", 5, 0, 0), True),
        (("::1%lo", 5, 0, 0), True),
        (("10.0.0.1", 5), False),
        (("nonsense", 5), False),
        ("", False),
        (None, False),
    ],
)
def test_peers_of_this_machine(peer, is_ours):
    """The peer's address decides, in every shape the system gives it."""
    request = make_mocked_request("GET", "/")
    request.transport.get_extra_info = lambda name, default=None: peer if name == "peername" else default
    assert from_this_machine(request) is is_ours


@pytest.mark.parametrize(
    ("headers", "is_foreign"),
    [
        ({"Origin": "https://esc.example.com"}, False),
        ({"Origin": "http://esc.example.com"}, True),
        ({"Host": "127.0.0.1:1", "Origin": "http://127.0.0.1:1"}, False),
        ({"Host": "127.0.0.1:1", "Origin": "http://127.0.0.1:2"}, True),
        ({"Sec-Fetch-Site": "none"}, False),
        ({}, False),
    ],
)
def test_requests_of_another_site(headers, is_foreign):
    """Our external address and the address the browser used are ours; every other origin is foreign."""
    request = make_mocked_request("POST", "/", headers=headers)
    assert from_another_site(request, "https://esc.example.com") is is_foreign


# ----------------------------------------------------------------------------------------------------- sessions


async def log_in(world: Night, role: str, **headers: str) -> dict[str, str]:
    """Log in with a role's token and return the cookies of the session."""
    headers = {"X-Forwarded-For": "203.0.113.9", "Host": "localhost", **headers}
    page = await world.client.get("/login", headers=headers)
    csrf = re.search(r'name="csrf" value="(\w+)"', await page.text())[1]
    cookies = {NONCE_COOKIE: page.cookies[NONCE_COOKIE].value} if NONCE_COOKIE in page.cookies else world.nonce
    world.nonce = cookies
    fields = {CSRF_FIELD: csrf, "token": TOKENS[role], "next": "/oncall"}
    answer = await world.client.post("/login", data=fields, headers=headers, cookies=cookies, allow_redirects=False)
    assert (answer.status, answer.headers["Location"]) == (303, "/oncall")
    cookie = answer.cookies[SESSION_COOKIE]
    assert cookie["httponly"]
    assert cookie["samesite"] == "Lax"
    world.client.session.cookie_jar.clear()
    return {SESSION_COOKIE: cookie.value, **cookies}


PROXIED = {"X-Forwarded-For": "203.0.113.9", "Host": "localhost"}


@pytest.mark.asyncio
async def test_a_token_becomes_a_session(guarded: Night):
    """The cookie opens pages, with the role that its token has."""
    cookies = await log_in(guarded, "responder")
    page = await guarded.client.get("/", headers=PROXIED, cookies=cookies)
    assert page.status == 200
    assert "a-responder" in await page.text()


@pytest.mark.asyncio
async def test_a_session_ends_with_its_token_and_with_time(guarded: Night):
    """Removing the token or waiting long enough ends the session."""
    cookies = await log_in(guarded, "viewer")
    guarded.clock.move(seconds=SESSION_SECONDS)
    late = await guarded.client.get("/api/v1/status", headers=PROXIED, cookies=cookies)
    assert late.status == 401
    fresh = await log_in(guarded, "viewer")
    assert (await guarded.client.get("/api/v1/status", headers=PROXIED, cookies=fresh)).status == 200
    guarded.write(lambda tx: tx.remove_token("a-viewer"))
    assert (await guarded.client.get("/api/v1/status", headers=PROXIED, cookies=fresh)).status == 401


@pytest.mark.parametrize("change", [lambda c: c[:-1], lambda c: "x" + c, lambda c: c.replace(".", ""), lambda _: ""])
@pytest.mark.asyncio
async def test_a_changed_session_is_worth_nothing(guarded: Night, change):
    """A cookie that we did not sign opens nothing."""
    cookies = await log_in(guarded, "viewer")
    cookies[SESSION_COOKIE] = change(cookies[SESSION_COOKIE])
    assert (await guarded.client.get("/api/v1/status", headers=PROXIED, cookies=cookies)).status == 401


@pytest.mark.asyncio
async def test_a_foreign_page_cannot_use_a_session(guarded: Night):
    """A cookie beside a foreign origin changes nothing."""
    cookies = await log_in(guarded, "admin")
    answer = await guarded.client.post("/api/v1/incidents/1/ack", headers={**PROXIED, **FOREIGN}, cookies=cookies)
    assert answer.status == 401


@pytest.mark.asyncio
async def test_cookies_are_bound_to_tls_for_everybody_elsewhere(guarded: Night):
    """Under the external name the cookie is Secure and cannot be set by a sibling domain."""
    page = await guarded.client.get("/login", headers={"Host": "esc.example.com"})
    cookie = page.cookies[f"__Host-{NONCE_COOKIE}"]
    assert cookie["secure"]
    assert cookie["path"] == "/"


@pytest.mark.asyncio
async def test_logging_in_is_limited_and_wrong_tokens_are_told(guarded: Night):
    """A wrong token is refused, and after too many tries every token is for a minute."""
    page = await guarded.client.get("/login")
    csrf = re.search(r'name="csrf" value="(\w+)"', await page.text())[1]
    wrong = {CSRF_FIELD: csrf, "token": "nonsense"}
    statuses = [(await guarded.client.post("/login", data=wrong)).status for _ in range(12)]
    assert statuses == [401] * 10 + [429] * 2
    guarded.clock.move(minutes=1)
    right = {CSRF_FIELD: csrf, "token": TOKENS["viewer"]}
    assert (await guarded.client.post("/login", data=right, allow_redirects=False)).status == 303


@pytest.mark.parametrize("wanted", ["//evil.example", "https://evil.example", "/\\evil.example", "x", "", "/\nx"])
@pytest.mark.asyncio
async def test_logging_in_never_leads_elsewhere(guarded: Night, wanted):
    """Only paths of our own are gone to after the login."""
    page = await guarded.client.get("/login", params={"next": wanted})
    assert 'name="next" value="/"' in await page.text()


@pytest.mark.asyncio
async def test_a_login_form_from_elsewhere_is_refused(guarded: Night):
    """A foreign page cannot log its reader in as somebody else."""
    answer = await guarded.client.post("/login", data={"token": TOKENS["viewer"], CSRF_FIELD: "x"})
    assert answer.status == 403


@pytest.mark.asyncio
async def test_logging_out_forgets_the_session(guarded: Night):
    """The cookie is taken back."""
    cookies = await log_in(guarded, "viewer")
    page = await guarded.client.get("/", headers=PROXIED, cookies=cookies)
    csrf = re.search(r'name="csrf" value="(\w+)"', await page.text())[1]
    guarded.client.session.cookie_jar.clear()
    answer = await guarded.client.post(
        "/logout", data={CSRF_FIELD: csrf}, headers=PROXIED, cookies=cookies, allow_redirects=False
    )
    assert answer.status == 303
    assert answer.cookies[SESSION_COOKIE].value == ""
    forged = await guarded.client.post("/logout", data={}, headers=PROXIED, cookies=cookies)
    assert forged.status == 403
