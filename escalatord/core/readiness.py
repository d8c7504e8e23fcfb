"""Would it work tonight? Figures about the roster, the schedules and the rules themselves."""

from collections.abc import Collection, Iterable
from datetime import datetime, timedelta

from escalatord.core.roster import usable_channels
from escalatord.core.ruleset import Ruleset
from escalatord.core.schedule import Override, gaps

HORIZON_DAYS = 90
READY = "ready"
PARTLY = "partly"
UNREACHABLE = "unreachable"


def people_by_readiness(ruleset: Ruleset, unreachable: Collection[tuple[str, str]]) -> dict[str, int]:
    """Return how many people are ready (every address of theirs works), partly ready, and not reachable at all."""
    counts = {READY: 0, PARTLY: 0, UNREACHABLE: 0}
    personal = [spec for spec in ruleset.channels.values() if spec.address_key]
    for person in ruleset.people.values():
        working = usable_channels(person, personal, unreachable)
        dead = any((person.id, key) in unreachable for key in person.addresses)
        counts[UNREACHABLE if not working else PARTLY if dead else READY] += 1
    return counts


def seconds_to_gaps(ruleset: Ruleset, now: datetime, overrides: Iterable[Override]) -> dict[str, float]:
    """Return for each schedule in how many seconds nobody is on call; infinite when that is not within 90 days."""
    end = now + timedelta(days=HORIZON_DAYS)
    known = tuple(overrides)
    found = {}
    for name, schedule in ruleset.schedules.items():
        open_times = gaps(schedule, now, end, known)
        found[name] = max(0.0, (open_times[0][0] - now).total_seconds()) if open_times else float("inf")
    return found


def reviews_overdue(ruleset: Ruleset, now: datetime) -> int:
    """Return how many threshold rules are past their date of review."""
    today = now.date().isoformat()
    return sum(1 for rule in ruleset.thresholds if rule.review_by and rule.review_by < today)
