"""Who is asking, and what they may do.

- A principal is a bearer of an API token, a browser with a session cookie made from such a token, or the *local
  operator*: somebody at this machine, seen by the peer's address, never by what a header claims.
- Every route has a row in `ACCESS`. A route without one is refused: new routes are closed until they are listed.
- Sessions are signed and hold no rights of their own: token and role are looked up again for each request, so a removed
  token ends its sessions at once.
"""

import hashlib
import hmac
import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from urllib.parse import urlsplit

from aiohttp import web
from itsdangerous import BadData, URLSafeSerializer
from multidict import istr

from escalatord.store.rows import TokenRow
from escalatord.web.parts import SESSION_SECONDS, EnginePort

SESSION_COOKIE = "escalatord"
NONCE_COOKIE = "escalatord-form"
CSRF_FIELD = "csrf"
FORWARDING_HEADERS = tuple(
    istr(name) for name in ("Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Real-IP", "Via")
)
ADDRESSES_KEPT_MAX = 1024
BEARER_LENGTH_MAX = 512
NONCE_LENGTH_MAX = 64


class Role(StrEnum):
    """What somebody may do; each may do what the one before may."""

    VIEWER = "viewer"
    RESPONDER = "responder"
    ADMIN = "admin"


ROLE_RANK: dict[Role, int] = {role: rank for rank, role in enumerate(Role)}


class How(StrEnum):
    """How a principal was recognised."""

    LOCAL = "local"
    TOKEN = "token"  # noqa: S105 - the word for a kind of proof, not a proof
    SESSION = "session"


@dataclass(frozen=True, slots=True, kw_only=True)
class Principal:
    """Somebody known: their name, what they may do, and how we know."""

    name: str
    role: Role
    how: How

    def may(self, needed: Role) -> bool:
        """Return whether this role includes `needed`."""
        return ROLE_RANK[self.role] >= ROLE_RANK[needed]


PRINCIPAL: web.RequestKey[Principal | None] = web.RequestKey("principal", Principal)
LOCAL_OPERATOR = Principal(name="local", role=Role.ADMIN, how=How.LOCAL)

