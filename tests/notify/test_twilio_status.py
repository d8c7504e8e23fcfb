"""Twilio's words and numbers: the whole tables."""

from itertools import permutations

import pytest

from escalatord.core.incident import Attempt
from escalatord.core.roster import ChannelKind
from escalatord.errors import DeliveryReason
from escalatord.notify.twilio_status import CALL_STATUSES, ERROR_CODES, SMS_STATUSES, refusal, twilio_status

SMS = {
    "accepted": Attempt.ACCEPTED, "scheduled": Attempt.ACCEPTED, "queued": Attempt.ACCEPTED,
    "sending": Attempt.ACCEPTED, "sent": Attempt.ACCEPTED, "partially_delivered": Attempt.ACCEPTED,
    "receiving": Attempt.ACCEPTED, "received": Attempt.ACCEPTED, "delivered": Attempt.DELIVERED,
    "read": Attempt.DELIVERED, "undelivered": Attempt.FAILED_PERMANENT, "failed": Attempt.FAILED_PERMANENT,
    "canceled": Attempt.FAILED_PERMANENT,
}  # fmt: skip
CALL = {
    "queued": (Attempt.ACCEPTED, ""), "initiated": (Attempt.ACCEPTED, ""), "ringing": (Attempt.ACCEPTED, ""),
    "in-progress": (Attempt.ACCEPTED, ""), "completed": (Attempt.FAILED_PERMANENT, "no_key"),
    "busy": (Attempt.FAILED_PERMANENT, "busy"), "no-answer": (Attempt.FAILED_PERMANENT, "no_answer"),
    "failed": (Attempt.FAILED_PERMANENT, "unreachable"), "canceled": (Attempt.FAILED_PERMANENT, "no_answer"),
}  # fmt: skip


def test_sms_table_is_the_whole_table():
    """All 13 message statuses are known and mean what is written here."""
    assert len(SMS) == 13
    assert dict(SMS_STATUSES) == SMS


@pytest.mark.parametrize(("status", "attempt"), SMS.items())
def test_sms_status_ends_a_wait_only_when_it_arrived_or_failed(status, attempt):
    """Accepted and sent are never delivered (T6)."""
    receipt = twilio_status(ChannelKind.SMS, status, provider_id="SM1")
    reason = "undelivered" if attempt is Attempt.FAILED_PERMANENT else ""
    assert (attempt, reason, "SM1") == (receipt.status, receipt.reason, receipt.provider_id)


@pytest.mark.parametrize(("status", "meant"), CALL.items())
def test_call_status_without_a_key_reaches_nobody(status, meant):
    """No end of a call counts as reached without a key: voicemail completes too (T103, T110)."""
    receipt = twilio_status(ChannelKind.CALL, status)
    assert meant == (receipt.status, receipt.reason)
    assert set(CALL) == set(CALL_STATUSES)


@pytest.mark.parametrize("status", CALL)
def test_call_status_with_a_key_is_a_delivery_once_the_call_is_over(status):
    """Whoever pressed a key was reached, whatever the end of the call is called."""
    receipt = twilio_status(ChannelKind.CALL, status, key_pressed=True)
    alive = status in {"queued", "initiated", "ringing", "in-progress"}
    assert (Attempt.ACCEPTED if alive else Attempt.DELIVERED) is receipt.status
    assert receipt.reason == ""


@pytest.mark.parametrize("kind", [ChannelKind.SMS, ChannelKind.CALL])
@pytest.mark.parametrize("status", ["", "DELIVERED", "teleported", "delivered "])
def test_unknown_word_moves_nothing(kind, status):
    """A word that Twilio may invent later is not taken for a delivery or a failure."""
    assert twilio_status(kind, status).status is Attempt.ACCEPTED


@pytest.mark.parametrize(
    ("code", "reason", "permanent"),
    [
        (20003, "auth", True), (20429, "rate_limited", False), (21211, "bad_address", True),
        (21610, "opted_out", True), (21614, "bad_address", True), (21606, "not_configured", True),
        (21609, "not_configured", True), (21408, "unreachable", True), (21611, "rate_limited", False),
        (30001, "rate_limited", False), (30003, "unreachable", True), (30004, "unreachable", True),
        (30005, "bad_address", True), (30006, "bad_address", True), (30007, "undelivered", True),
        (30008, "undelivered", True), (30032, "undelivered", True), (30034, "undelivered", True),
        (30036, "undelivered", True), (13224, "bad_address", True),
    ],
)  # fmt: skip
def test_error_code_means_the_same_refused_or_reported(code, reason, permanent):
    """A code gives one reason, whether the create was refused with it or a callback brought it."""
    error = refusal(400, code)
    assert (reason, permanent, False) == (error.reason, error.permanent, error.unknown)
    receipt = twilio_status(ChannelKind.SMS, "undelivered", code)
    attempt = Attempt.FAILED_PERMANENT if permanent else Attempt.FAILED_TEMPORARY
    assert (attempt, reason) == (receipt.status, receipt.reason)


@pytest.mark.parametrize("code", ERROR_CODES)
def test_error_code_cannot_undo_a_delivery(code):
    """A delivered message stays delivered, whatever number comes with it."""
    assert twilio_status(ChannelKind.SMS, "delivered", code) == twilio_status(ChannelKind.SMS, "delivered")


@pytest.mark.parametrize(("status", "reason"), [(401, DeliveryReason.AUTH), (500, DeliveryReason.SERVER_ERROR)])
@pytest.mark.parametrize("code", [None, 0, 99999, "21211"])
def test_unknown_error_code_falls_back_to_the_status(status, reason, code):
    """A code that is not in the table, or no number, leaves the HTTP status to speak."""
    assert refusal(status, code).reason is reason


def test_every_order_of_receipts_has_at_most_one_end():
    """In any order of a text's statuses exactly one of them ends the wait."""
    for order in permutations(["queued", "sending", "sent", "delivered"]):
        ends = [status for status in order if twilio_status(ChannelKind.SMS, status).status is not Attempt.ACCEPTED]
        assert ends == ["delivered"]
