"""Bodies that were made to hurt: none crashes, hangs, or loses its good neighbours."""

import json
import time
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from escalatord.core.alert import Alert, fingerprint_of
from escalatord.core.ruleset import SourceSpec
from escalatord.errors import BadInputError
from escalatord.ingest import Parsed, parse
from escalatord.ingest.body import deeper_than, load_json, shown
from escalatord.ingest.fields import CUT_MARK, NOTE, fingerprint, identity, instant
from escalatord.limits import (
    ALERTS_PER_BODY_MAX,
    BODY_BYTES_MAX,
    BODY_DEPTH_MAX,
    FORM_FIELDS_MAX,
    IDENTITY_CHARACTERS_MAX,
    LABELS_PER_ALERT_MAX,
    TEXT_CHARACTERS_MAX,
    TITLE_CHARACTERS_MAX,
)

NOW = datetime(2026, 10, 24, 1, 7, tzinfo=UTC)
AM = SourceSpec(name="am", adapter="alertmanager")
PLAIN = SourceSpec(name="plain", adapter="generic")
MAPPED = SourceSpec(
    name="mapped",
    adapter="generic",
    map={
        "each": "$.alerts[*]",
        "fingerprint": ["$.fingerprint"],
        "status": {"path": "$.status", "firing": ["firing"], "resolved": ["resolved"]},
        "severity": "$.labels.severity",
        "title": "$.annotations.summary",
        "started_at": "$.startsAt",
        "labels": "$.labels",
        "annotations": {"all": "$.annotations"},
        "facts": {"users": {"path": "$.users", "unit": "users"}},
        "links": {"graph": "$.generatorURL"},
    },
)
SECONDS_MAX = 5.0  # a hang is minutes; the real target (100 ms) is for the bench, shared machines are slow


def webhook(*alerts: object) -> bytes:
    """Return an Alertmanager body."""
    return json.dumps({"version": "4", "groupKey": "g", "alerts": alerts}).encode()


def firing(**over: object) -> dict[str, object]:
    """Return one firing alert of an Alertmanager body."""
    alert = {"status": "firing", "labels": {"alertname": "A"}, "startsAt": "2026-10-24T01:06:09Z", "fingerprint": "1"}
    return {**alert, **over}


def only(parsed: Parsed) -> Alert:
    """Return the one alert."""
    assert len(parsed.alerts) == 1
    return parsed.alerts[0]


