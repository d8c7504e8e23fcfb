"""What the last look before a send lets through."""

import pytest

from escalatord.core.events import Ack
from escalatord.core.incident import NoticeKind, Via
from escalatord.engine.claiming import still_wanted
from tests.fakes.world import T0, ladder, opened, run, tier, under
from tests.store.samples import attempt

TWO = ladder(tier("ana", "bo", need=2), hash="two")
INCIDENT = run(
    opened(world=under(TWO), policies=(TWO,)), (Ack(person="ana", via=Via.WEB), T0), world=under(TWO)
).incident


@pytest.mark.parametrize("kind", [NoticeKind.PAGE, NoticeKind.REMIND])
def test_a_page_to_who_has_acked_is_no_longer_wanted(kind):
    """Also one that a dead process had begun: nobody took it back, and its lease has ended. Others still get theirs."""
    rows = {who: attempt(who, person=who, kind=kind, track="main") for who in ("ana", "bo")}
    assert not still_wanted(INCIDENT, rows["ana"])
    assert still_wanted(INCIDENT, rows["bo"])


def test_what_is_no_page_goes_out_all_the_same():
    """Answers and call-offs are for those who acked, too."""
    assert still_wanted(INCIDENT, attempt("x", person="ana", kind=NoticeKind.ACKED, track="main"))
