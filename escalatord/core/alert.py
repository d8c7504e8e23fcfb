"""Alerts as senders tell them and as we remember them.

Identity is (source, fingerprint), never text. An *episode* is (source, fingerprint, starts_at): it opens when a
firing message meets no open episode and ends at the sender's resolve. Re-sends are updates, absence is not a
resolve, and a firing message that is not later than the ended episode's start is, for a while, a late copy.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from escalatord.core.units import Quantity

FNV_OFFSET = 0xCBF29CE484222325
FNV_PRIME = 0x100000001B3
FNV_MASK = 0xFFFFFFFFFFFFFFFF


class Severity(StrEnum):
    """How bad, in four words; `rank` grows with badness."""

    INFO = "info"
    WARNING = "warning"
    ERROR = "error"
    CRITICAL = "critical"

    @property
    def rank(self) -> int:
        """Return 0 (info) to 3 (critical)."""
        return SEVERITY_RANK[self]


SEVERITIES = tuple(Severity)
SEVERITY_RANK: dict[Severity, int] = {severity: rank for rank, severity in enumerate(Severity)}


class AlertStatus(StrEnum):
    """What the sender says about a condition."""

    FIRING = "firing"
    RESOLVED = "resolved"


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """One condition as a sender tells it, in our words.

    `severity` is the sender's, mapped; None when it was missing or unknown. `group_key` is the sender's group ("" =
    none). `truncated` counts alerts the sender says it left out of the body.
    """

    source: str
    fingerprint: str
    status: AlertStatus
    starts_at: datetime
    ends_at: datetime | None = None
    title: str
    summary: str = ""
    severity: Severity | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    values: Mapping[str, Quantity] = field(default_factory=dict)
    links: Mapping[str, str] = field(default_factory=dict)
    group_key: str = ""
    truncated: int = 0


def fingerprint_of(labels: Mapping[str, str]) -> str:
    """Return the fingerprint Prometheus and Alertmanager compute for a label set.

    FNV-1a, 64 bit, over names sorted, each: name, 0xFF, value, 0xFF; 16 lower-case hex digits. Source: the
    `LabelSet.Fingerprint` of Prometheus' common library; the empty set gives `cbf29ce484222325`.
    """
    value = FNV_OFFSET
    for name in sorted(labels):
        for octet in b"%b\xff%b\xff" % (name.encode(errors="replace"), labels[name].encode(errors="replace")):
            value = ((value ^ octet) * FNV_PRIME) & FNV_MASK
    return f"{value:016x}"
