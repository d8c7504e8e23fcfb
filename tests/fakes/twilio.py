"""Twilio as it is, hurting included: six operations over messages and calls, signed callbacks, keypads, replies.

It checks what Twilio checks (login, required fields, E.164, the sender, unknown parameters, limits) and answers with
Twilio's error codes. Nothing moves by itself: a test moves a message or a call on, and decides in which order, how
often and whether at all its callbacks arrive. `script` (see `LocalServer`) adds hangs, resets, drips and lost answers.
"""

import base64
import hashlib
import hmac
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from email.utils import format_datetime
from itertools import count
from typing import Any
from urllib.parse import parse_qsl, urlsplit
from xml.etree import ElementTree as ET

import aiohttp
from aiohttp import web

from tests.fakes.http import LocalServer, Seen

E164 = re.compile(r"\+[1-9]\d{6,14}", re.ASCII)
BODY_MAX = 1600
TWIML_MAX = 4000
VALIDITY_MAX = 36_000
MESSAGE_FIELDS = frozenset({"To", "From", "MessagingServiceSid", "Body", "StatusCallback", "ValidityPeriod"})
CALL_FIELDS = frozenset(
    {
        "To",
        "From",
        "Url",
        "Twiml",
        "StatusCallback",
        "StatusCallbackEvent",
        "StatusCallbackMethod",
        "Timeout",
        "TimeLimit",
    }
)
CALL_EVENTS = {"queued": "initiated", "initiated": "initiated", "ringing": "ringing", "in-progress": "answered"}
SUFFIXES = {"": lambda a, b: a.date() == b.date(), "<": lambda a, b: a <= b, ">": lambda a, b: a >= b}


@dataclass(frozen=True, slots=True, kw_only=True)
class Callback:
    """A request that Twilio makes to us."""

    url: str
    params: Mapping[str, str]
    signature: str


class _RefusedError(Exception):
    def __init__(self, status: int, code: int, say: str) -> None:
        super().__init__(say)
        self.status, self.code = status, code