# None = open to everybody, because the route has its own protection: a source's secret, a provider's signature, an
# unguessable link, or nothing to protect. Raising an incident is open to every authenticated principal, by design.
ACCESS: Mapping[tuple[str, str], Role | None] = {
    ("POST", "/in/{source}"): None,
    ("POST", "/in/{source}/beat"): None,
    ("GET", "/a/{token}"): None,
    ("POST", "/a/{token}"): None,
    ("POST", "/callbacks/twilio/{kind}/{reference}/{mac}"): None,
    ("POST", "/callbacks/slack/actions"): None,
    ("GET", "/-/healthy"): None,
    ("GET", "/-/ready"): None,
    ("POST", "/-/reload"): Role.ADMIN,
    ("PUT", "/-/reload"): Role.ADMIN,
    ("GET", "/metrics"): Role.VIEWER,
    ("GET", "/static/{name}"): None,
    ("GET", "/login"): None,
    ("POST", "/login"): None,
    ("POST", "/logout"): Role.VIEWER,
    ("GET", "/"): Role.VIEWER,
    ("GET", "/live"): Role.VIEWER,
    ("GET", "/oncall"): Role.VIEWER,
    ("POST", "/oncall/overrides"): Role.RESPONDER,
    ("POST", "/oncall/overrides/{id}/cancel"): Role.RESPONDER,
    ("GET", "/silences"): Role.VIEWER,
    ("POST", "/silences"): Role.RESPONDER,
    ("POST", "/silences/{id}/expire"): Role.RESPONDER,
    ("POST", "/oncall/away"): Role.RESPONDER,
    ("POST", "/oncall/away/{person}/cancel"): Role.RESPONDER,
    ("GET", "/calendars/{schedule}.ics"): None,
    ("GET", "/incidents/{number}"): Role.VIEWER,
    ("POST", "/incidents/{number}/{verb}"): Role.RESPONDER,
    ("POST", "/incidents/{number}/rebase"): Role.ADMIN,
    ("GET", "/raise"): Role.VIEWER,
    ("POST", "/raise"): Role.VIEWER,
    ("GET", "/sim"): Role.VIEWER,
    ("POST", "/sim/answer"): Role.ADMIN,
    ("POST", "/sim/fire"): Role.ADMIN,
    ("GET", "/api/v1/openapi.json"): Role.VIEWER,
    ("GET", "/api/v1/status"): Role.VIEWER,
    ("GET", "/api/v1/oncall"): Role.VIEWER,
    ("GET", "/api/v1/overrides"): Role.VIEWER,
    ("POST", "/api/v1/overrides"): Role.RESPONDER,
    ("POST", "/api/v1/overrides/{id}/cancel"): Role.RESPONDER,
    ("GET", "/api/v1/away"): Role.VIEWER,
    ("POST", "/api/v1/away"): Role.RESPONDER,
    ("POST", "/api/v1/away/{person}/cancel"): Role.RESPONDER,
    ("POST", "/api/v1/swaps"): Role.RESPONDER,
    ("GET", "/api/v1/calendars/{schedule}"): Role.VIEWER,
    ("GET", "/api/v1/silences"): Role.VIEWER,
    ("POST", "/api/v1/silences"): Role.RESPONDER,
    ("DELETE", "/api/v1/silences/{id}"): Role.RESPONDER,
    ("GET", "/api/v1/incidents"): Role.VIEWER,
    ("POST", "/api/v1/incidents"): Role.VIEWER,
    ("GET", "/api/v1/incidents/{number}"): Role.VIEWER,
    ("POST", "/api/v1/incidents/{number}/ack"): Role.RESPONDER,
    ("POST", "/api/v1/incidents/{number}/unack"): Role.RESPONDER,
    ("POST", "/api/v1/incidents/{number}/next"): Role.RESPONDER,
    ("POST", "/api/v1/incidents/{number}/snooze"): Role.RESPONDER,
    ("POST", "/api/v1/incidents/{number}/note"): Role.RESPONDER,
    ("POST", "/api/v1/incidents/{number}/mitigated"): Role.RESPONDER,
    ("POST", "/api/v1/incidents/{number}/resolve"): Role.RESPONDER,
    ("POST", "/api/v1/incidents/{number}/rebase"): Role.ADMIN,
    ("POST", "/api/v1/rebase"): Role.ADMIN,
    ("GET", "/api/v1/alerts/{source}/{fingerprint}"): Role.VIEWER,
    ("GET", "/api/v1/sim/messages"): Role.VIEWER,
    ("POST", "/api/v1/sim/answer"): Role.ADMIN,
}


def token_digest(token: str) -> str:
    """Return the SHA-256, in hex, under which a token is stored."""
    return hashlib.sha256(token.encode(errors="surrogateescape")).hexdigest()


def bearer_of(request: web.Request) -> str | None:
    """Return the bearer token of the request, None when it carries none."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    return token.strip()[:BEARER_LENGTH_MAX] if scheme.lower() == "bearer" and token else None


def from_this_machine(request: web.Request) -> bool:
    """Return whether the connection itself comes from loopback and no proxy says that it carries somebody else's."""
    peer = request.transport.get_extra_info("peername") if request.transport is not None else None
    if not isinstance(peer, tuple) or any(name in request.headers for name in FORWARDING_HEADERS):
        return False
    return _is_loopback(str(peer[0]))


@lru_cache(ADDRESSES_KEPT_MAX)
def _is_loopback(host: str) -> bool:
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return (mapped or address).is_loopback


def names_this_machine(host: str) -> bool:
    """Return whether a Host header names loopback; anything else may be a name rebound to us by a web page."""
    try:
        name = urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return False
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def from_another_site(request: web.Request, external_url: str) -> bool:
    """Return whether the browser says that a foreign page made this request.

    A page of ours without referrers posts `Origin: null`, so null counts as ours only beside `Sec-Fetch-Site`.
    """
    site = request.headers.get("Sec-Fetch-Site")
    if site not in {None, "same-origin", "none"}:
        return True
    origin = request.headers.get("Origin")
    if origin is None or (origin == "null" and site == "same-origin"):
        return False
    parts = urlsplit(external_url)
    ours = {f"{parts.scheme}://{parts.netloc}", f"http://{request.host}", f"https://{request.host}"}
    return origin not in ours


