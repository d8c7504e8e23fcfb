"""`/static/{name}`: our own style and script, read once, never a path from the request."""

from hashlib import sha256
from pathlib import Path

from aiohttp import web

from escalatord.web.parts import Route

FOLDER = Path(__file__).parent / "static"
CONTENT_TYPES = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
CACHE_CONTROL = "public, max-age=300"


def routes() -> list[Route]:
    """Return the route over the files that exist now."""
    files = {path.name: path.read_bytes() for path in sorted(FOLDER.iterdir()) if path.suffix in CONTENT_TYPES}
    tags = {name: f'"{sha256(body).hexdigest()[:16]}"' for name, body in files.items()}

    async def static(request: web.Request) -> web.Response:
        """Return a file by name; 304 when the browser has it."""
        name = request.match_info["name"]
        body = files.get(name)
        if body is None:
            raise web.HTTPNotFound
        headers = {"Cache-Control": CACHE_CONTROL, "ETag": tags[name]}
        if request.headers.get("If-None-Match") == tags[name]:
            return web.Response(status=304, headers=headers)
        return web.Response(body=body, content_type=CONTENT_TYPES[Path(name).suffix], charset="utf-8", headers=headers)

    return [Route("GET", "/static/{name}", static)]
