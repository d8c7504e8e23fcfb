"""What Twilio's words mean: message and call statuses to attempt states, error codes to reasons. Pure.

Two rules stand above the tables. Only `delivered` and `read` say that a text arrived; everything before that is
`accepted` and lets the receipt timer run. A call is reached only by a key: `completed` also means voicemail, screening
and a dropped call, so without a key it is a failure, and the next contact method starts at once.

An `undelivered` or `failed` text is permanent whatever its code, 30008 (unknown) included: the same text to the same
phone is not tried again while another way to reach the person is open. The one exception is 30001 (the provider's own
queue was full), which says nothing about the phone.

Sources: Twilio's pages "Message resource", "Call resource" and "Error and warning dictionary".
"""

from collections.abc import Mapping

from escalatord.core.incident import Attempt
from escalatord.core.roster import ChannelKind
from escalatord.errors import DeliveryError, DeliveryReason
from escalatord.notify.channel import Receipt
from escalatord.notify.wire import from_status

SMS_STATUSES: Mapping[str, Attempt] = {
    "accepted": Attempt.ACCEPTED,
    "scheduled": Attempt.ACCEPTED,
    "queued": Attempt.ACCEPTED,
    "sending": Attempt.ACCEPTED,
    "sent": Attempt.ACCEPTED,
    # Not all of it arrived: go on waiting for `delivered`, and let the receipt timer decide.
    "partially_delivered": Attempt.ACCEPTED,
    # Statuses of texts to us; in a receipt they prove nothing.
    "receiving": Attempt.ACCEPTED,
    "received": Attempt.ACCEPTED,
    "delivered": Attempt.DELIVERED,
    "read": Attempt.DELIVERED,
    "undelivered": Attempt.FAILED_PERMANENT,
    "failed": Attempt.FAILED_PERMANENT,
    "canceled": Attempt.FAILED_PERMANENT,
}
CALL_STATUSES: Mapping[str, tuple[Attempt, DeliveryReason | None]] = {
    "queued": (Attempt.ACCEPTED, None),
    "initiated": (Attempt.ACCEPTED, None),
    "ringing": (Attempt.ACCEPTED, None),
    "in-progress": (Attempt.ACCEPTED, None),
    "completed": (Attempt.FAILED_PERMANENT, DeliveryReason.NO_KEY),
    "busy": (Attempt.FAILED_PERMANENT, DeliveryReason.BUSY),
    "no-answer": (Attempt.FAILED_PERMANENT, DeliveryReason.NO_ANSWER),
    "failed": (Attempt.FAILED_PERMANENT, DeliveryReason.UNREACHABLE),
    "canceled": (Attempt.FAILED_PERMANENT, DeliveryReason.NO_ANSWER),
}
CALLS_ALIVE = frozenset(status for status, (attempt, _) in CALL_STATUSES.items() if attempt is Attempt.ACCEPTED)

