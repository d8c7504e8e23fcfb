"""What is written in vain: rules that can never do anything, tiers that nothing enters.

Errors: E064 a rule that no alert can match · E065 a severity that its rule can never claim · E066 `unless` covers all
that a rule matches · E067 a tier that no incident enters · E068 an exception that other rules hide.
"""

from collections.abc import Iterable, Iterator

from escalatord.config.load import Loaded
from escalatord.config.references import levels_of
from escalatord.core.alert import SEVERITIES
from escalatord.core.contradictions import contradiction, covering, outdone
from escalatord.core.proof import never_entered
from escalatord.core.rules import ExceptionRule
from escalatord.errors import Finding


def vain(loaded: Loaded, hidden: Iterable[ExceptionRule]) -> Iterator[Finding]:
    """Yield what is written in vain, where that can be proved; `hidden` are the exceptions that were not heard."""
    yield from _rules(loaded)
    yield from _tiers(loaded)
    for rule in hidden:
        entry = loaded.sections.entries["exceptions"][rule.name]
        yield entry.find("E068", f'an alert that "{rule.name}" matches does not get what it says', key=True)


def _rules(loaded: Loaded) -> Iterator[Finding]:
    ruleset = loaded.ruleset
    for section, rules in (("exceptions", ruleset.exceptions), ("thresholds", ruleset.thresholds)):
        for rule in rules:
            label = contradiction(rule.match)
            if label and rule.name in loaded.sections.entries[section]:
                entry = loaded.sections.entries[section][rule.name]
                say = f'no alert can match "{rule.name}": no value of {label} fits all that is asked of it'
                yield entry.find("E064", say, "match", fix="one label has one value: join what may be with |")
    for rule in ruleset.thresholds:
        if rule.is_heartbeat:
            continue  # made of a source, whose words stand elsewhere
        entry = loaded.sections.entries["thresholds"][rule.name]
        covers = covering(rule.match, rule.unless)
        if covers:
            whys = "; ".join(one.why for one in covers)
            say = f'"{rule.name}" never speaks: whatever it matches is kept quiet ({whys})'
            yield entry.find(
                "E066", say, "unless", rule.unless.index(covers[0]), fix="narrow unless, or delete the rule"
            )
        given = dict(levels_of(entry.part.severity))
        for one in outdone(rule, ruleset.facts):
            word = one.level.severity.value
            if one.by is None:
                say = f'"{rule.name}" can never claim {word}: what it asks for contradicts itself'
                fix = "use any instead of all, or mend the limits"
            else:
                say = f'"{rule.name}" can never claim {word}: whenever it would, it claims {one.by.severity} already'
                fix = f"ask for less than {one.by.severity} does, or delete it"
            yield entry.find("E065", say, "severity", word, fix=fix, key=word in given)


def _tiers(loaded: Loaded) -> Iterator[Finding]:
    """Yield tiers before those at which every severity and every exception starts."""
    ruleset = loaded.ruleset
    for policy in ruleset.policies.values():
        for track in policy.tracks:
            overrides = [policy.override(track, severity) for severity in SEVERITIES]
            starts = {(override.skip_to if override else None) or 1 for override in overrides}
            starts |= {rule.start_at for rule in ruleset.exceptions if rule.policy in ("", policy.name)} - {1}
            for number in never_entered(track, starts):
                entry = loaded.sections.entries["policies"][policy.name]
                say = f'no incident enters tier {number} of "{policy.name}" {track.name}: every severity skips it'
                yield entry.find("E067", say, "tracks", track.name, "tiers", number - 1, fix="delete it, or skip less")
