"""Twilio's client and signatures: what is forged, shifted or moved is refused."""

import random
from datetime import timedelta

import pytest
from multidict import MultiDict

from escalatord.core.incident import Attempt
from escalatord.core.roster import ChannelKind
from escalatord.errors import DeliveryError
from escalatord.notify.twilio_http import KNOWN_PARAMETERS, TwilioHttp, created, recent, verify
from tests.fakes.http import LocalServer
from tests.fakes.messages import message
from tests.fakes.stepped_clock import SteppedClock
from tests.fakes.twilio import TwilioFake

URL = "https://esc.example.com/callbacks/twilio/status/142.technical.1/0f3c"
ACCOUNT = "AC" + "0" * 32
STATUS = {
    "MessageSid": "SM" + "1" * 32, "SmsSid": "SM" + "1" * 32, "MessageStatus": "delivered", "SmsStatus": "delivered",
    "AccountSid": ACCOUNT, "ApiVersion": "2010-04-01", "From": "+15550100000", "To": "+34600000021",
}  # fmt: skip
REPLY = {
    "MessageSid": "SM" + "2" * 32, "SmsSid": "SM" + "2" * 32, "SmsMessageSid": "SM" + "2" * 32, "Body": "K7 on my way",
    "SmsStatus": "received", "From": "+34600000021", "FromCity": "", "To": "+15550100000", "ToCountry": "US",
    "NumMedia": "0", "NumSegments": "1", "AccountSid": ACCOUNT, "ApiVersion": "2010-04-01",
}  # fmt: skip
KEY = {
    "CallSid": "CA" + "3" * 32, "CallStatus": "in-progress", "Digits": "4", "msg": "Gather End", "From": "+15550100000",
    "To": "+34600000021", "Called": "+34600000021", "Caller": "+15550100000", "Direction": "outbound-api",
    "AccountSid": ACCOUNT, "ApiVersion": "2010-04-01", "FinishedOnKey": "",
}  # fmt: skip
GENUINE = {"status": STATUS, "reply": REPLY, "key": KEY}
FAKE = TwilioFake(now=SteppedClock().now)
every_request = pytest.mark.parametrize("params", GENUINE.values(), ids=GENUINE)


def signature(params, url=URL):
    """Return Twilio's signature, computed by the fake and not by the SDK that checks it."""
    return FAKE.sign(url, params).signature


@every_request
def test_genuine_request_is_believed(params):
    """What Twilio signed for our URL is accepted, as a plain and as a multi-dict."""
    assert verify(FAKE.auth_token, URL, params, signature(params))
    assert verify(FAKE.auth_token, URL, MultiDict(params), signature(params))


@every_request
def test_genuine_request_with_a_new_parameter_is_believed(params):
    """Twilio may add parameters at any time; that must not cost an ack."""
    more = {**params, "BrandNewThing": "x", "FromPlanet": "Earth"}
    assert verify(FAKE.auth_token, URL, more, signature(more))


@pytest.mark.parametrize(
    "url",
    [
        URL.replace("https://esc.example.com", "https://esc.example.com:443"),
        URL.replace("https:", "http:"),
        URL.replace("esc.example.com", "evil.example.com"),
        URL.replace("esc.", "ESC."),
        URL + "/", URL + "?", URL + "?a=1", URL[:-1], URL.replace("/status/", "/voice/"), "", "/callbacks",
    ],
)  # fmt: skip
@every_request
def test_request_signed_for_another_url_is_refused(params, url):
    """Another port, scheme, host or path than the configured one is never ours (T142, T143)."""
    assert not verify(FAKE.auth_token, URL, params, signature(params, url))


@every_request
def test_explicit_port_may_be_left_out_by_the_signer(params):
    """For an external URL with a port both forms are Twilio's; any other port is not."""
    ours = URL.replace("esc.example.com", "esc.example.com:8443")
    assert verify(FAKE.auth_token, ours, params, signature(params, ours))
    assert verify(FAKE.auth_token, ours, params, signature(params, URL))
    assert not verify(FAKE.auth_token, ours, params, signature(params, ours.replace("8443", "443")))


@every_request
def test_every_changed_character_is_refused(params):
    """Changing, adding, dropping or swapping any parameter, or any character of the signature, is found."""
    good = signature(params)
    for name, value in params.items():
        for other in (value + "x", value[:-1], value.swapcase() + " ", "4", ""):
            if other != value:
                assert not verify(FAKE.auth_token, URL, {**params, name: other}, good)
        fewer = {key: kept for key, kept in params.items() if key != name}
        assert not verify(FAKE.auth_token, URL, fewer, good)
    assert not verify(FAKE.auth_token, URL, {**params, "Extra": "1"}, good)
    for at in range(len(good)):
        assert not verify(FAKE.auth_token, URL, params, good[:at] + ("A" if good[at] != "A" else "B") + good[at + 1 :])
    for bad in ("", "=", good + "=", good[:-2], "ñ", good.lower()):
        assert not verify(FAKE.auth_token, URL, params, bad)
    assert not verify("another-token", URL, params, good)


