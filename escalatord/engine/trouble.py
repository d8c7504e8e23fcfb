"""What is wrong with escalatord itself, told to those who hear of what nobody else does: the `unmatched` policy.

Once an hour for each kind of trouble, whatever comes: the trouble is on the board as an incident, and one that nobody
has ended yet takes in what comes later. It is an incident like any other, so it climbs until a human answers.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from escalatord.core.events import AlertFired
from escalatord.core.incident import Cause
from escalatord.core.rules import OWN_SOURCE
from escalatord.engine.commands import Remark
from escalatord.engine.unit import Unit

TELL_EVERY_SECONDS = 3600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """One kind of trouble: `key` tells it from others, `title` and `summary` are for people, `why` for the journal."""

    key: str
    title: str
    summary: str
    why: Mapping[str, object]
    source: str = OWN_SOURCE


def remark(unit: Unit, command: Remark) -> None:
    """Write down something about the daemon itself, and tell people of it where they must act."""
    unit.record(command.kind, command.body)
    if command.tell:
        key = f"trouble|{command.kind}"
        tell(unit, Trouble(key=key, title=command.tell, summary=command.advice, why=command.body))


def tell(unit: Unit, trouble: Trouble) -> None:
    """Open an incident for a trouble, or let it join the open one; nothing when it was told within the hour."""
    setting = f"told/{trouble.key}"
    told = unit.tx.setting(setting)
    if told is not None and unit.now.timestamp() - float(told) < TELL_EVERY_SECONDS:
        return
    unit.tx.set_setting(setting, str(unit.now.timestamp()))
    ruleset = unit.world.ruleset
    policy = ruleset.policies[ruleset.unmatched.policy]
    known = unit.tx.load_open((trouble.key,)).get(trouble.key)
    number = known.number if known else unit.next_number()
    event = AlertFired(
        number=number,
        key=trouble.key,
        source=trouble.source,
        fingerprint=f"{trouble.key.replace('|', '-')}-{int(unit.now.timestamp())}",
        title=trouble.title,
        summary=trouble.summary,
        links={},
        service="",
        severity=ruleset.unmatched.severity,
        cause=Cause.UNMATCHED,
        rule="",
        policies=(policy,),
        why=trouble.why,
    )
    unit.happen(known, event, {policy.hash: policy})
