"""Who stands behind a target, and how they can be reached."""

from datetime import UTC, date, datetime, time

from escalatord.core.alert import Severity
from escalatord.core.policy import Target, TargetKind
from escalatord.core.roster import Candidate, ChannelKind, ChannelSpec, Person, reachable, resolve, usable_channels
from escalatord.core.ruleset import Ruleset, Unmatched, World
from escalatord.core.schedule import Layer, Override, Rotation, RotationUnit, Schedule

NOW = datetime(2026, 10, 7, 3, tzinfo=UTC)
SMS = ChannelSpec(name="sms", kind=ChannelKind.SMS, provider="sim", address_key="sms", receipts=True)
BACKUP = ChannelSpec(name="sms_backup", kind=ChannelKind.SMS, provider="sim", address_key="sms", receipts=True)
CALL = ChannelSpec(name="call", kind=ChannelKind.CALL, provider="sim", address_key="call", receipts=True)
ROOM = ChannelSpec(name="room", kind=ChannelKind.WEBHOOK, provider="sim", address_key="", receipts=False)
ANA = Person(id="ana", name="Ana", addresses={"sms": "+34600000001", "call": "+34600000001"})
BO = Person(id="bo", name="Bo", addresses={"sms": "+34600000002"})
CY = Person(id="cy", name="Cy", addresses={"sms": ""})


def world(*overrides: Override, unreachable: frozenset[tuple[str, str]] = frozenset()) -> World:
    """Return a world with Ana (sms, call), Bo (sms) and Cy (nothing), Ana being on call."""
    weekly = Rotation(unit=RotationUnit.WEEKLY, starts=date(2026, 10, 5), at=time(9))
    layer = Layer(name="eu", timezone="Europe/Madrid", rotation=weekly, people=("ana", "bo"))
    ruleset = Ruleset(
        hash="",
        unmatched=Unmatched(severity=Severity.WARNING, policy="p"),
        policies={},
        people={"ana": ANA, "bo": BO, "cy": CY},
        teams={"payments": ("bo", "ana", "ghost"), "empty": ()},
        roles={
            "duty": (oncall("primary"), person("bo")),
            "loop": (role("pool"), person("bo")),
            "pool": (role("loop"), person("ana")),
        },
        schedules={"primary": Schedule(name="primary", timezone="UTC", layers=(layer,))},
        channels={spec.name: spec for spec in (ROOM, SMS, BACKUP, CALL)},
    )
    return World(ruleset=ruleset, policies={}, overrides=overrides, unreachable=unreachable)


def person(name: str) -> Target:
    """Return the target `person NAME`."""
    return Target(TargetKind.PERSON, name)


def team(name: str) -> Target:
    """Return the target `team NAME`."""
    return Target(TargetKind.TEAM, name)


def role(name: str) -> Target:
    """Return the target `role NAME`."""
    return Target(TargetKind.ROLE, name)


def oncall(name: str) -> Target:
    """Return the target `oncall NAME`."""
    return Target(TargetKind.ONCALL, name)


def test_usable_channels_keep_their_order_and_need_an_address() -> None:
    """A channel is usable when it needs no address or the person has one that is not empty."""
    channels = (CALL, ROOM, SMS)
    assert usable_channels(ANA, channels, frozenset()) == ("call", "room", "sms")
    assert usable_channels(BO, channels, frozenset()) == ("room", "sms")
    assert usable_channels(CY, channels, frozenset()) == ("room",)


def test_unreachable_address_closes_every_channel_that_uses_it() -> None:
    """STOP to one number silences all channels with that address key, and nobody else's."""
    gone = frozenset({("ana", "sms")})
    assert usable_channels(ANA, (SMS, BACKUP, CALL), gone) == ("call",)
    assert usable_channels(BO, (SMS, BACKUP, CALL), gone) == ("sms", "sms_backup")


def test_reachable_means_by_one_channel_at_least() -> None:
    """A person is reachable when one of the channels works."""
    assert reachable(ANA, (CALL, SMS), frozenset({("ana", "sms")}))
    assert not reachable(BO, (CALL,), frozenset())


def test_resolve_person_uses_the_plan() -> None:
    """The plan's channels are used in its order; those not configured any more are left out."""
    found = resolve((person("ana"),), world(), NOW, ("call", "pigeon", "sms", "call"))
    assert (Candidate(person="ana", target="person ana", channels=("call", "sms")),) == found.people
    assert found.rejected == ()


def test_resolve_falls_back_to_any_contact_method() -> None:
    """Somebody whom the plan cannot reach is still paged by another method of their own, but not by a mere room."""
    found = resolve((person("bo"), person("cy")), world(), NOW, ("call",))
    assert (Candidate(person="bo", target="person bo", channels=("sms", "sms_backup")),) == found.people
    assert found.rejected == (("cy", "has no usable contact method"),)


def test_resolve_takes_a_room_that_the_plan_names() -> None:
    """A channel without addresses counts when the plan was written with it."""
    found = resolve((person("cy"),), world(), NOW, ("room",))
    assert (Candidate(person="cy", target="person cy", channels=("room",)),) == found.people


def test_resolve_rejects_those_marked_unreachable() -> None:
    """Nobody is paged at addresses known to be dead."""
    dead = frozenset({("bo", "sms")})
    assert resolve((person("bo"),), world(unreachable=dead), NOW, ("sms",)).rejected == (
        ("bo", "has no usable contact method"),
    )


def test_resolve_names_each_person_once_in_order() -> None:
    """The first target that names somebody is the one remembered."""
    found = resolve((person("ana"), team("payments"), person("bo")), world(), NOW, ("sms",))
    assert [(one.person, one.target) for one in found.people] == [("ana", "person ana"), ("bo", "team payments")]
    assert found.rejected == (("ghost", "is not in the roster"),)


def test_resolve_role_looks_through_to_schedules_and_people() -> None:
    """A role is held by targets of any kind; the tier's own target is what people were paged as."""
    found = resolve((role("duty"),), world(), NOW, ("sms",))
    assert [(one.person, one.target) for one in found.people] == [("ana", "role duty"), ("bo", "role duty")]


def test_resolve_roles_that_name_each_other() -> None:
    """A circle of roles ends, and gives everyone in it."""
    assert [one.person for one in resolve((role("loop"),), world(), NOW, ("sms",)).people] == ["ana", "bo"]


def test_resolve_on_call_counts_overrides_made_at_run_time() -> None:
    """An override made at 03:00 counts for the next tier entered."""
    swap = Override(schedule="primary", person="bo", start=NOW, end=NOW.replace(hour=9), why="swap")
    assert [one.person for one in resolve((oncall("primary"),), world(), NOW, ("sms",)).people] == ["ana"]
    assert [one.person for one in resolve((oncall("primary"),), world(swap), NOW, ("sms",)).people] == ["bo"]


def test_resolve_says_which_targets_lead_nowhere() -> None:
    """Missing and empty teams, roles and schedules are told, not skipped in silence."""
    before = NOW.replace(month=9)
    targets = (person("ghost"), team("empty"), team("gone"), role("gone"), oncall("gone"), oncall("primary"))
    assert resolve(targets, world(), before, ("sms",)).rejected == (
        ("ghost", "is not in the roster"),
        ("team empty", "has no members"),
        ("team gone", "has no members"),
        ("role gone", "is held by nobody"),
        ("oncall gone", "has nobody on call"),
        ("oncall primary", "has nobody on call"),
    )