@pytest.mark.parametrize("opening", [b"[", b'{"a":', b'{"alerts":['])
@pytest.mark.parametrize("levels", [BODY_DEPTH_MAX + 1, 190, 1_000, 1_000_000])
@pytest.mark.parametrize("spec", [AM, PLAIN, MAPPED], ids=lambda spec: spec.name)
def test_deep_nesting_is_refused_quickly(spec: SourceSpec, levels: int, opening: bytes) -> None:
    """Nesting beyond the limit is an error with a code, whatever the parser's own limit."""
    body = (opening * levels)[: BODY_BYTES_MAX // 2]
    closing = {b"[": b"]", b'{"a":': b"}", b'{"alerts":[': b"]}"}[opening] * levels
    body = body + b"1" + closing[: BODY_BYTES_MAX // 2]
    started = time.perf_counter()
    with pytest.raises(BadInputError) as caught:
        parse(spec, body, "application/json", NOW)
    assert caught.value.code in {"E100", "E102", "E103", "E104"}
    assert time.perf_counter() - started < SECONDS_MAX


def test_deep_label_costs_one_alert_only() -> None:
    """A label that nests too deep rejects its alert with a pointer; the neighbour is kept."""
    deep: object = 1
    for _ in range(BODY_DEPTH_MAX + 1):
        deep = [deep]
    parsed = parse(AM, webhook(firing(labels={"a": deep}), firing(fingerprint="2")), "", NOW)
    assert [alert.fingerprint for alert in parsed.alerts] == ["2"]
    assert [(item.code, item.at) for item in parsed.rejected] == [("E103", "/alerts/0/labels/a")]


@pytest.mark.parametrize("levels", [BODY_DEPTH_MAX + 1, 100_000])
def test_deep_nesting_after_a_broken_letter_is_refused(levels: int) -> None:
    """The lenient second reading has the same limit of depth as the strict one."""
    with pytest.raises(BadInputError, match="E103"):
        load_json(b'["\\ud800",' + b"[" * levels + b"1" + b"]" * levels + b"]")


def test_nesting_to_the_limit_after_a_broken_letter_is_read() -> None:
    """The lenient second reading takes what is exactly as deep as allowed."""
    levels = BODY_DEPTH_MAX
    assert load_json(b'["\\ud800",' + b"[" * levels + b"1" + b"]" * levels + b"]")


def test_depth_is_counted_exactly() -> None:
    """A tree of exactly the allowed depth passes, one level more does not."""
    tree: object = 1
    for level in range(1, 6):
        tree = [tree] if level % 2 else {"a": tree}
        assert not deeper_than(tree, level)
        assert deeper_than(tree, level - 1)


def test_hundred_thousand_labels_are_cut_and_marked() -> None:
    """An alert with 10⁵ labels still pages: the first ones by name are kept and the rest is told."""
    labels = {f"l{number:06}": "v" for number in range(100_000)}
    started = time.perf_counter()
    alert = only(parse(AM, webhook(firing(labels=labels, fingerprint=None)), "", NOW))
    assert time.perf_counter() - started < SECONDS_MAX
    assert len(alert.labels) == LABELS_PER_ALERT_MAX
    assert "l000000" in alert.labels
    assert alert.annotations[NOTE] == "99000 of 100000 labels left out"


def test_large_label_sets_keep_distinct_identities() -> None:
    """Two huge label sets that differ only past the cut are still two alerts."""
    labels = {f"l{number:06}": "v" for number in range(100_000)}
    other = {**labels, "l099999": "w"}
    assert fingerprint(labels) != fingerprint(other)
    assert fingerprint_of({"a": "b"}) == fingerprint({"a": "b"})


def test_megabyte_value_is_cut_with_a_mark() -> None:
    """A value of 1 MiB is cut to its limit; one of 64 KiB is stored whole."""
    whole, long = "x" * TEXT_CHARACTERS_MAX, "y" * 1024 * 1024
    alert = only(parse(AM, webhook(firing(labels={"a": whole, "b": long}, annotations={"summary": long})), "", NOW))
    assert whole == alert.labels["a"]
    assert len(alert.labels["b"]) == TEXT_CHARACTERS_MAX
    assert alert.labels["b"].endswith(CUT_MARK)
    assert len(alert.title) == TITLE_CHARACTERS_MAX
    assert alert.annotations[NOTE] == "labels cut to 65536 characters; annotations cut to 65536 characters"


def test_long_fingerprints_stay_distinct() -> None:
    """Fingerprints too long to store are told apart by their hash, also when they begin alike."""
    first, second = "f" * 100_000 + "1", "f" * 100_000 + "2"
    parsed = parse(AM, webhook(firing(fingerprint=first), firing(fingerprint=second)), "", NOW)
    one, two = (alert.fingerprint for alert in parsed.alerts)
    assert one != two
    assert max(len(one), len(two)) <= IDENTITY_CHARACTERS_MAX
    assert identity("short") == "short"


def test_too_many_alerts_are_told_not_dropped_in_silence() -> None:
    """Past the limit the first alerts are taken and one rejection says from where on."""
    body = webhook(
        *({"fingerprint": str(n), "startsAt": "2026-10-24T01:06:09Z"} for n in range(ALERTS_PER_BODY_MAX + 5))
    )
    parsed = parse(AM, body, "", NOW)
    assert len(parsed.alerts) == ALERTS_PER_BODY_MAX
    assert [f"/alerts/{ALERTS_PER_BODY_MAX}"] == [item.at for item in parsed.rejected]


@pytest.mark.parametrize("content_type", ["application/json", "application/x-www-form-urlencoded"])
def test_body_over_the_limit_is_refused(content_type: str) -> None:
    """A body over its limit is refused before it is parsed."""
    with pytest.raises(BadInputError, match="E103"):
        parse(PLAIN, b"a" * (BODY_BYTES_MAX + 1), content_type, NOW)


def test_form_with_too_many_fields_is_refused() -> None:
    """A form with more fields than allowed is refused with a sentence."""
    with pytest.raises(BadInputError, match="more than 1000 fields"):
        parse(PLAIN, b"&".join(b"a=1" for _ in range(FORM_FIELDS_MAX + 1)), "application/x-www-form-urlencoded", NOW)


def test_form_field_given_often_is_a_list() -> None:
    """A form field that is given three times reaches the map as a list of three."""
    spec = SourceSpec(name="x", adapter="generic", map={"fingerprint": "$.id", "labels": {"tags": "$.tag[*]"}})
    alert = only(parse(spec, b"id=1&tag=a&tag=b&tag=c", "application/x-www-form-urlencoded", NOW))
    assert alert.labels == {"tags": "a,b,c"}


@pytest.mark.parametrize("value", [True, [1], {"n": 1}, "12 monkeys of 7", 10**400, float("nan"), ""])
def test_facts_that_are_no_numbers_are_told(value: object) -> None:
    """A fact that is no finite number is left out with a note; the alert is not."""
    spec = SourceSpec(name="x", adapter="generic", map={"fingerprint": "$.id", "facts": {"users": {"path": "$.users"}}})
    alert = only(parse(spec, json.dumps({"id": 1, "users": value}).encode(), "", NOW))
    assert alert.values == {}
    assert alert.annotations[NOTE] == "fact users is not a number"


def test_form_keeps_strange_octets_visible() -> None:
    """NUL and octets that are not UTF-8 come out of a form as escapes."""
    alert = only(parse(PLAIN, b"id=a%00b&title=%ff%C3%A9", "application/x-www-form-urlencoded", NOW))
    assert alert.fingerprint == "a\\u0000b"
    assert alert.title == "\\xffé"


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b'{"a":"\xff\xfe"}', {"a": "\\xff\\xfe"}),
        (b'{"a":"\xed\xa0\x80"}', {"a": "\\xed\\xa0\\x80"}),
        (b'{"a\\u0000":["\\u0000"]}', {"a\\u0000": ["\\u0000"]}),
        (b'{"a":"x\x00y"}', {"a": "x\\u0000y"}),
        (b'{"a":"x\ny"}', {"a": "x\ny"}),
        (b'"\\ud83d\\ude00 \\ud83d"', "😀 \\ud83d"),
        (b"1" * 5_000, "1" * 5_000),
        (b"\xef\xbb\xbf[1,true,null,1.5]", [1, True, None, 1.5]),
    ],
    ids=lambda value: ascii(value)[:30],
)
def test_strange_letters_survive_as_escapes(body: bytes, expected: object) -> None:
    """A broken letter costs neither the body nor the database."""
    assert expected == load_json(body)


