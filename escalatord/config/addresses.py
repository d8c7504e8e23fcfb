"""Addresses of people and settings of channels: references followed, numbers checked, secrets wrapped.

Phone numbers are `+` and E.164. One that no numbering plan allows is an error; one that the current plans do not list
is a warning, because plans change every two weeks. Findings never repeat a number.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

import phonenumbers

from escalatord.config.schema_wiring import KIND_OF_WORD, PROVIDERS, ChannelPart
from escalatord.config.secrets import FILE_PREFIX, Secret, Values, unresolved
from escalatord.config.sections import Entry, Sections
from escalatord.core.calendar import Calendar
from escalatord.core.roster import ChannelKind, ChannelSpec
from escalatord.core.schedule import Feed
from escalatord.errors import Finding

ADDRESS_KEYS = ("sms", "call", "slack", "email")
PHONE_KEYS = ("sms", "call")
E164 = re.compile(r"\+[1-9][0-9]{6,14}", re.ASCII)
MAIL = re.compile(r"[^@\s,;<>\"]{1,64}@[^@\s,;<>\"]{1,253}")
FIX_PHONE = 'write + and the country: "+34600000001"'
FIX_SECRET = "put it in a file and write file:NAME"  # noqa: S105 - a sentence about secrets, not one


@dataclass(slots=True)
class Wiring:
    """What came of people's addresses, channels' settings, sources' tokens, calendars and schedules' feeds."""

    addresses: dict[str, dict[str, str]] = field(default_factory=dict)
    channels: dict[str, ChannelSpec] = field(default_factory=dict)
    token_hashes: dict[str, tuple[str, ...]] = field(default_factory=dict)
    bearer: Secret | str = ""
    calendars: dict[str, Calendar] = field(default_factory=dict)
    feeds: dict[str, Feed] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)


def wire(sections: Sections, values: Values) -> Wiring:
    """Return addresses, channels and token hashes of every valid entry, with what is wrong about them."""
    wiring = Wiring()
    for entry in sections.valid("channels"):
        _channel(entry, values, wiring)
    for entry in sections.valid("people"):
        wiring.addresses[entry.name] = _addresses(entry, values, wiring.findings)
    for entry in sections.valid("sources"):
        _tokens(entry, values, wiring)
    for entry in sections.valid("prometheus"):
        _bearer(entry, values, wiring)
    own = {
        number: spec.name
        for spec in wiring.channels.values()
        if spec.kind in (ChannelKind.SMS, ChannelKind.CALL)
        for number in [str(spec.settings.get("from", ""))]
        if number
    }
    for entry in sections.valid("people"):
        for key in PHONE_KEYS:
            channel = own.get(wiring.addresses[entry.name].get(key, ""))
            if channel:
                say = f"this is the number that channel {channel} sends from: it would answer itself"
                wiring.findings.append(entry.find("E028", say, key, fix="give the person's own number"))
    return wiring


def kind_of(name: str, part: ChannelPart) -> ChannelKind | None:
    """Return the kind of a channel: as given, else what its name begins with; None when neither says it."""
    if part.kind is not None:
        return ChannelKind(part.kind)
    return KIND_OF_WORD.get(name.partition("_")[0])


def masked(number: str) -> str:
    """Return a phone number as it may be shown."""
    return f"…{number[-2:]}"


def _phone(entry: Entry, key: str, number: str) -> Finding | None:
    """Return what is wrong with a phone number."""
    if not number.startswith("+") or not E164.fullmatch(number):
        return entry.find(
            "E026", f"`{key}` {masked(number)} is not a phone number with + and country", key, fix=FIX_PHONE
        )
    try:
        parsed = phonenumbers.parse(number, None)
    except phonenumbers.NumberParseException:
        return entry.find("E026", f"`{key}` {masked(number)} has no country that exists", key, fix=FIX_PHONE)
    if not phonenumbers.is_possible_number(parsed):
        return entry.find("E026", f"`{key}` {masked(number)} is not possible in its country", key, fix=FIX_PHONE)
    if not phonenumbers.is_valid_number(parsed):
        say = f"`{key}` {masked(number)} is in no range its country is known to use"
        return entry.find("W045", say, key, fix="check it, or prove it with a test message")
    return None


def _addresses(entry: Entry, values: Values, findings: list[Finding]) -> dict[str, str]:
    found: dict[str, str] = {}
    for key in ADDRESS_KEYS:
        text = getattr(entry.part, key)
        if text is None:
            continue
        try:
            address = values.plain(text)
        except ValueError as error:
            findings.append(entry.find("E027", f"`{key}`: {error}", key))
            continue
        found[key] = address
        if unresolved(address):
            continue
        problem = _phone(entry, key, address) if key in PHONE_KEYS else None
        if key == "email" and not MAIL.fullmatch(address):
            problem = entry.find("E026", "`email` is not a mail address", key, fix="write it like ana@example.com")
        if problem is not None:
            findings.append(problem)
    return found


def _channel(entry: Entry, values: Values, wiring: Wiring) -> None:
    part: ChannelPart = entry.part
    word = str(getattr(part, "provider", ""))
    provider = PROVIDERS[word]
    kind = kind_of(entry.name, part)
    if kind is None:
        fix = f"add kind: one of {', '.join(provider.address_keys)}"
        wiring.findings.append(entry.find("E012", f'the name "{entry.name}" does not say its kind', fix=fix, key=True))
        return
    if kind not in provider.address_keys:
        fix = f"{word} serves {', '.join(provider.address_keys)}"
        wiring.findings.append(entry.find("E029", f"{word} cannot be a {kind} channel", "provider", fix=fix))
        return
    wiring.channels[entry.name] = ChannelSpec(
        name=entry.name,
        kind=kind,
        provider="sim" if word == "simulated" else word,
        address_key=provider.address_keys[kind],
        receipts=kind in provider.receipts,
        settings=_settings(entry, part, values, wiring.findings),
        cost=part.cost,
    )


def _settings(entry: Entry, part: ChannelPart, values: Values, findings: list[Finding]) -> Mapping[str, object]:
    """Return a channel's settings with references followed; only what is given stands in it."""
    settings: dict[str, object] = {}
    given = part.model_dump(by_alias=True, exclude_unset=True, exclude={"kind", "provider", "timeout", "cost"})
    for key, value in given.items():
        try:
            if key in part.secrets:
                settings[key] = _secret(entry, str(value), values, findings, key)
            elif key == "headers":
                settings[key] = {name: _header(text, values) for name, text in value.items()}
            else:
                settings[key] = values.plain(value) if isinstance(value, str) else value
        except ValueError as error:
            findings.append(entry.find("E027", f"`{key}`: {error}", key, fix=FIX_SECRET if key in part.secrets else ""))
    if part.timeout is not None:
        settings["timeout_seconds"] = str(part.timeout)
    number = settings.get("from")
    # Twilio also sends from short codes and names; only what claims to be a number is checked as one
    if isinstance(number, str) and number.startswith("+"):
        problem = _phone(entry, "from", number)
        if problem is not None and problem.level == "error":
            findings.append(problem)
    return settings


