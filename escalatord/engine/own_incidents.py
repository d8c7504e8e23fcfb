"""What escalatord itself has to say to somebody: incidents of its own, for the people of the `unmatched` policy."""

from escalatord.core.events import AlertFired
from escalatord.core.incident import Cause
from escalatord.core.noise import Spend
from escalatord.engine.unit import Unit

SPEND_TOLD = "spend_told"


def tell_of_spending(unit: Unit, spend: Spend, spent: float) -> None:
    """Say once a day (UTC) that the cap of the day is reached."""
    day = f"{unit.now:%Y-%m-%d}"
    if unit.tx.standing.stands_in or unit.tx.setting(SPEND_TOLD) == day:
        return  # no incident is opened while the database is away: it is told when it is back
    unit.tx.set_setting(SPEND_TOLD, day)
    cap = f"{spend.per_day.value:g} {spend.per_day.unit}"
    summary = (
        f"{spent:.2f} {spend.per_day.unit} are spent. Until 00:00 UTC only critical incidents go by paid channels."
    )
    facts = {"per_day": cap, "spent": round(spent, 2)}
    unit.record("spend_capped", facts)
    open_own(unit, f"spend|{day}", f"The cap of {cap} a day for messages is reached", summary, facts)


def open_own(unit: Unit, key: str, title: str, summary: str, why: dict[str, object]) -> None:
    """Open an incident of our own, or let the open one of that key know again."""
    ruleset = unit.world.ruleset
    policy = ruleset.policies[ruleset.unmatched.policy]
    known = unit.open_of(key)
    event = AlertFired(
        number=known.number if known is not None else unit.next_number(),
        key=key,
        source="escalatord",
        fingerprint=key,
        title=title,
        summary=summary,
        links={},
        service="",
        severity=ruleset.unmatched.severity,
        cause=Cause.UNMATCHED,
        rule="",
        policies=(policy,),
        why=why,
    )
    unit.happen(known, event, {policy.hash: policy})
