"""One incident that nobody acks, in a world of numbered people."""

import pytest

from escalatord.core import unanswered
from escalatord.core.alert import Severity
from escalatord.core.policy import ContactPlan, LastResort, PlanStep, SeverityOverride, Tier, TrackKind, TrackPolicy
from escalatord.core.roster import ChannelKind, ChannelSpec, Person
from escalatord.core.ruleset import Ruleset, Unmatched
from escalatord.core.unanswered import NEVER, Climb, Climbed, Shape, TrackClimb, world_of

PLAN = ContactPlan(
    name="usual",
    steps=(PlanStep(by="hook"), PlanStep(by="sms", if_failed=("mail",)), PlanStep(by="call", after_seconds=120.0)),
)
CHANNELS = {
    name: ChannelSpec(name=name, kind=ChannelKind(kind), provider="x", address_key=key, receipts=bool(key))
    for name, kind, key in (
        ("hook", "webhook", ""),
        ("sms", "sms", "sms"),
        ("mail", "mail", "email"),
        ("call", "call", "call"),
    )
}
TIER = Tier(name="", page=(), within_seconds=600.0, remind_seconds=(60.0,), plan=PLAN)
SHAPE = Shape(
    severity=Severity.ERROR,
    track=TrackPolicy(name="", kind=TrackKind.TECHNICAL, tiers=(TIER, TIER)),
    last_resort=LastResort(page=(), plan=PLAN),
    override=None,
)


def climbed(
    *addresses: str, dead: tuple[str, ...] = (), shape: Shape = SHAPE, lists=((0,), (), (1,), (), (2,), ())
) -> Climbed:
    """Return the climb of as many people as there are addresses (words) through two tiers and the last resort."""
    people = {
        str(number): Person(id=str(number), name="", addresses=dict.fromkeys(keys.split(), "there"))
        for number, keys in enumerate(addresses)
    }
    unmatched = Unmatched(severity=Severity.ERROR, policy="")
    ruleset = Ruleset(hash="", unmatched=unmatched, policies={}, people=people, channels=CHANNELS)
    return Climb([(0.0, world_of(ruleset, shape, lists))], shape.severity, dead).run()


BOTH = "sms call"
CASES = [
    ((BOTH, BOTH, BOTH), (), TrackClimb(first=0.0, second=600.0, last_resort=1200.0)),
    ((BOTH, BOTH, BOTH), ("sms",), TrackClimb(first=0.0, second=600.0, last_resort=1200.0)),
    ((BOTH, BOTH, BOTH), ("sms", "call"), TrackClimb(last_resort=1200.0)),
    ((BOTH, BOTH, BOTH), ("sms", "call", "hook"), TrackClimb(last_resort=0.0)),
    (("sms", BOTH, BOTH), ("sms",), TrackClimb(first=600.0, second=1200.0, last_resort=1200.0)),
    (("sms", BOTH, BOTH), ("sms", "hook"), TrackClimb(first=0.0, second=600.0, last_resort=600.0)),
    (("sms email", BOTH, BOTH), ("sms",), TrackClimb(first=0.0, second=600.0, last_resort=1200.0)),
    (("call", BOTH, BOTH), (), TrackClimb(first=120.0, second=600.0, last_resort=1200.0)),
]


@pytest.mark.parametrize(("addresses", "dead", "expected"), CASES)
def test_what_is_dead_fails_at_once_and_the_rest_arrives(addresses: tuple, dead: tuple, expected: TrackClimb) -> None:
    """Fallbacks and later steps are pulled forward; a machine that was told holds the tier, and is no human."""
    found = climbed(*addresses, dead=dead).track
    assert (found.first, found.second, found.last_resort) == (expected.first, expected.second, expected.last_resort)
    assert (found.tried, found.within) == (("0", "1", "2"), 600.0)


def test_entries_and_channels_are_told() -> None:
    """When tiers and the last resort were entered, and by what somebody was to be told."""
    found = climbed(BOTH, BOTH, BOTH)
    assert found.entries == {0.0, 600.0, 1200.0}
    assert found.channels == {"hook", "sms", "call"}


def test_overrides_of_the_severity_count() -> None:
    """Another window, another start."""
    shape = SHAPE._replace(override=SeverityOverride(within_seconds=60.0, skip_to=2))
    found = climbed(BOTH, BOTH, BOTH, shape=shape)
    assert (found.track.tried, found.track.within, found.track.last_resort) == (("1", "2"), 60.0, 60.0)


def test_nobody_at_all_is_never_told() -> None:
    """Empty tiers lead to the last resort at once, and that to nobody."""
    found = climbed(lists=((),) * 6)
    assert found.track == TrackClimb(first=NEVER, second=NEVER, last_resort=0.0, within=NEVER, tried=())


def test_a_climb_that_does_not_end_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    """The limit on deadlines holds."""
    monkeypatch.setattr(unanswered, "STEPS_MAX", 1)
    assert climbed(BOTH, BOTH, BOTH).entries == {0.0}