PERMANENT, TEMPORARY = True, False
ERROR_CODES: Mapping[int, tuple[DeliveryReason, bool]] = {
    20003: (DeliveryReason.AUTH, PERMANENT),
    20005: (DeliveryReason.AUTH, PERMANENT),
    20008: (DeliveryReason.AUTH, PERMANENT),
    20429: (DeliveryReason.RATE_LIMITED, TEMPORARY),
    20500: (DeliveryReason.SERVER_ERROR, TEMPORARY),
    20503: (DeliveryReason.SERVER_ERROR, TEMPORARY),
    13224: (DeliveryReason.BAD_ADDRESS, PERMANENT),  # dialled an invalid number
    21211: (DeliveryReason.BAD_ADDRESS, PERMANENT),  # not a phone number
    21214: (DeliveryReason.UNREACHABLE, PERMANENT),  # the number cannot be reached
    21215: (DeliveryReason.UNREACHABLE, PERMANENT),  # calls to this country are not enabled
    21216: (DeliveryReason.UNREACHABLE, PERMANENT),  # calls to this number are blocked
    21217: (DeliveryReason.BAD_ADDRESS, PERMANENT),  # not a phone number (calls)
    21265: (DeliveryReason.BAD_ADDRESS, PERMANENT),  # a short code
    21266: (DeliveryReason.BAD_ADDRESS, PERMANENT),  # the sender's own number
    21408: (DeliveryReason.UNREACHABLE, PERMANENT),  # texts to this country are not enabled
    21603: (DeliveryReason.NOT_CONFIGURED, PERMANENT),  # no sender
    21606: (DeliveryReason.NOT_CONFIGURED, PERMANENT),  # the sender is not ours
    21608: (DeliveryReason.UNREACHABLE, PERMANENT),  # a trial account and an unverified number
    # Never answered by leaving the callback out: a text without receipts would be a text nobody watches.
    21609: (DeliveryReason.NOT_CONFIGURED, PERMANENT),
    21610: (DeliveryReason.OPTED_OUT, PERMANENT),  # the reader sent STOP
    21611: (DeliveryReason.RATE_LIMITED, TEMPORARY),  # the sender's queue is full
    21612: (DeliveryReason.UNREACHABLE, PERMANENT),  # no route
    21614: (DeliveryReason.BAD_ADDRESS, PERMANENT),  # not a mobile number
    30001: (DeliveryReason.RATE_LIMITED, TEMPORARY),  # queue overflow
    30002: (DeliveryReason.AUTH, PERMANENT),  # account suspended
    30003: (DeliveryReason.UNREACHABLE, PERMANENT),  # handset off
    30004: (DeliveryReason.UNREACHABLE, PERMANENT),  # blocked
    30005: (DeliveryReason.BAD_ADDRESS, PERMANENT),  # unknown handset
    30006: (DeliveryReason.BAD_ADDRESS, PERMANENT),  # landline
    30007: (DeliveryReason.UNDELIVERED, PERMANENT),  # filtered by the carrier
    30008: (DeliveryReason.UNDELIVERED, PERMANENT),  # unknown
    30032: (DeliveryReason.UNDELIVERED, PERMANENT),  # unverified toll-free sender
    30034: (DeliveryReason.UNDELIVERED, PERMANENT),  # unregistered sender (United States)
    30036: (DeliveryReason.UNDELIVERED, PERMANENT),  # validity period expired
}


def twilio_status(
    kind: ChannelKind, status: str, error_code: int | None = None, *, key_pressed: bool = False, provider_id: str = ""
) -> Receipt:
    """Return what a status means for an attempt by text (`SMS`) or by call (`CALL`).

    A word not in the tables is `ACCEPTED`: it moves nothing, and the receipt timer goes on. `key_pressed` says that
    somebody pressed a key during this call; then an end of the call is a delivery.
    """
    if kind is ChannelKind.CALL:
        attempt, reason = CALL_STATUSES.get(status, (Attempt.ACCEPTED, None))
        if attempt is Attempt.FAILED_PERMANENT and key_pressed:
            attempt, reason = Attempt.DELIVERED, None
    else:
        attempt = SMS_STATUSES.get(status, Attempt.ACCEPTED)
        reason = DeliveryReason.UNDELIVERED if attempt is Attempt.FAILED_PERMANENT else None
    if reason is not None and error_code is not None and error_code in ERROR_CODES:
        reason, permanent = ERROR_CODES[error_code]
        attempt = Attempt.FAILED_PERMANENT if permanent else Attempt.FAILED_TEMPORARY
    return Receipt(status=attempt, provider_id=provider_id, reason=reason.value if reason else "")


def refusal(status: int, error_code: int | None) -> DeliveryError:
    """Return what a refused request means: by its error code where that is known, else by its HTTP status."""
    if error_code is not None and error_code in ERROR_CODES:
        reason, permanent = ERROR_CODES[error_code]
        say = f"twilio refused with error {error_code}: {reason.value.replace('_', ' ')}"
        return DeliveryError(reason, say, permanent=permanent)
    return from_status("twilio", status)