def cut_anew(params):
    """Return every way to move characters between a name and its value, or between neighbours, unseen by the MAC."""
    text = "".join(name + params[name] for name in sorted(params))
    names = sorted(params)
    for index, name in enumerate(names):
        whole = name + params[name]
        for at in range(1, len(whole) + 1):
            if at != len(name):
                yield {**{key: value for key, value in params.items() if key != name}, whole[:at]: whole[at:]}
        if index:
            before = names[index - 1]
            merged = {key: value for key, value in params.items() if key not in {name, before}}
            yield {**merged, before: params[before] + whole}
    chance = random.Random(7)
    for _ in range(500):
        cuts = sorted(chance.sample(range(1, len(text)), chance.randrange(1, 9)))
        pieces = [text[start:end] for start, end in zip([0, *cuts], [*cuts, len(text)], strict=True)]
        yield {piece[: (at := chance.randrange(1, len(piece) + 1))]: piece[at:] for piece in pieces}


@every_request
def test_parameters_cut_anew_are_refused(params):
    """The MAC cannot see `ab=c` become `a=bc`; the shape of a callback can (T142): 100 % of all shifts are refused."""
    good, tried = signature(params), 0
    for shifted in cut_anew(params):
        if shifted != params:
            tried += 1
            assert not verify(FAKE.auth_token, URL, shifted, good), shifted
    assert tried > 500


def test_parameters_cut_anew_have_the_same_mac():
    """The attack is real: without the shape check the signature alone would be believed."""
    assert signature({**STATUS, "Ab": "c"}) == signature({**STATUS, "A": "bc"})


@every_request
def test_repeated_parameter_is_refused(params):
    """No name comes twice, so nobody can choose which of two values is read."""
    name = next(iter(params))
    assert not verify(FAKE.auth_token, URL, MultiDict([*params.items(), (name, params[name])]), signature(params))


def test_random_mutations_of_genuine_requests_are_refused():
    """Five hundred seeded mutations of genuine requests: all refused (S5)."""
    chance = random.Random(20261024)
    for _ in range(500):
        params = dict(chance.choice(list(GENUINE.values())))
        good = signature(params)
        name = chance.choice([name for name in params if params[name]])
        value = params[name]
        at = chance.randrange(len(value))
        changed = value[:at] + chance.choice("abc019+-_ ñ\x00") + value[at + chance.randrange(2) :]
        if changed != value:
            assert not verify(FAKE.auth_token, URL, {**params, name: changed}, good)


def test_known_parameters_are_all_of_ours():
    """Every parameter that the fake sends is a documented one."""
    assert set(STATUS) | set(REPLY) | set(KEY) <= KNOWN_PARAMETERS


@pytest.mark.asyncio
async def test_transport_says_nothing_of_what_it_does(caplog):
    """No request, address or secret reaches a log of the client (the SDK's own transport writes them)."""
    caplog.set_level(0)
    async with LocalServer() as server:
        http = TwilioHttp(base_url=server.url, timeout_seconds=1.0)
        number = {"To": "+34600000021"}
        await http.request("POST", "https://api.twilio.com/x", data=number, params=number, auth=("a", "b"))
        await http.close()
        assert server.requests[0].path == "/x"
    assert [record for record in caplog.records if record.name.startswith(("twilio", "escalatord"))] == []


class Row:
    """A row as the SDK gives it."""

    def __init__(self, **columns):
        self.sid, self.status, self.error_code, self.date_created = "SM1", "queued", None, None
        self.__dict__.update(columns)


def test_row_older_than_the_attempt_is_another_one():
    """A row created more than the clocks may differ before the attempt was due is not it."""
    due = SteppedClock().now()
    page = message(since=due)
    assert recent(Row(date_created=due), page)
    assert recent(Row(date_created=due - timedelta(seconds=60)), page)
    assert not recent(Row(date_created=due - timedelta(seconds=61)), page)
    assert recent(Row(), page)
    assert recent(Row(date_created=due), message())


def test_row_that_failed_at_once_is_an_error():
    """A create that comes back as failed is told as a failure, with its permanence."""
    with pytest.raises(DeliveryError) as caught:
        created(ChannelKind.SMS, Row(status="failed", error_code=30006))
    assert (caught.value.reason, caught.value.permanent) == ("bad_address", True)
    with pytest.raises(DeliveryError) as caught:
        created(ChannelKind.SMS, Row(status="failed", error_code=30001))
    assert not caught.value.permanent
    assert created(ChannelKind.SMS, Row()).status is Attempt.ACCEPTED
