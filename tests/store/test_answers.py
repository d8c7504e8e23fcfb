"""Reply codes and ack links."""

import pytest

from escalatord.store.rows import CodeRow, LinkRow
from escalatord.store.tx import ConflictError
from tests.store.samples import NOW, minutes


def code(value: str, incident: int, person: str = "ana", **changes) -> CodeRow:
    """Return a code of Ana's technical track."""
    return CodeRow(person=person, code=value, incident=incident, track="technical", **changes)


def test_a_code_stands_for_one_incident(store):
    """A code is found by person, and by person and incident."""
    store.write(lambda tx: tx.assign_codes([code("4", 1), code("7", 2), code("4", 2, "bo")]))
    assert [code("4", 1), code("7", 2)] == store.read(lambda tx: tx.codes_of("ana", NOW))
    assert (code("4", 2, "bo"), None) == store.read(lambda tx: (tx.code_for("bo", 2), tx.code_for("bo", 1)))


def test_a_code_in_use_is_not_given_away(store):
    """One code of one person never means two incidents."""
    store.write(lambda tx: tx.assign_codes([code("4", 1)]))
    with pytest.raises(ConflictError):
        store.write(lambda tx: tx.assign_codes([code("4", 2)]))
    assert [code("4", 1)] == store.read(lambda tx: tx.codes_of("ana", NOW))


def test_a_released_code_rests_for_a_day(store):
    """A late reply still means the old incident; after a day the code is forgotten and free."""
    store.write(lambda tx: (tx.assign_codes([code("4", 1)]), tx.release_codes(1, NOW)))
    day = 24 * 60
    assert [code("4", 1, released_at=NOW)] == store.read(lambda tx: tx.codes_of("ana", minutes(day - 0.001)))
    assert store.read(lambda tx: tx.codes_of("ana", minutes(day))) == []
    store.write(lambda tx: tx.assign_codes([code("4", 2)]))
    assert ([code("4", 2)], None) == store.read(lambda tx: (tx.codes_of("ana", minutes(day)), tx.code_for("ana", 1)))


def test_release_starts_the_rest_once(store):
    """A second release does not make the rest longer, and other incidents keep their codes."""
    store.write(lambda tx: tx.assign_codes([code("4", 1), code("7", 2)]))
    store.write(lambda tx: tx.release_codes(1, NOW))
    store.write(lambda tx: tx.release_codes(1, minutes(30)))
    assert [code("4", 1, released_at=NOW), code("7", 2)] == store.read(lambda tx: tx.codes_of("ana", NOW))


def test_a_code_can_be_changed(store):
    """Assigning again for the same incident replaces the code, and brings a released one back."""
    store.write(lambda tx: tx.assign_codes([code("4", 1, released_at=NOW)]))
    store.write(lambda tx: tx.assign_codes([code("4", 1)]))
    store.write(lambda tx: tx.assign_codes([code("9", 1)]))
    assert [code("9", 1)] == store.read(lambda tx: tx.codes_of("ana", NOW))


def test_a_link_is_found_by_its_hash(store):
    """A link is bound once, for ever."""
    row = LinkRow(token_hash="h1", incident=1, person="ana", channel="sms", track="technical")
    other = LinkRow(token_hash="h1", incident=2, person="eve", channel="sms", track="technical")
    store.write(lambda tx: (tx.add_links([row]), tx.add_links([other])))
    assert (row, None) == store.read(lambda tx: (tx.link("h1"), tx.link("h2")))


def test_nothing_assigned_is_fine(store):
    """Empty lists write nothing."""
    store.write(lambda tx: (tx.assign_codes([]), tx.add_links([])))
    assert store.read(lambda tx: tx.codes_of("ana", NOW)) == []
