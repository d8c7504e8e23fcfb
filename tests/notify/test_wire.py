"""What channels share: secrets, legible text, failures."""

import json

import aiohttp
import pytest
from hypothesis import given
from hypothesis import strategies as st

from escalatord.errors import DeliveryReason
from escalatord.notify.wire import from_status, from_trouble, legible, masked, one_line, reveal
from tests.fakes.messages import Secret

ANY_TEXT = st.text(st.characters(), max_size=200) | st.lists(st.integers(0, 0x10FFFF), max_size=60).map(
    lambda points: "".join(map(chr, points))
)


@pytest.mark.parametrize(
    ("value", "shown"), [("plain", "plain"), (Secret("deep"), "deep"), (None, ""), (5, "5"), ("", "")]
)
def test_setting_is_revealed_whatever_holds_it(value, shown):
    """A plain string and a secret come out alike."""
    assert shown == reveal(value)


@pytest.mark.parametrize(("address", "shown"), [("+34600000021", "…21"), ("1234", "…"), ("", "…"), ("12345", "…45")])
def test_address_is_masked(address, shown):
    """Two characters are shown, and none of an address so short that they would give it away."""
    assert shown == masked(address)


@given(ANY_TEXT)
def test_legible_text_can_be_written_anywhere(text):
    """Any string of Python's comes out as valid UTF-8 without control characters; printable text is untouched."""
    out = legible(text)
    assert out == out.encode().decode()
    assert not any(ord(each) < 32 and each not in "\n\t" for each in out)
    assert out == legible(out)
    if text.isprintable():
        assert text == out


@given(ANY_TEXT)
def test_one_line_is_one_line(text):
    """Nothing in it can end a header."""
    assert len(one_line(text).splitlines()) <= 1


@pytest.mark.parametrize(
    ("trouble", "reason", "permanent", "unknown"),
    [
        (aiohttp.ConnectionTimeoutError("secret"), DeliveryReason.TIMEOUT, False, False),
        (aiohttp.SocketTimeoutError("secret"), DeliveryReason.TIMEOUT, False, True),
        (TimeoutError("secret"), DeliveryReason.TIMEOUT, False, True),
        (aiohttp.InvalidURL("secret"), DeliveryReason.NOT_CONFIGURED, True, False),
        (aiohttp.ServerDisconnectedError("secret"), DeliveryReason.NETWORK, False, True),
        (ConnectionResetError("secret"), DeliveryReason.NETWORK, False, True),
        (aiohttp.ClientPayloadError("secret"), DeliveryReason.NETWORK, False, True),
        (json.JSONDecodeError("secret", "secret", 0), DeliveryReason.SERVER_ERROR, False, True),
        (RecursionError("secret"), DeliveryReason.SERVER_ERROR, False, True),
    ],
)
def test_trouble_is_named_and_its_words_are_left_out(trouble, reason, permanent, unknown):
    """An exception gives its reason and whether the message may have been taken; its text stays behind."""
    error = from_trouble("twilio", trouble)
    assert (reason, permanent, unknown) == (error.reason, error.permanent, error.unknown)
    assert "secret" not in str(error)


def test_trouble_that_is_told_already_stays_as_it_is():
    """A DeliveryError passes through."""
    told = from_status("slack", 429)
    assert told is from_trouble("slack", told)
    assert str(told) == "slack answered 429: rate limited"
    assert "redirects are not followed" in str(from_status("slack", 302))
