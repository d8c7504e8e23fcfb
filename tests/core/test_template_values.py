"""What a template may say: values, harmless and bounded."""

from dataclasses import replace
from datetime import timedelta

import pytest

from escalatord.core.alert import Alert, AlertStatus, Severity
from escalatord.core.incident import NoticeKind, Reason
from escalatord.core.rules import AlertRecord, FactSource, Missing, Service
from escalatord.core.telling import Handles
from escalatord.core.template import Audience
from escalatord.core.template_values import (
    ALL_NAMES,
    BAG_ENTRIES_MAX,
    PUBLIC_NAMES,
    VALUE_CHARACTERS_MAX,
    Bag,
    Material,
    Room,
    measured,
    values_of,
    worst_of,
)
from escalatord.core.units import Quantity
from tests.fakes.paging import LINK, OPENED, a_ruleset, a_track, acked, an_incident, later, resolved, telling


def record(severity=Severity.ERROR, opened=0, status=AlertStatus.FIRING, **changes):
    """Return a remembered alert."""
    facts = {
        "labels": {"service": "checkout", "team": "pay"},
        "annotations": {"rate": "8.2", "users": "1340"},
        **changes,
    }
    alert = Alert(source="am", fingerprint="f", status=status, starts_at=OPENED, title="t", **facts)
    return AlertRecord(alert=alert, opened_at=later(opened), last_seen_at=later(opened), severity=severity)


def values(told=None, audience=Audience.RESPONDER, room=None, **more):
    """Return the values of a telling."""
    return values_of(Material(telling=told or telling(), **more), audience, room)


def test_a_page_in_values():
    """Everything a first page can say."""
    told = values(alert=record(), facts={"rate": "8.2%"})
    plain = {name: value for name, value in told.items() if not isinstance(value, Bag)}
    assert plain == {
        "notice": "page",
        "severity": "critical",
        "state": "open",
        "service": "checkout",
        "label": "INC-142",
        "opened_at": "03:11 CEST",
        "since": "0s",
        "title": "5xx rate 8.2% over 5% for 5m (eu-west)",
        "summary": "",
        "source": "am",
        "policy": "payments",
        "track": "technical",
        "tier": 1,
        "tiers": 3,
        "within": "5m",
        "why": "",
        "standing": "Ana is being paged (tier 1/3).",
        "late": False,
        "alerts": 1,
        "code": "K7",
        "link": LINK,
        "number": 0,
        "reader": "Ana",
        "actor": "",
        "owner": "",
        "paged": ("Ana",),
        "next_people": ("Bo",),
        "next_at": "03:16 CEST",
    }
    bags = {name: dict(value) for name, value in told.items() if isinstance(value, Bag)}
    assert bags == {
        "labels": {"service": "checkout", "team": "pay"},
        "annotations": {"rate": "8.2", "users": "1340"},
        "facts": {"rate": "8.2%"},
        "links": {},
        "names": {"ana": "Ana Ruiz", "bo": "Bo Li", "cy": "Cy Dee", "cto": "Cleo Tan"},
    }
    assert set(told) == ALL_NAMES


@pytest.mark.parametrize(
    ("incident", "state", "owner"),
    [(an_incident(), "open", ""), (acked("bo"), "acknowledged", "Bo"), (resolved(), "resolved", "")],
)
def test_the_state_is_that_of_the_track(incident, state, owner):
    """Open, acknowledged with its owner, resolved."""
    told = values(telling(incident, NoticeKind.UPDATE))
    assert (told["state"], told["owner"]) == (state, owner)


def test_the_public_is_told_an_allow_list():
    """No title, names, labels, codes or links."""
    assert set(values(audience=Audience.PUBLIC)) == PUBLIC_NAMES


def test_nothing_known_is_told_as_nothing():
    """Nobody next, nothing waited for, no reader: empty texts and lists."""
    told = values(telling(an_incident(timers=()), person="", next_at=None, next_people=(), handles=Handles()))
    assert [told[name] for name in ("within", "next_at", "next_people", "reader", "code", "link")] == [
        "", "", (), "", "", "",
    ]  # fmt: skip


