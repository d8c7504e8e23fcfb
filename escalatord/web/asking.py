"""Reading what a request carries: small bodies, numbers, words; each with a sentence for what is wrong with it."""

from collections.abc import Mapping
from urllib.parse import parse_qsl

from aiohttp import web
from pydantic_core import from_json

from escalatord.core.incident import Via
from escalatord.errors import BadInputError
from escalatord.web.parts import FORM_BYTES_MAX

FIELDS_MAX = 200
TEXT_LENGTH_MAX = 2000
NUMBER_DIGITS_MAX = 15
VIAS = {"api": Via.API, "cli": Via.CLI}


async def small_body(request: web.Request) -> bytes:
    """Return the body; raise 413 as soon as it passes the limit for forms."""
    if (request.content_length or 0) > FORM_BYTES_MAX:
        raise web.HTTPRequestEntityTooLarge(max_size=FORM_BYTES_MAX, actual_size=request.content_length or 0)
    body = bytearray()
    async for chunk in request.content.iter_any():
        body += chunk
        if len(body) > FORM_BYTES_MAX:
            raise web.HTTPRequestEntityTooLarge(max_size=FORM_BYTES_MAX, actual_size=len(body))
    return bytes(body)


async def json_object(request: web.Request) -> dict[str, object]:
    """Return the JSON object of the body, {} for none; raise BadInputError for anything else."""
    body = await small_body(request)
    if not body.strip():
        return {}
    try:
        content = from_json(body, allow_inf_nan=False)
    except ValueError as error:
        raise BadInputError("E100", "", f"the body is not JSON: {error}") from None
    if not isinstance(content, dict):
        raise BadInputError("E101", "", "the body must be a JSON object")
    return content


async def form(request: web.Request) -> dict[str, str]:
    """Return the fields of an urlencoded form, the last of each name; raise BadInputError when it is none."""
    return dict(form_fields(await small_body(request)))


def form_fields(body: bytes) -> list[tuple[str, str]]:
    """Return the fields of an urlencoded body in order, empty ones too; raise BadInputError for too many."""
    try:
        return parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=FIELDS_MAX, errors="replace")
    except (UnicodeDecodeError, ValueError):
        raise BadInputError("E100", "", "the body is not a form") from None


def number_of(request: web.Request) -> int:
    """Return the incident number in the path (`142` or `INC-142`), 0 when it is none."""
    text = request.match_info["number"].upper().removeprefix("INC-")
    return int(text) if text.isascii() and text.isdigit() and len(text) <= NUMBER_DIGITS_MAX else 0


def text_of(content: Mapping[str, object], key: str, *, needed: bool = False) -> str:
    """Return a string field without control characters, "" when it is absent."""
    value = content.get(key)
    if value is None and not needed:
        return ""
    if not isinstance(value, str):
        raise BadInputError("E102" if value is None else "E101", f"/{key}", f'"{key}" must be a string')
    if len(value) > TEXT_LENGTH_MAX:
        raise BadInputError("E103", f"/{key}", f'"{key}" is longer than {TEXT_LENGTH_MAX} characters')
    text = "".join(sign for sign in value if sign.isprintable() or sign == "\n").strip()
    if needed and not text:
        raise BadInputError("E102", f"/{key}", f'"{key}" must not be empty')
    return text


def flag_of(content: Mapping[str, object], key: str) -> bool:
    """Return a boolean field, False when it is absent."""
    value = content.get(key, False)
    if not isinstance(value, bool):
        raise BadInputError("E101", f"/{key}", f'"{key}" must be true or false')
    return value


def via_of(content: Mapping[str, object]) -> Via:
    """Return how a tool says that its human spoke: `api` (the default) or `cli`."""
    word = text_of(content, "via") or "api"
    if word not in VIAS:
        raise BadInputError("E101", "/via", f'"via" must be one of {", ".join(VIAS)}')
    return VIAS[word]