def _header(text: str, values: Values) -> object:
    """Return a header's value; one from a file is a secret (`Authorization` usually is)."""
    return values.secret(text) if text.startswith(FILE_PREFIX) else values.plain(text)


def _secret(entry: Entry, text: str, values: Values, findings: list[Finding], *at: str | int) -> Secret:
    secret = values.secret(text)
    if not text.startswith(FILE_PREFIX):
        findings.append(entry.find("W044", "a secret stands in the rules", *at, fix=FIX_SECRET))
    return secret


def _tokens(entry: Entry, values: Values, wiring: Wiring) -> None:
    auth = entry.part.auth
    hashes: list[str] = []
    for index, text in enumerate(auth.bearer if auth else ()):
        try:
            secret = _secret(entry, text, values, wiring.findings, "auth", "bearer", index)
        except ValueError as error:
            wiring.findings.append(entry.find("E027", f"`bearer`: {error}", "auth", "bearer", index, fix=FIX_SECRET))
            continue
        hashes.append(secret.sha256())
    wiring.token_hashes[entry.name] = tuple(hashes)


def _bearer(entry: Entry, values: Values, wiring: Wiring) -> None:
    if entry.part.bearer is not None:
        try:
            wiring.bearer = _secret(entry, entry.part.bearer, values, wiring.findings, "bearer")
        except ValueError as error:
            wiring.findings.append(entry.find("E027", f"`bearer`: {error}", "bearer", fix=FIX_SECRET))
