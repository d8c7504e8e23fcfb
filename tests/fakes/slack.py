"""Slack as its web API behaves: `chat.postMessage` and `chat.update`, refusing with 200 and a word."""

import hashlib
import hmac
import json
from collections import deque
from itertools import count
from typing import Any

from aiohttp import web

from tests.fakes.http import LocalServer, Seen

BLOCK_TEXT_MAX = 3000
OPTION_VALUE_MAX = 150
BLOCKS_MAX = 50


class SlackFake(LocalServer):
    """Keeps rooms with messages. `refuse` holds words to refuse the next calls with (None = accept)."""

    def __init__(self, token: str = "xoxb-fake", rooms: tuple[str, ...] = ("C01OPS",)) -> None:
        super().__init__()
        self.token = token
        self.rooms = set(rooms)
        self.refuse: deque[str | None] = deque()
        self.messages: dict[str, dict[str, Any]] = {}
        self._stamps = count(1)

    async def behave(self, seen: Seen) -> web.StreamResponse:
        """Answer one method call."""
        if seen.headers.get("authorization") != f"Bearer {self.token}":
            return _no("invalid_auth")
        content = json.loads(seen.body)
        if (word := self.refuse.popleft() if self.refuse else None) is not None:
            return _no(word)
        if word := _misshapen(content):
            return _no(word)
        match seen.path.rpartition("/")[2]:
            case "chat.postMessage":
                return self._post(content)
            case "chat.update":
                return self._update(content)
            case _:
                return _no("unknown_method")

    def _post(self, content: dict[str, Any]) -> web.Response:
        room = content.get("channel", "")
        if room.startswith("U"):
            room = "D" + room[1:]
        elif room not in self.rooms:
            return _no("channel_not_found")
        if (thread := content.get("thread_ts")) and f"{room}:{thread}" not in self.messages:
            return _no("thread_not_found")
        stamp = f"1792804260.{next(self._stamps):06d}"
        self.messages[f"{room}:{stamp}"] = content
        return web.json_response({"ok": True, "channel": room, "ts": stamp})

    def _update(self, content: dict[str, Any]) -> web.Response:
        name = f"{content.get('channel')}:{content.get('ts')}"
        if name not in self.messages:
            return _no("message_not_found")
        self.messages[name] = {**self.messages[name], **content}
        return web.json_response({"ok": True, "channel": content["channel"], "ts": content["ts"]})


def signed(secret: str, timestamp: str, body: bytes) -> str:
    """Return Slack's signature of a request."""
    text = b"v0:" + timestamp.encode() + b":" + body
    return "v0=" + hmac.new(secret.encode(), text, hashlib.sha256).hexdigest()


def _no(word: str) -> web.Response:
    return web.json_response({"ok": False, "error": word})


def _misshapen(content: dict[str, Any]) -> str:
    if not content.get("text") and not content.get("blocks"):
        return "no_text"
    blocks = content.get("blocks", [])
    if len(blocks) > BLOCKS_MAX:
        return "invalid_blocks"
    for block in blocks:
        if block["type"] == "section" and not 0 < len(block["text"]["text"]) <= BLOCK_TEXT_MAX:
            return "invalid_blocks"
        for element in block.get("elements", ()):
            if any(len(option["value"]) > OPTION_VALUE_MAX for option in element.get("options", ())):
                return "invalid_blocks"
    return ""
