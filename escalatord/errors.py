"""Errors that callers are expected to catch, each with what a human needs to mend it."""

from dataclasses import dataclass
from enum import StrEnum


class EscalatordError(Exception):
    """Base of every error this program raises on purpose."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing wrong (or doubtful) in the rules: where, which, what, and how to fix it.

    `line` and `column` count from 1; 0 means the whole file. `level` is "error" or "warning".
    """

    file: str
    line: int
    column: int
    code: str
    say: str
    fix: str = ""
    level: str = "error"

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column} {self.code} {self.say}"


class ConfigError(EscalatordError):
    """The rules cannot be used; all findings at once."""

    def __init__(self, findings: tuple[Finding, ...]) -> None:
        super().__init__("\n".join(map(str, findings)))
        self.findings = findings


class BadInputError(EscalatordError):
    """A body or request that cannot be used.

    `code` is stable (E101 …), `at` a JSON pointer into the body (RFC 6901, "" = the whole), `say` a sentence.
    """

    def __init__(self, code: str, at: str, say: str) -> None:
        super().__init__(f"{code} {at or '/'} {say}")
        self.code = code
        self.at = at
        self.say = say


class StoreUnavailableError(EscalatordError):
    """Nothing can be committed now: answer 503 and let the sender try again.

    `for_all` says that the database's own machine said no: then no other node can commit either. Silence says nothing.
    """

    def __init__(self, say: str = "", *, for_all: bool = False) -> None:
        super().__init__(say)
        self.for_all = for_all


class StoreRefusedError(EscalatordError):
    """The database must not be used as it is: newer schema, network file system, second process."""


class DeliveryReason(StrEnum):
    """Why a provider did not take or deliver a message; also a metric label."""

    CLIENT_ERROR = "client_error"
    SERVER_ERROR = "server_error"
    TIMEOUT = "timeout"
    NETWORK = "network"
    AUTH = "auth"
    RATE_LIMITED = "rate_limited"
    BAD_ADDRESS = "bad_address"
    UNREACHABLE = "unreachable"
    UNDELIVERED = "undelivered"
    OPTED_OUT = "opted_out"
    NO_ANSWER = "no_answer"
    NO_KEY = "no_key"
    BUSY = "busy"
    NO_RECEIPT = "no_receipt"
    NOT_CONFIGURED = "not_configured"
    OTHER = "other"


class DeliveryError(EscalatordError):
    """A message was not taken by its provider.

    `permanent` means that the same message to the same address cannot succeed later: use the next method now.
    `unknown` means that the provider may have taken it (a timeout after the request was written).
    """

    def __init__(self, reason: DeliveryReason, say: str, *, permanent: bool, unknown: bool = False) -> None:
        super().__init__(say)
        self.reason = reason
        self.say = say
        self.permanent = permanent
        self.unknown = unknown
