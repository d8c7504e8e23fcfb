"""What changes at run time and belongs to no incident."""

from dataclasses import replace

import pytest
from sqlalchemy.exc import IntegrityError

from escalatord.core.schedule import Override
from escalatord.store import runtime
from escalatord.store.rows import DeadLetter, TokenRow
from tests.store.samples import NOW, minutes, policy


def test_a_policy_is_pinned_once(store):
    """What a hash stands for never changes."""
    store.write(lambda tx: tx.pin([policy("one", "aaa"), policy("two", "bbb")]))
    store.write(lambda tx: (tx.pin([policy("other", "aaa")]), tx.pin([])))
    found = store.read(lambda tx: tx.policies(["bbb", "aaa", "ccc"]))
    assert {"aaa": policy("one", "aaa"), "bbb": policy("two", "bbb")} == found


def test_overrides_are_kept_until_they_end(store):
    """An override counts until its end, which is not part of it; later ones come later."""
    ended = Override(schedule="first", person="bo", start=minutes(-9), end=NOW)
    first = Override(schedule="first", person="bo", start=minutes(5), end=minutes(9), why="dentist", by="ana")
    second = Override(schedule="first", person="cy", start=minutes(-5), end=minutes(1))
    store.write(lambda tx: [tx.add_override(each) for each in (ended, first, second)])
    assert [first, second] == store.read(lambda tx: tx.overrides(NOW))


def test_overrides_are_numbered_and_end(store):
    """Each has its number; one that has begun ends, one that has not is forgotten, and what is over stays."""
    begun = Override(schedule="first", person="bo", start=minutes(-5), end=minutes(9))
    ahead = Override(schedule="first", person="cy", start=minutes(5), end=minutes(9))
    assert store.write(lambda tx: [tx.add_override(begun), tx.add_override(ahead)]) == [1, 2]
    assert [each.id for each in store.read(lambda tx: tx.overrides(NOW))] == [1, 2]
    assert store.write(lambda tx: [tx.end_override(number, NOW) for number in (1, 2, 3)]) == [begun, ahead, None]
    assert store.write(lambda tx: tx.end_override(1, NOW)) is None
    assert store.write(lambda tx: tx.end_override(tx.add_override(replace(ahead, start=NOW)), NOW)) is not None
    assert store.read(lambda tx: tx.overrides(minutes(-9))) == [replace(begun, end=NOW)]


def test_unreachable_addresses_come_and_go(store):
    """STOP marks an address as dead, START brings it back; the other addresses are untouched."""
    store.write(lambda tx: [tx.set_unreachable("ana", key, "stop", NOW) for key in ("sms", "sms", "call")])
    assert frozenset({("ana", "sms"), ("ana", "call")}) == store.read(lambda tx: tx.unreachable())
    store.write(lambda tx: (tx.clear_unreachable("ana", "sms"), tx.clear_unreachable("bo", "sms")))
    assert frozenset({("ana", "call")}) == store.read(lambda tx: tx.unreachable())


def letter(source: str = "am") -> DeadLetter:
    """Return a body that nobody could use."""
    return DeadLetter(id=0, at=NOW, source=source, code="E101", at_pointer="/alerts", say="no list", body=b"\x00\xff{")


def test_dead_letters_are_kept_as_they_came(store):
    """The body is kept octet by octet, the newest first."""
    assert store.write(lambda tx: [tx.dead_letter(letter("a")), tx.dead_letter(letter("b"))]) == [1, 2]
    newest = store.read(lambda tx: tx.dead_letters(1))
    assert [(each.source, each.id, each.body, each.at) for each in newest] == [("b", 2, b"\x00\xff{", NOW)]


def test_dead_letters_do_not_fill_the_disk(store, monkeypatch):
    """Past the limit the oldest go."""
    monkeypatch.setattr(runtime, "DEAD_LETTERS_MAX", 3)
    store.write(lambda tx: [tx.dead_letter(letter()) for _ in range(5)])
    assert [each.id for each in store.read(lambda tx: tx.dead_letters(10))] == [5, 4, 3]


def test_settings_are_kept(store):
    """A setting is there until it is set again."""
    assert store.read(lambda tx: tx.setting("ingest")) is None
    store.write(lambda tx: (tx.set_setting("ingest", "on"), tx.set_setting("ingest", "off")))
    assert store.read(lambda tx: tx.setting("ingest")) == "off"


def test_tokens_come_and_go(store):
    """A token is added once by name and removed by name."""
    bo = TokenRow(name="bo", role="viewer", token_hash="h1", created_at=NOW)
    ana = TokenRow(name="ana", role="admin", token_hash="h2", created_at=NOW)
    store.write(lambda tx: (tx.add_token(bo), tx.add_token(ana)))
    assert [ana, bo] == store.read(lambda tx: tx.tokens())
    with pytest.raises(IntegrityError):
        store.write(lambda tx: tx.add_token(ana))
    assert store.write(lambda tx: [tx.remove_token("ana"), tx.remove_token("ana")]) == [True, False]


def test_the_checkpoint_is_the_last_one_set(store):
    """Figures continue from one place."""
    assert store.read(lambda tx: tx.checkpoint()) is None
    store.write(lambda tx: (tx.set_checkpoint(4, {"a": 1}), tx.set_checkpoint(9, {"a": [2.5, None]})))
    assert store.read(lambda tx: tx.checkpoint()) == (9, {"a": [2.5, None]})


def test_settings_are_found_by_how_they_begin(store):
    """By name; others, and those that only hold the word, are left out."""
    for name in ("away/bo", "away/ana", "far/away/cy", "awa"):
        store.write(lambda tx, name=name: tx.set_setting(name, name.upper()))
    found = store.read(lambda tx: tx.settings("away/"))
    assert list(found.items()) == [("away/ana", "AWAY/ANA"), ("away/bo", "AWAY/BO")]
