"""The smallest HTTP/1.1 client and server on asyncio, keep-alive, cheap enough not to be the thing measured."""

import asyncio
from collections.abc import Callable

END = b"\r\n\r\n"
LENGTH = b"content-length:"


class Client(asyncio.Protocol):
    """One connection with one request in flight; every answer must say its Content-Length."""

    def __init__(self) -> None:
        self.is_open = False
        self._read = bytearray()
        self._transport: asyncio.Transport | None = None
        self._answer: asyncio.Future[tuple[int, bytes]] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self._transport = transport
        self.is_open = True

    def connection_lost(self, exc: Exception | None) -> None:
        """Fail the request in flight."""
        self.is_open = False
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(exc or ConnectionResetError("closed"))

    def data_received(self, data: bytes) -> None:
        """Resolve the request in flight once its answer is whole."""
        self._read += data
        head, found, body = bytes(self._read).partition(END)
        if found and len(body) >= _length(head.lower()) and self._answer is not None:
            self._read.clear()
            self._answer.set_result((int(head[9:12]), body))

    async def request(self, message: bytes) -> tuple[int, bytes]:
        """Send a whole request and return status and body; OSError when the connection breaks."""
        assert self._transport is not None
        self._answer = asyncio.get_running_loop().create_future()
        self._transport.write(message)
        return await self._answer

    def close(self) -> None:
        """Close the connection."""
        if self._transport is not None:
            self._transport.close()


class Server(asyncio.Protocol):
    """Answers each request with what `respond(body)` returns: a status now, or (status, seconds from now)."""

    def __init__(self, respond: Callable[[str, bytes], tuple[int, bytes, float]]) -> None:
        self._respond = respond
        self._read = bytearray()
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Answer every request that is whole."""
        self._read += data
        while (at := self._read.find(END)) >= 0:
            head = bytes(self._read[:at])
            end = at + len(END) + _length(head.lower())
            if len(self._read) < end:
                return
            body = bytes(self._read[at + len(END) : end])
            del self._read[:end]
            status, said, delay_seconds = self._respond(head.split(b" ", 2)[1].decode(), body)
            answer = b"HTTP/1.1 %d X\r\nContent-Length: %d\r\n\r\n%b" % (status, len(said), said)
            if delay_seconds:
                asyncio.get_running_loop().call_later(delay_seconds, self._reply, answer)
            else:
                self._reply(answer)

    def _reply(self, answer: bytes) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(answer)


async def connect(host: str, port: int) -> Client:
    """Open a connection."""
    _transport, client = await asyncio.get_running_loop().create_connection(Client, host, port)
    return client


def head(path: str, host: str, length: int) -> bytes:
    """Return the head of a JSON POST."""
    lines = (f"POST {path} HTTP/1.1", f"Host: {host}", "Content-Type: application/json", f"Content-Length: {length}")
    return "\r\n".join((*lines, "", "")).encode()


def _length(head: bytes) -> int:
    at = head.find(LENGTH)
    return 0 if at < 0 else int(head[at + len(LENGTH) :].split(b"\r\n", 1)[0])
