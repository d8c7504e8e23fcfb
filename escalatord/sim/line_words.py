"""Words for what happens in a story, and what is not worth a line."""

from collections.abc import Mapping

from escalatord.core.grouping import AdmissionKind
from escalatord.core.incident import Attempt, NoticeKind, Reason

PAGING = frozenset({NoticeKind.PAGE, NoticeKind.REMIND, NoticeKind.LAST_RESORT})
FAILED = frozenset({Attempt.FAILED_TEMPORARY, Attempt.FAILED_PERMANENT})
BEHIND_THE_SCENES = frozenset({"delivery", "first_paged", "track_started", "exhausted"})
NOTICES: Mapping[NoticeKind, str] = {
    NoticeKind.ACKED: "told that it is in hand",
    NoticeKind.STAND_DOWN: "stood down",
    NoticeKind.ACK_QUESTION: "asked",
    NoticeKind.STATUTORY: "told of the legal clock",
    NoticeKind.MILESTONE: "told what is due",
    NoticeKind.HANDOVER: "told at the start of the shift",
    NoticeKind.PAGE: "tried again",
    NoticeKind.REMIND: "tried again",
    NoticeKind.LAST_RESORT: "tried again",
    NoticeKind.DIGEST: "told of several in one message",
}
NOT_JUDGED: Mapping[str, str] = {
    AdmissionKind.RESOLVED: "resolved",
    AdmissionKind.UNCHANGED: "known already",
    AdmissionKind.LATE_COPY: "a late copy of what is over",
    AdmissionKind.UNKNOWN_RESOLVE: "resolved, and it never fired",
}
LEFT_BECAUSE: Mapping[str, str] = {
    Reason.TIMEOUT: "tier {before} timed out → ",
    Reason.NOT_REACHED: "tier {before} reached nobody → ",
    Reason.PASSED_ON: "passed on → ",
    Reason.MANUAL: "by hand → ",
    Reason.NOBODY_ON_CALL: "nobody on call → ",
    Reason.MILESTONE: "milestone → ",
}