class TwilioFake(LocalServer):
    """One account. `external_url` is what callbacks are signed for; `local_url` where they are really posted."""

    def __init__(self, *, now: Callable[[], datetime], external_url: str = "", local_url: str = "") -> None:
        super().__init__()
        self.account_sid = "AC" + "0" * 32
        self.auth_token = "fake-auth-token"
        self.sender = "+15550100000"
        self.external_url = external_url.rstrip("/")
        self.local_url = local_url.rstrip("/")
        self.messages: dict[str, dict[str, Any]] = {}
        self.calls: dict[str, dict[str, Any]] = {}
        self.opted_out: set[str] = set()
        self.landlines: set[str] = set()
        self.hold = False
        self.held: list[Callback] = []
        self.delivered: list[tuple[Callback, int, str]] = []
        self._now = now
        self._numbers = count(1)

    # ------------------------------------------------------------------------------------ the six operations

    async def behave(self, seen: Seen) -> web.StreamResponse:
        """Answer one request to the API."""
        try:
            return web.json_response(self._operate(seen), status=201 if seen.method == "POST" else 200)
        except _RefusedError as refused:
            body = {"code": refused.code, "message": str(refused), "status": refused.status, "more_info": ""}
            return web.json_response(body, status=refused.status)

    def _operate(self, seen: Seen) -> dict[str, Any]:
        login = base64.b64encode(f"{self.account_sid}:{self.auth_token}".encode()).decode()
        if seen.headers.get("authorization") != f"Basic {login}":
            raise _RefusedError(401, 20003, "Authenticate")
        root = f"/2010-04-01/Accounts/{self.account_sid}/"
        found = re.fullmatch(re.escape(root) + r"(Messages|Calls)(?:/(\w+))?\.json", seen.path)
        if not found:
            raise _RefusedError(404, 20404, f"The requested resource {seen.path} was not found")
        kind, sid = found.groups()
        rows = self.messages if kind == "Messages" else self.calls
        match seen.method, sid:
            case "POST", None:
                if seen.headers.get("content-type", "") != "application/x-www-form-urlencoded":
                    raise _RefusedError(415, 20415, "Unsupported media type")
                return self._create(kind, parse_qsl(seen.body.decode(), keep_blank_values=True))
            case "GET", None:
                return self._list(kind, rows, dict(seen.query))
            case "GET", str() if sid in rows:
                return _public(rows[sid])
            case _:
                raise _RefusedError(404, 20404, "The requested resource was not found")

    def _create(self, kind: str, pairs: Sequence[tuple[str, str]]) -> dict[str, Any]:
        fields = dict(pairs)
        if unknown := set(fields) - (MESSAGE_FIELDS if kind == "Messages" else CALL_FIELDS):
            raise _RefusedError(400, 20001, f"Unknown parameters {sorted(unknown)}")
        self._check_ends(fields)
        callback = fields.get("StatusCallback", "")
        host = urlsplit(callback).hostname or ""
        if callback and (not callback.startswith(("http://", "https://")) or not host or "_" in host):
            raise _RefusedError(400, 21609, f"The StatusCallback URL {callback} is not a valid URL")
        if kind == "Messages":
            self._check_message(fields)
            return self._add_message(fields)
        _check_call(fields)
        events = [value for name, value in pairs if name == "StatusCallbackEvent"]
        return self._add_call(fields, events or ["completed"])

    def _check_ends(self, fields: Mapping[str, str]) -> None:
        reader = fields.get("To", "")
        if not reader:
            raise _RefusedError(400, 21604, "A 'To' phone number is required.")
        if not E164.fullmatch(reader):
            raise _RefusedError(400, 21211, f"The 'To' number {reader} is not a valid phone number.")
        if not fields.get("From"):
            raise _RefusedError(400, 21603, "A 'From' phone number is required.")
        if fields["From"] != self.sender:
            raise _RefusedError(400, 21606, f"The 'From' phone number {fields['From']} is not yours.")
        if reader == self.sender:
            raise _RefusedError(400, 21266, "'To' and 'From' number cannot be the same")

    def _check_message(self, fields: Mapping[str, str]) -> None:
        body = fields.get("Body", "")
        if not body:
            raise _RefusedError(400, 21602, "Message body is required.")
        if len(body) > BODY_MAX:
            raise _RefusedError(400, 21617, "The concatenated message body exceeds the 1600 character limit.")
        validity = fields.get("ValidityPeriod", "36000")
        if not validity.isdecimal() or not 1 <= int(validity) <= VALIDITY_MAX:
            raise _RefusedError(400, 20001, "ValidityPeriod is out of range")
        if fields["To"] in self.opted_out:
            raise _RefusedError(400, 21610, f"Attempt to send to unsubscribed recipient {fields['To']}")
        if fields["To"] in self.landlines:
            raise _RefusedError(400, 21614, f"'To' number {fields['To']} is not a valid mobile number")

    def _add_message(self, fields: Mapping[str, str]) -> dict[str, Any]:
        row = self._row("SM", fields, "queued")
        row |= {"body": fields["Body"], "date_sent": None, "num_segments": "1", "direction": "outbound-api"}
        row |= {"_validity": int(fields.get("ValidityPeriod", "36000"))}
        self.messages[row["sid"]] = row
        return _public(row)

    def _add_call(self, fields: Mapping[str, str], events: list[str]) -> dict[str, Any]:
        row = self._row("CA", fields, "queued")
        row |= {"start_time": None, "direction": "outbound-api", "duration": None}
        row |= {"_twiml": fields.get("Twiml", ""), "_events": events, "_ring": int(fields.get("Timeout", "60"))}
        self.calls[row["sid"]] = row
        return _public(row)

    def _row(self, prefix: str, fields: Mapping[str, str], status: str) -> dict[str, Any]:
        return {
            "sid": f"{prefix}{next(self._numbers):032x}",
            "account_sid": self.account_sid,
            "api_version": "2010-04-01",
            "to": fields["To"],
            "from": fields["From"],
            "status": status,
            "error_code": None,
            "error_message": None,
            "date_created": format_datetime(self._now()),
            "_created": self._now(),
            "_callback": fields.get("StatusCallback", ""),
            "_sequence": 0,
        }

    def _list(self, kind: str, rows: Mapping[str, dict[str, Any]], query: dict[str, str]) -> dict[str, Any]:
        size = int(query.pop("PageSize", "50"))
        name = "DateSent" if kind == "Messages" else "StartTime"
        column = "_sent" if kind == "Messages" else "_started"
        kept = list(reversed(rows.values()))
        for key, value in query.items():
            suffix = key.removeprefix(name)
            if key in {"To", "From"}:
                kept = [row for row in kept if row[key.lower()] == value]
            elif key.startswith(name) and suffix in SUFFIXES:
                edge = datetime.fromisoformat(value)
                # As with the real one, what was not sent yet has no date and is found by none.
                kept = [row for row in kept if (at := row.get(column)) and SUFFIXES[suffix](at, edge)]
            elif key == "Status" and kind == "Calls":
                kept = [row for row in kept if row["status"] == value]
            else:
                raise _RefusedError(400, 20001, f"Unknown parameter {key}")
        page = [_public(row) for row in kept[:size]]
        return {kind.lower(): page, "next_page_uri": None, "page": 0, "page_size": size, "uri": ""}

    # -------------------------------------------------------------------------- what happens out in the world

    async def progress(self, sid: str, status: str, error_code: int | None = None, *, copies: int = 1) -> None:
        """Move a message or a call to `status`; its callback is made `copies` times (0 = it got lost), or held."""
        row = self.messages.get(sid) or self.calls[sid]
        row["status"] = status
        row["error_code"] = error_code
        if status == "sent":
            row["_sent"] = self._now()
            row["date_sent"] = format_datetime(self._now())
        if status == "in-progress":
            row["_started"] = self._now()
            row["start_time"] = format_datetime(self._now())
        if sid in self.calls and CALL_EVENTS.get(status, "completed") not in row["_events"]:
            return
        if row["_callback"]:
            callback = self.status_callback(sid)
            for _ in range(copies):
                await self._emit(callback)

    async def expire(self) -> None:
        """Fail, with 30036, every text that waited in the queue for longer than its validity."""
        for sid, row in list(self.messages.items()):
            lived = self._now() - row["_created"]
            if row["status"] in {"queued", "accepted"} and lived >= timedelta(seconds=row["_validity"]):
                await self.progress(sid, "failed", 30036)

    async def press(self, sid: str, digits: str) -> str:
        """Answer the call and press keys; return the TwiML that comes back."""
        row = self.calls[sid]
        if row["status"] != "in-progress":
            await self.progress(sid, "in-progress")
        gather = ET.fromstring(row["_twiml"]).find("Gather")  # noqa: S314 (our own document)
        assert gather is not None, "the call listens for no key"
        assert gather.get("method") == "POST"
        params = {**self._call_params(row), "Digits": digits[: int(gather.get("numDigits", "32"))], "msg": "Gather End"}
        _, _, reply = await self.post(self.sign(gather.get("action", ""), params))
        return reply

    async def voicemail(self, sid: str) -> None:
        """Let a machine take the call: it is answered, nobody presses anything, it completes."""
        await self.progress(sid, "in-progress")
        await self.progress(sid, "completed")

    async def text(self, url: str, sender: str, body: str) -> str:
        """Send a text to our number, for which `url` is configured; return the TwiML that comes back."""
        sid = f"SM{next(self._numbers):032x}"
        params = {
            "MessageSid": sid, "SmsSid": sid, "SmsMessageSid": sid, "SmsStatus": "received", "Body": body,
            "From": sender, "To": self.sender, "AccountSid": self.account_sid, "ApiVersion": "2010-04-01",
            "NumMedia": "0", "NumSegments": "1",
        }  # fmt: skip
        _, _, reply = await self.post(self.sign(url, params))
        return reply

    # -------------------------------------------------------------------------------------------- callbacks

    def status_callback(self, sid: str) -> Callback:
        """Return the status callback of a message or a call as it stands."""
        if sid in self.calls:
            row = self.calls[sid]
            params = {**self._call_params(row), "CallbackSource": "call-progress-events"}
            params["SequenceNumber"] = str(row["_sequence"])
            row["_sequence"] += 1
        else:
            row = self.messages[sid]
            params = {
                "MessageSid": sid, "MessageStatus": row["status"], "SmsSid": sid, "SmsStatus": row["status"],
                "AccountSid": self.account_sid, "ApiVersion": "2010-04-01", "From": row["from"], "To": row["to"],
            }  # fmt: skip
        if row["error_code"]:
            params["ErrorCode"] = str(row["error_code"])
        return self.sign(row["_callback"], params)

    def sign(self, url: str, params: Mapping[str, str]) -> Callback:
        """Return a signed request (HMAC-SHA1 over the URL and the sorted parameters, as Twilio documents it)."""
        text = url + "".join(name + params[name] for name in sorted(params))
        mac = hmac.new(self.auth_token.encode(), text.encode(), hashlib.sha1).digest()
        return Callback(url=url, params=dict(params), signature=base64.b64encode(mac).decode())

    async def release(self, order: Sequence[int] | None = None) -> None:
        """Make the held callbacks, in the given order of their indexes."""
        held, self.held = self.held, []
        for index in order if order is not None else range(len(held)):
            await self.post(held[index])

    async def post(self, callback: Callback) -> tuple[Callback, int, str]:
        """Make a callback now; return it with the status and the body of the answer."""
        url = callback.url
        if self.external_url and self.local_url:
            assert url.startswith(self.external_url + "/"), "callbacks go to the external URL only"
            url = self.local_url + url.removeprefix(self.external_url)
        headers = {"X-Twilio-Signature": callback.signature}
        async with (
            aiohttp.ClientSession() as session,
            session.post(url, data=dict(callback.params), headers=headers) as answer,
        ):
            self.delivered.append((callback, answer.status, await answer.text()))
        return self.delivered[-1]

    async def _emit(self, callback: Callback) -> None:
        if self.hold or not self.local_url:
            self.held.append(callback)
        else:
            await self.post(callback)

    def _call_params(self, row: Mapping[str, Any]) -> dict[str, str]:
        return {
            "CallSid": row["sid"], "CallStatus": row["status"], "AccountSid": self.account_sid,
            "ApiVersion": "2010-04-01", "Direction": "outbound-api", "From": row["from"], "To": row["to"],
            "Called": row["to"], "Caller": row["from"],
        }  # fmt: skip


def _check_call(fields: Mapping[str, str]) -> None:
    if not fields.get("Twiml") and not fields.get("Url"):
        raise _RefusedError(400, 21205, "Url parameter is required.")
    if len(fields.get("Twiml", "")) > TWIML_MAX:
        raise _RefusedError(400, 21626, "Twiml is longer than 4000 characters")
    if twiml := fields.get("Twiml"):
        try:
            root = ET.fromstring(twiml)  # noqa: S314 (our own document)
        except ET.ParseError:
            raise _RefusedError(400, 12100, "Document parse failure") from None
        if root.tag != "Response":
            raise _RefusedError(400, 12100, "Document parse failure")
    if not 5 <= int(fields.get("Timeout", "60")) <= 600:
        raise _RefusedError(400, 20001, "Timeout is out of range")


def _public(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: json.loads(json.dumps(value)) for name, value in row.items() if not name.startswith("_")}