@pytest.mark.parametrize(
    "body", [b"", b" \n", b"{", b"\xff\xfe{\x00}\x00", b"{} x", b"nope", b"[1,]", b'{"a":1' + b"}" * 9]
)
def test_what_is_no_json_is_told(body: bytes) -> None:
    """No JSON, no alert: E100 with a sentence."""
    with pytest.raises(BadInputError) as caught:
        load_json(body)
    assert caught.value.code == "E100"
    assert caught.value.say.isprintable()


def test_shown_text_is_one_short_line() -> None:
    """Hostile text in a sentence is one printable line of bounded length."""
    text = shown("a\nb\x00\u202e" * 100)
    assert text.isprintable()
    assert len(text) == 121


def test_unknown_adapter_is_told() -> None:
    """A source whose adapter does not exist answers with a sentence, not a traceback."""
    with pytest.raises(BadInputError, match="unknown adapter"):
        parse(SourceSpec(name="x", adapter="zabbix"), b"{}", "", NOW)


@pytest.mark.parametrize(
    "given_map",
    [
        {"title": "$.x"},
        {"fingerprint": 3},
        {"fingerprint": "$.a", "labels": 3},
        {"fingerprint": "$.a", "status": ["$.s"]},
        {"fingerprint": "$.a", "started_at": {"path": "$.t", "format": "julian"}},
        {"fingerprint": "$.a", "severity": {"path": "$.s", "values": {"1": "awful"}}},
        {"fingerprint": "$.a", "facts": {"users": {"unit": "users"}}},
    ],
    ids=str,
)
def test_broken_maps_are_told(given_map: dict[str, object]) -> None:
    """A map that `check` should have refused is told as E107 and never guessed around."""
    with pytest.raises(BadInputError) as caught:
        parse(SourceSpec(name="x", adapter="generic", map=given_map), b'{"a":1}', "", NOW)
    assert caught.value.code == "E107"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda children: st.lists(children, max_size=4) | st.dictionaries(st.text(max_size=8), children, max_size=4),
    max_leaves=12,
)
MEMBER = st.sampled_from(
    [
        "status",
        "labels",
        "annotations",
        "startsAt",
        "endsAt",
        "fingerprint",
        "generatorURL",
        "users",
        "id",
        "severity",
        "title",
    ]
)
ALERT = (
    st.dictionaries(MEMBER, JSON | st.sampled_from(["firing", "resolved", "2026-10-24T01:06:09Z"]), max_size=8) | JSON
)
BODY = st.fixed_dictionaries({"version": st.sampled_from(["4", 4]), "alerts": st.lists(ALERT, max_size=4)}) | ALERT


