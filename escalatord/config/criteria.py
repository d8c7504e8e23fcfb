"""What is wrong with what rules measure: facts that are not there, units that do not fit, causes that cannot be."""

from collections.abc import Iterator, Mapping

from escalatord.config.references import conditions_of, fact_source, levels_of
from escalatord.config.schema_rules import LevelPart
from escalatord.config.sections import Entry, Sections, suggestion
from escalatord.core.facts import BUILT_IN_FACTS, TALLIED_FACTS, check_units
from escalatord.core.rules import OWN_SOURCE, Comparison, FactSource, Service
from escalatord.errors import Finding

NAMED_IN_OPEN = ("thresholds", "exceptions", "policies")


def check(sections: Sections) -> Iterator[Finding]:
    """Yield what is wrong with facts, conditions, causes and the names of sources."""
    facts = {entry.name: fact_source(entry) for entry in sections.valid("facts")}
    services = {
        entry.name: Service(name=entry.name, revenue_per_hour=entry.part.revenue_per_hour)
        for entry in sections.valid("services")
    }
    yield from _facts(sections)
    for entry in sections.valid("thresholds"):
        for at, comparison in compared(entry):
            yield from _comparison(entry, at, comparison, sections, (facts, services))
        yield from _causes(entry, sections)
        if entry.part.unless and (entry.part.absent or entry.part.anomaly):
            for index, unless in enumerate(entry.part.unless):
                if unless.match is not None:
                    say = "a rule that makes its own alerts cannot be kept quiet by labels"
                    yield entry.find("E013", say, "unless", index, "match", fix="use open:, or delete it")
    for entry in sections.valid("sources"):
        if entry.name == OWN_SOURCE:
            say = f'"{OWN_SOURCE}" is the source of alerts that escalatord makes itself'
            yield entry.find("E013", say, fix="choose another name", key=True)


def compared(entry: Entry) -> Iterator[tuple[tuple[str | int, ...], Comparison]]:
    """Yield every comparison of a threshold rule with its place."""
    parts: list[tuple[tuple[str, ...], LevelPart]] = [
        (("severity", word), level) for word, level in levels_of(entry.part.severity)
    ]
    if entry.part.clear is not None:
        parts.append((("clear",), entry.part.clear))
    for at, part in parts:
        for below, comparison in conditions_of(part):
            yield (*at, *below), comparison


def _facts(sections: Sections) -> Iterator[Finding]:
    for name, entry in sections.entries["facts"].items():
        if name in BUILT_IN_FACTS:
            yield entry.find("E013", f'"{name}" is a built-in fact', fix="choose another name", key=True)
    if sections.entries["prometheus"] or sections.broken:
        return
    for entry in sections.valid("facts"):
        for key in ("query", "or_query"):
            if getattr(entry.part, key) is not None:
                say = "nobody is there to be asked: there is no `prometheus` section"
                yield entry.find("E012", say, key, fix="add prometheus: {url: http://prometheus:9090}")


def _comparison(
    entry: Entry,
    at: tuple[str | int, ...],
    comparison: Comparison,
    sections: Sections,
    known: tuple[Mapping[str, FactSource], Mapping[str, Service]],
) -> Iterator[Finding]:
    facts, services = known
    named = sections.entries["facts"]
    if comparison.fact not in BUILT_IN_FACTS and comparison.fact not in named:
        if not sections.broken:
            fix = suggestion(comparison.fact, [*BUILT_IN_FACTS, *named])
            yield entry.find("E020", f'there is no fact "{comparison.fact}"', *at, fix=fix)
    elif comparison.fact in BUILT_IN_FACTS or comparison.fact in facts:
        for say in check_units(comparison, facts, services):
            yield entry.find("E025", say, *at)
    if comparison.fact in TALLIED_FACTS and (entry.part.absent or entry.part.anomaly):
        say = f'"{comparison.text}": a rule that makes its own alerts has none to count'
        yield entry.find("E013", say, *at, fix="count in a rule that matches what its sources send")


def _causes(entry: Entry, sections: Sections) -> Iterator[Finding]:
    """Yield what an `unless` waits for and which never opens, or is the rule itself."""
    known = {name for section in NAMED_IN_OPEN for name in sections.entries[section]}
    for index, unless in enumerate(entry.part.unless):
        if unless.open_ is None:
            continue
        at = ("unless", index, "open")
        if unless.open_ not in known and not sections.broken:
            fix = suggestion(unless.open_, sorted(known))
            yield entry.find("E020", f'there is no rule or policy "{unless.open_}"', *at, fix=fix)
        elif unless.open_ in (entry.name, entry.part.policy):
            say = f'"{entry.name}" would be kept quiet by its own incidents'
            yield entry.find("E013", say, *at, fix="name the rule of the cause")
