"""How many alerts came from a source, hour by hour: what `anomaly` rules compare. Kept in the settings.

`arrivals/SOURCE` is the hour under way (small, written with every batch that counts), `arrivals/SOURCE/past` the hours
of the past four weeks (written once an hour). An hour in which we were not there all the time is not remembered: half
an hour of silence was ours.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime

from escalatord.core.anomaly import HOURS_PER_WEEK, WEEKS, hour_of, same_hours
from escalatord.store.tx import Tx

HOURS_KEPT = WEEKS * HOURS_PER_WEEK


@dataclass(frozen=True, slots=True, kw_only=True)
class Hour:
    """An hour: its number, how many alerts came, whether we were there all the time, and the counts of past weeks."""

    number: int
    count: int = 0
    whole: bool = False
    past: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrivals:
    """The hour under way, the last one that is over (None = not known), and what was told of the former."""

    now: Hour
    last: Hour | None = None
    told: tuple[str, ...] = field(default=())


def begin(tx: Tx, source: str, at: datetime) -> None:
    """Note that we were not there all the time: a start, or new rules."""
    known = _read(tx, source)
    hour = hour_of(at)
    if known is not None and known.now.number == hour:
        now = Hour(number=hour, count=known.now.count, past=known.now.past)
        _write(tx, source, Arrivals(now=now, last=known.last, told=known.told))
        return
    _write(tx, source, Arrivals(now=Hour(number=hour, past=same_hours(_past(tx, source), hour))))


def count(tx: Tx, source: str, at: datetime, more: int) -> Arrivals:
    """Count alerts that came now and return how it stands; an hour that is over is put to the past first."""
    hour = hour_of(at)
    known = _read(tx, source) or Arrivals(now=Hour(number=hour))
    if hour != known.now.number:
        known = _turned(tx, source, known, hour)
    elif not more:
        return known
    now = known.now
    counted = Hour(number=now.number, count=now.count + more, whole=now.whole, past=now.past)
    found = Arrivals(now=counted, last=known.last, told=known.told)
    _write(tx, source, found)
    return found


def tell(tx: Tx, source: str, known: Arrivals, what: str) -> bool:
    """Note that something about the hour under way was told; return False when it was told before."""
    if what in known.told:
        return False
    _write(tx, source, Arrivals(now=known.now, last=known.last, told=(*known.told, what)))
    return True


def _turned(tx: Tx, source: str, known: Arrivals, hour: int) -> Arrivals:
    """Return how it stands in a new hour."""
    past = _past(tx, source)
    if known.now.whole:
        past[known.now.number] = known.now.count
    past = {number: count for number, count in past.items() if hour - HOURS_KEPT <= number < hour}
    tx.set_setting(f"arrivals/{source}/past", json.dumps(past, separators=(",", ":")))
    follows = hour == known.now.number + 1
    now = Hour(number=hour, whole=follows, past=same_hours(past, hour))
    return Arrivals(now=now, last=known.now if follows else None)


def _past(tx: Tx, source: str) -> dict[int, int]:
    found: Mapping[str, int] = json.loads(tx.setting(f"arrivals/{source}/past") or "{}")
    return {int(number): count for number, count in found.items()}


def _read(tx: Tx, source: str) -> Arrivals | None:
    text = tx.setting(f"arrivals/{source}")
    if text is None:
        return None
    found = json.loads(text)
    last = found["last"]
    return Arrivals(now=_hour(found["now"]), last=_hour(last) if last else None, told=tuple(found["told"]))


def _hour(found: Mapping[str, object]) -> Hour:
    return Hour(**{**found, "past": tuple(found["past"])})  # type: ignore[arg-type] # as `_write` wrote it


def _write(tx: Tx, source: str, arrivals: Arrivals) -> None:
    tx.set_setting(f"arrivals/{source}", json.dumps(asdict(arrivals), separators=(",", ":")))
