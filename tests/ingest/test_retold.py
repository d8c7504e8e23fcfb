"""A recorded body told anew comes in as if it had just happened, in its own wire format."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from escalatord.core.alert import AlertStatus, Severity, fingerprint_of
from escalatord.core.ruleset import SourceSpec
from escalatord.errors import BadInputError
from escalatord.ingest import parse
from escalatord.ingest.retold import Retelling, placed, retell

RULES = Path(__file__).parents[2] / "rules"
NOW = datetime(2027, 3, 1, 4, 5, 6, tzinfo=UTC)
BEGAN = datetime(2027, 3, 1, 3, 0, tzinfo=UTC)
AM = SourceSpec(name="am", adapter="alertmanager")
MAPPED = SourceSpec(
    name="batch",
    adapter="generic",
    map={
        "each": "$.jobs[*]",
        "fingerprint": ["$.name"],
        "status": {"path": "$.state", "firing": ["failed", "lost"], "resolved": ["done"]},
        "title": "$.message",
        "started_at": {"path": "$.at", "format": "epoch_ms"},
        "labels": {"cluster": "$.where.cluster"},
        "annotations": "$.notes",
        "facts": {"records": {"path": "$.counts[0]", "unit": "records"}},
    },
)
JOBS = {"jobs": [{"name": "a", "state": "done", "at": 1, "where": {"cluster": "eu"}, "notes": {}, "counts": [4]}]}


def recorded(name):
    """Return a body beside the shipped rules."""
    return json.loads((RULES / "payloads" / f"{name}.json").read_text(encoding="utf-8"))


def told(spec, content, status=None, **changes):
    """Return the alerts of a body as its adapter reads it once it is told anew."""
    how = Retelling(now=NOW, began=lambda *_: BEGAN, status=status, changes=changes)
    return parse(spec, json.dumps(retell(spec, content, how)).encode(), "application/json", NOW).alerts


def test_an_alertmanagers_body_begins_when_it_is_said_to():
    """Times are of now, the rest as recorded; the fingerprint is that of the labels."""
    (alert,) = told(AM, recorded("checkout-5xx"))
    assert (alert.starts_at, alert.ends_at, alert.status) == (BEGAN, None, AlertStatus.FIRING)
    assert alert.fingerprint == fingerprint_of(alert.labels)
    assert alert.severity is Severity.CRITICAL


def test_labels_and_annotations_are_changed_in_every_place():
    """Changed labels change the identity, and the group where it is grouped by them."""
    (alert,) = told(AM, recorded("checkout-5xx"), **{"service": "search", "annotation.affected_users": "7"})
    assert alert.labels["service"] == "search"
    assert alert.annotations["affected_users"] == "7"
    assert alert.group_key == '{}:{alertname="HighErrorRate", service="search"}'
    assert alert.fingerprint == fingerprint_of(alert.labels)
    (same,) = told(AM, recorded("checkout-5xx"), env="qa")
    assert same.group_key == recorded("checkout-5xx")["groupKey"]


def test_a_resolve_ends_now():
    """The status counts for every alert and for the body, and the end is now."""
    body = recorded("checkout-5xx")
    fresh = retell(AM, body, Retelling(now=NOW, began=lambda *_: BEGAN, status=AlertStatus.RESOLVED))
    assert fresh["status"] == "resolved"
    (alert,) = told(AM, body, AlertStatus.RESOLVED)
    assert (alert.status, alert.ends_at, alert.starts_at) == (AlertStatus.RESOLVED, NOW, BEGAN)


def test_what_was_recorded_is_not_touched():
    """The body that was given in stays as it is, so that it can be told again."""
    body = recorded("checkout-5xx")
    told(AM, body, env="qa")
    assert body == recorded("checkout-5xx")


def test_a_mapped_body_is_told_by_its_map():
    """Labels, annotations, values, status and start go to where the map finds them."""
    changes = {"label.cluster": "us", "annotation.why": "x", "value.records": "12"}
    (alert,) = told(MAPPED, JOBS, AlertStatus.FIRING, **changes)
    assert (alert.labels, alert.annotations) == ({"cluster": "us"}, {"why": "x"})
    assert (alert.status, alert.starts_at) == (AlertStatus.FIRING, BEGAN)
    assert alert.values["records"].value == 12
    (over,) = told(MAPPED, {"jobs": [{**JOBS["jobs"][0], "where": {}}]}, AlertStatus.RESOLVED, cluster="ap")
    assert (over.status, over.labels["cluster"]) == (AlertStatus.RESOLVED, "ap")


def test_a_body_without_a_list_and_without_times_is_one_alert():
    """A map without `each` and `started_at` tells the body itself."""
    spec = SourceSpec(name="one", adapter="generic", map={"fingerprint": "$.id", "labels": {"env": "$.env"}})
    (alert,) = told(spec, {"id": "x", "env": "prod"}, env="qa")
    assert alert.labels == {"env": "qa"}
    listed = SourceSpec(name="some", adapter="generic", map={"each": "$.all", "fingerprint": "$.id"})
    assert len(told(listed, {"all": [{"id": "x"}, {"id": "y"}]})) == 2


@pytest.mark.parametrize(
    ("spec", "content", "changes", "status", "say"),
    [
        (AM, "am", {"value.x": "1"}, None, "has no value.x"),
        (MAPPED, JOBS, {"planet": "mars"}, None, 'has no label "planet"; it has cluster'),
        (MAPPED, JOBS, {"value.x": "1"}, None, 'has no value "x"; it has records'),
        (SourceSpec(name="p", adapter="generic"), {"id": "x"}, {"env": "qa"}, None, "has no map"),
        (SourceSpec(name="p", adapter="generic"), {"id": "x"}, {}, AlertStatus.FIRING, "has no map"),
        (
            SourceSpec(name="p", adapter="generic", map={"fingerprint": "$.id"}),
            {"id": "x"},
            {},
            AlertStatus.FIRING,
            "has no word for firing",
        ),
        (
            SourceSpec(name="p", adapter="generic", map={"fingerprint": "$.id", "labels": {"a": "$.list[3]"}}),
            {"id": "x", "list": []},
            {"a": "1"},
            None,
            "the body has no",
        ),
        (
            SourceSpec(name="p", adapter="generic", map={"fingerprint": "$.id", "labels": {"a": "$.list[*]"}}),
            {"id": "x", "list": []},
            {"a": "1"},
            None,
            "names many places",
        ),
    ],
)
def test_a_place_that_is_not_there_is_said(spec, content, changes, status, say):
    """A change that cannot be made is refused in a sentence, never passed over."""
    body = recorded("checkout-5xx") if content == "am" else content
    with pytest.raises(BadInputError, match=say):
        retell(spec, body, Retelling(now=NOW, began=lambda *_: BEGAN, status=status, changes=changes))


def test_a_body_of_an_unknown_shape_is_left_alone():
    """Without a map and without changes there is nothing to tell anew."""
    spec = SourceSpec(name="p", adapter="generic")
    assert retell(spec, {"id": "x"}, Retelling(now=NOW, began=lambda *_: BEGAN)) == {"id": "x"}


@pytest.mark.parametrize(
    ("key", "place"),
    [
        ("env", ("label", "env")),
        ("label.env", ("label", "env")),
        ("annotation.x.y", ("annotation", "x.y")),
        ("value.n", ("value", "n")),
        ("kubernetes.io", ("label", "kubernetes.io")),
    ],
)
def test_keys_of_changes_name_a_place(key, place):
    """A key without a place is a label, whatever dots it has."""
    assert placed(key) == place