class Doorkeeper:
    """Recognises principals, and makes and checks sessions and form tokens. `secret` signs both."""

    def __init__(self, engine: EnginePort, secret: bytes, external_url: str) -> None:
        self._engine = engine
        self._external_url = external_url
        self._sessions = URLSafeSerializer(secret, salt="session", signer_kwargs={"digest_method": hashlib.sha256})
        self._form_key = hmac.digest(secret, b"form", "sha256")

    async def principal(self, request: web.Request) -> Principal | None:
        """Return who is asking, None for strangers. A token that is wrong never falls back to being local."""
        if (token := bearer_of(request)) is not None:
            return await self._bearer(token)
        if (cookie := request.cookies.get(self.cookie(request, SESSION_COOKIE))) is not None:
            found = await self._session(cookie)
            if found is not None:
                return None if self._forged(request) else found
        if from_this_machine(request) and names_this_machine(request.host) and not self._forged(request):
            return LOCAL_OPERATOR
        return None

    def _forged(self, request: web.Request) -> bool:
        return request.method not in {"GET", "HEAD"} and from_another_site(request, self._external_url)

    async def _bearer(self, token: str) -> Principal | None:
        row = await self.row_of(token)
        return None if row is None else Principal(name=row.name, role=Role(row.role), how=How.TOKEN)

    async def row_of(self, token: str) -> TokenRow | None:
        """Return the stored row of a token. Every row is compared, in constant time each."""
        digest = token_digest(token)
        rows = await self._engine.read(lambda tx: tx.tokens())
        matching = [row for row in rows if hmac.compare_digest(row.token_hash, digest)]
        return matching[0] if matching else None

    async def _session(self, cookie: str) -> Principal | None:
        try:
            content = self._sessions.loads(cookie)
            name, digest, ends_at = str(content["n"]), str(content["h"]), int(content["e"])
        except (BadData, KeyError, TypeError, ValueError):
            return None
        if self._engine.clock.now().timestamp() >= ends_at:
            return None
        for row in await self._engine.read(lambda tx: tx.tokens()):
            if row.name == name and hmac.compare_digest(row.token_hash, digest):
                return Principal(name=row.name, role=Role(row.role), how=How.SESSION)
        return None

    def session(self, row: TokenRow) -> str:
        """Return the value of a session cookie for the holder of `row`."""
        ends_at = int(self._engine.clock.now().timestamp()) + SESSION_SECONDS
        return str(self._sessions.dumps({"n": row.name, "h": row.token_hash, "e": ends_at}))

    def secure(self, request: web.Request) -> bool:
        """Return whether cookies may be bound to TLS: yes, except for somebody at this machine without it."""
        return self._external_url.startswith("https://") and not names_this_machine(request.host)

    def cookie(self, request: web.Request, name: str) -> str:
        """Return the name of a cookie; `__Host-` keeps sibling domains from setting it."""
        return f"__Host-{name}" if self.secure(request) else name

    def set_cookie(self, request: web.Request, response: web.StreamResponse, name: str, value: str) -> None:
        """Give the browser a cookie that no script can read and no other site can send along a POST."""
        response.set_cookie(
            self.cookie(request, name),
            value,
            path="/",
            httponly=True,
            secure=self.secure(request),
            samesite="Lax",
            max_age=SESSION_SECONDS,
        )

    def form_token(self, nonce: str, name: str) -> str:
        """Return the token that a form of `name` must carry beside the nonce in its cookie."""
        return hmac.new(self._form_key, f"{nonce}\n{name}".encode(), hashlib.sha256).hexdigest()

    def form_is_ours(self, request: web.Request, sent: str, name: str) -> bool:
        """Return whether a form was rendered by us for this browser and this principal."""
        nonce = request.cookies.get(self.cookie(request, NONCE_COOKIE), "")
        if not nonce or len(nonce) > NONCE_LENGTH_MAX:
            return False
        return hmac.compare_digest(self.form_token(nonce, name).encode(), sent.encode(errors="replace"))


DOOR: web.AppKey[Doorkeeper] = web.AppKey("door", Doorkeeper)
