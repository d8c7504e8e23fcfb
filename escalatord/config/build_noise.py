"""Validated groups, flapping and limits to values of the core, and what is wrong with them beside the rest."""

from collections.abc import Iterator

from escalatord.config.schema_noise import FlapPart, LimitsPart
from escalatord.config.sections import Entry, Sections
from escalatord.core.noise import Flap, Group, Limits, Spend
from escalatord.errors import Finding

KINDS = ("sms", "call", "mail")


def group(entry: Entry) -> Group:
    """Return how a storm becomes one incident."""
    part = entry.part
    return Group(name=entry.name, by=tuple(part.by), match=part.match, window_seconds=part.window, over=part.over)


def flap(sections: Sections) -> Flap | None:
    """Return how flapping is damped, None when it is not."""
    for entry in sections.valid("flap"):
        part: FlapPart = entry.part
        return Flap(reopen_within_seconds=part.reopen_within, stay_open_seconds=part.stay_open)
    return None


def limits(sections: Sections) -> Limits:
    """Return the limits that are given; a kind of channel that has none stands for its default."""
    for entry in sections.valid("limits"):
        part: LimitsPart = entry.part
        given = {kind: getattr(part.per_person, kind) for kind in KINDS} if part.per_person else {}
        per_person = {kind: tuple(limits) for kind, limits in given.items() if limits is not None}
        return Limits(per_person=per_person, spend=Spend(per_day=part.spend.per_day) if part.spend else None)
    return Limits()


def check(sections: Sections) -> Iterator[Finding]:
    """Yield what is wrong with money: a cap that nothing counts against, and costs in other currencies."""
    costs = [(entry, entry.part.cost) for entry in sections.valid("channels") if entry.part.cost is not None]
    capped = [entry for entry in sections.valid("limits") if entry.part.spend is not None]
    for entry in capped:
        cap = entry.part.spend.per_day
        if not costs and not sections.broken:
            fix = "add what a message costs: cost: 0.08 EUR"
            yield entry.find("E012", "no channel says what it costs, so this cap is never reached", "spend", fix=fix)
        for channel, cost in costs:
            if cost.unit != cap.unit:
                say = f"its cost is in {cost.unit}, the cap of a day in {cap.unit}"
                yield channel.find("E025", say, "cost", fix=f"write both in {cap.unit}")