def test_many_names_end_in_how_many_more():
    """At most five are listed."""
    everybody = tuple(f"p{number}" for number in range(8))
    assert values(telling(next_people=everybody))["next_people"] == ("p0", "p1", "p2", "p3", "+4")
    assert len(values(telling(next_people=everybody[:5]))["next_people"]) == 5


def test_why_and_who_did_it():
    """A page that was passed on says by whom."""
    told = values(telling(an_incident(a_track(2)), person="bo", reason=Reason.PASSED_ON, actor="ana"))
    assert (told["actor"], told["why"]) == ("Ana", "Ana passed it on")


def test_texts_of_alerts_are_one_bounded_line():
    """Line ends, controls, writing direction, lone surrogates and length."""
    nasty = "a\r\nb\u202ec\x00\ud800 " + "x" * 9999
    alert = record(labels={"nasty": nasty}, annotations={"k" * 101: "x"})
    told = values(telling(an_incident(title=nasty, summary=nasty, service=nasty)), alert=alert)
    for text in (told["title"], told["summary"], told["service"], told["labels"]["nasty"]):
        assert text.startswith("a bc ?")
        assert len(text) <= VALUE_CHARACTERS_MAX
    assert dict(told["annotations"]) == {}


def test_a_bag_holds_the_first_ones_by_name():
    """Bounded in number, in order of names; asking twice cleans once."""
    asked = []
    bag = Bag("labels", {f"l{number:03}": "x" for number in range(200)}, lambda text: asked.append(text) or text)
    assert list(bag) == [f"l{number:03}" for number in range(BAG_ENTRIES_MAX)]
    assert (bag["l000"], bag["l000"], len(asked)) == ("x", "x", 1)
    assert "l199" not in bag


def test_for_a_text_message_everything_is_in_the_gsm_alphabet_and_has_room():
    """First the title and summary are cut, then the rest; links are whole or left out."""
    links = {"runbook": "https://runbooks.example.com/checkout"}
    incident = an_incident(title="“x” " * 30, service="s" * 99, summary="y" * 99, links=links)
    alert = record(labels={"team": "“pay”ments department"})
    told = values(telling(incident), room=Room(title=10), alert=alert)
    assert (told["title"], told["summary"]) == ('"x" "x"..', "yyyyyyyy..")
    assert told["labels"]["team"] == '"pay"ments department'
    assert (len(told["service"]), told["links"]["runbook"]) == (99, links["runbook"])
    told = values(telling(incident), room=Room(title=0, rest=8), alert=alert)
    assert (told["title"], told["labels"]["team"], told["links"]["runbook"]) == ("", '"pay"m..', "")
    assert len(told["service"]) == 16


def test_half_an_address_is_none():
    """A link longer than a value may be is left out."""
    told = values(telling(an_incident(links={"a": "https://x.example.com/" + "y" * 999, "b": "https://x.example.com"})))
    assert dict(told["links"]) == {"a": "", "b": "https://x.example.com"}


def test_the_worst_alert_speaks():
    """Firing before resolved, then severity, then age; none of none."""
    ended = record(Severity.CRITICAL, status=AlertStatus.RESOLVED)
    worst, same, mild = record(Severity.ERROR, opened=5), record(Severity.ERROR, opened=9), record(Severity.INFO)
    assert worst_of([ended, mild, same, worst]) is worst
    assert worst_of([ended]) is ended
    assert worst_of([record(None), mild]) is mild
    assert worst_of([]) is None


def test_facts_are_told_with_their_units():
    """What the rules measure of the alert, and the loss by its service; what cannot be had is left out."""
    ruleset = replace(
        a_ruleset(),
        services={"checkout": Service(name="checkout", revenue_per_hour=Quantity(120000.0, "EUR"))},
        facts={
            name: FactSource(name=name, kind="annotation", key=key, unit=unit, missing=Missing.PAGE)
            for name, key, unit in (("rate", "rate", "percent"), ("users", "users", "users"), ("gone", "gone", ""))
        },
    )
    now = OPENED + timedelta(minutes=30)
    assert measured(record(), ruleset, now) == {
        "downtime": "30m",
        "revenue_loss": "60,000 EUR",
        "rate": "8.2%",
        "users": "1340 users",
    }
    assert measured(record(), a_ruleset(), now) == {"downtime": "30m"}
    assert measured(None, ruleset, now) == {}
