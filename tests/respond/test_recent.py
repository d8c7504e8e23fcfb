"""A bounded memory."""

from escalatord.respond.recent import Recent


def test_the_oldest_entry_goes_when_there_are_too_many() -> None:
    """The memory never grows past its limit, and touching an entry keeps it."""
    recent: Recent[str, int] = Recent(2)
    recent.put("a", 1)
    recent.put("b", 2)
    recent.put("a", 3)
    recent.put("c", 4)
    assert (len(recent), "b" in recent, recent.get("a"), recent.get("b")) == (2, False, 3, None)


def test_dropping_what_is_not_there_is_no_error() -> None:
    """An entry may have been forgotten meanwhile."""
    recent: Recent[str, int] = Recent()
    recent.drop("a")
    assert recent.get("a") is None