def check_parse(spec: SourceSpec, body: bytes, content_type: str = "application/json") -> None:
    """Parse, and check what must hold of anything that comes out."""
    parsed, error = Parsed(alerts=()), None
    try:
        parsed = parse(spec, body, content_type, NOW)
    except BadInputError as caught:
        error = caught
    assert error is None or (error.code.startswith("E10") and error.say)
    for alert in parsed.alerts:
        assert alert.fingerprint
        assert alert.title
        assert alert.starts_at.tzinfo is UTC
        texts = [alert.title, alert.summary, alert.fingerprint, *alert.labels.values(), *alert.annotations.values()]
        for text in (*texts, *alert.labels, *alert.annotations, *alert.links.values()):
            assert "\x00" not in text
            text.encode()


@given(BODY, st.sampled_from([AM, PLAIN, MAPPED]))
@settings(max_examples=300, deadline=None)
def test_any_json_gives_alerts_or_an_error(body: object, spec: SourceSpec) -> None:
    """Whatever JSON comes, the answer is alerts that can be stored, or a `BadInputError`."""
    check_parse(spec, json.dumps(body).encode())


@given(
    st.binary(max_size=200),
    st.sampled_from([AM, PLAIN, MAPPED]),
    st.sampled_from(["", "application/x-www-form-urlencoded"]),
)
@settings(max_examples=300, deadline=None)
def test_any_octets_give_alerts_or_an_error(body: bytes, spec: SourceSpec, content_type: str) -> None:
    """Whatever octets come, the answer is alerts that can be stored, or a `BadInputError`."""
    check_parse(spec, body, content_type)


@given(st.data())
@settings(max_examples=200, deadline=None)
def test_a_damaged_body_gives_alerts_or_an_error(data: st.DataObject) -> None:
    """A good body with a few octets changed, lost or doubled never causes another error."""
    body = bytearray(
        webhook(firing(), firing(labels={"ü": "\u0000", "n": 1.5}, annotations={"runbook_url": "https://x"}))
    )
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(body) - 1))
        body[place : place + data.draw(st.integers(0, 2))] = data.draw(st.binary(max_size=2))
    check_parse(AM, bytes(body))


@given(st.text(max_size=40) | st.datetimes(timezones=st.just(UTC)).map(datetime.isoformat))
def test_instant_is_utc_and_sensible_or_none(text: str) -> None:
    """A time is an instant in UTC that deadlines can be reckoned from, or nothing."""
    at = instant(text)
    assert at is None or (at.tzinfo is UTC and 1970 <= at.year <= 2200)
