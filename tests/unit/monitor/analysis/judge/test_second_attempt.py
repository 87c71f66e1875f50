"""What calls for another look in the same cycle, and what does not."""

from monitor.analysis.judge.second_attempt import same_page_as_control, suspicious
from tests.worlds.build import V4, V6, control, dns, http, look, tcp, tls

BOTH = ("ipv4", "ipv6")
PLAIN = "http://x.com/"


def test_a_cleartext_page_like_the_controls_needs_no_second_look() -> None:
    """It can never be trusted by itself; once compared, nothing is left to ask."""
    page = look(dns(), tcp(), http(url=PLAIN, title="News of today"), endpoint=PLAIN)
    assert suspicious(page, BOTH)
    same = control(dns(), tcp(), http(url=PLAIN, title="News of today"), endpoint=PLAIN)
    other = control(dns(), tcp(), http(url=PLAIN, status=403, length=9), endpoint=PLAIN)
    assert same_page_as_control(page, [same])
    assert not same_page_as_control(page, [other])


def test_a_family_that_fails_is_looked_at_again_though_the_page_is_right() -> None:
    """The page over one family says nothing of the other, however like the control's it is."""
    v6 = (dns(rtype="AAAA", addresses=(V6,)), tcp(address=V6), tls("connection_reset", address=V6))
    seen = look(dns(), tcp(), tls(), *v6, http(address=V4), reached=True)
    assert suspicious(seen, BOTH)
    assert not suspicious(seen, ("ipv4",))
    assert not same_page_as_control(seen, [control(dns(), tcp(), tls(), http())])
