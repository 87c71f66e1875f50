"""Which endpoints are greeted in another form, and for how long."""

import random

import msgspec
import pytest

from monitor.analysis.judge.judge_case import judge
from monitor.analysis.verdict import VantageState, Verdict
from monitor.measuring.hellos import Hellos
from probes.catalog.endpoint_text import parse_endpoint
from probes.measure.follow_up_reasons import Reason
from probes.measurement import Measurement
from probes.vantage import Egress, EgressKind, Profile, VantagePoint
from tests.worlds.build import case, follow_up, health, look, repeated, tls

VANTAGE = VantagePoint(id="khi-ptcl", country="PK")
ENDPOINTS = tuple(
    map(parse_endpoint, ("https://x.com/", "tls://api.x.com", "tcp://203.0.113.9:443", "dns:x.com"))
)
INNOCUOUS = follow_up(Reason.OTHER_HELLO_INNOCUOUS, tls(server_name="innocuous.example"))


def greeted(failure: str | None = None) -> Measurement:
    """A measurement of x.com that greeted it in the other form too."""
    other = follow_up(Reason.OTHER_HELLO, tls(failure)).observations
    return look(tls(), *other, *INNOCUOUS.observations, reached=True)


def verdict(failure: str | None = None) -> Verdict:
    """What such measurements come to."""
    return judge(case(*repeated(*greeted(failure).observations, times=4, reached=True)))


def drawn(hellos: Hellos) -> frozenset[str]:
    """What a cycle of the vantage greets otherwise."""
    return hellos.draw(VANTAGE, health(), ENDPOINTS)


def test_what_speaks_tls_is_drawn_by_chance() -> None:
    """About the share, and nothing that is asked without TLS."""
    hellos = Hellos(random.Random(1), 0.25)
    found = [drawn(hellos) for _ in range(400)]
    assert frozenset().union(*found) == {"https://x.com/", "tls://api.x.com:443"}
    assert 140 < sum(map(len, found)) < 260


@pytest.mark.parametrize(
    ("vantage", "state"),
    [
        (msgspec.structs.replace(VANTAGE, profile=Profile.QUIET), VantageState.OK),
        (
            msgspec.structs.replace(
                VANTAGE, egress=Egress(kind=EgressKind.SOCKS5, proxy_host="192.0.2.1")
            ),
            VantageState.OK,
        ),
        (VANTAGE, VantageState.LOSSY),
    ],
    ids=["quiet", "proxied", "lossy"],
)
def test_who_greets_in_one_form_only(vantage: VantagePoint, state: VantageState) -> None:
    """A quiet vantage must not stand out; others could not tell what they would see."""
    assert Hellos(random.Random(1), 1.0).draw(vantage, health(state), ENDPOINTS) == frozenset()


def test_what_was_blocked_is_greeted_in_every_cycle_until_it_works() -> None:
    """Else the cycles in between would say ok, and no event would come of it."""
    hellos = Hellos(random.Random(1), 0.0)
    assert drawn(hellos) == frozenset()
    cut = verdict("connection_reset")
    assert cut.rule_id == "tls.short_hello"
    hellos.learn(VANTAGE.id, [greeted("connection_reset")], [cut])
    assert drawn(hellos) == {"https://x.com/"}
    hellos.learn(VANTAGE.id, [look(tls(), reached=True)], [])
    assert drawn(hellos) == {"https://x.com/"}, "a cycle that did not ask tells nothing"
    hellos.learn(VANTAGE.id, [greeted()], [verdict()])
    assert drawn(hellos) == frozenset()


def test_a_new_process_continues() -> None:
    """From the newest stored verdicts, or from the runner of earlier settings."""
    before, after = Hellos(random.Random(1), 0.0), Hellos(random.Random(1), 0.0)
    before.remember([verdict("connection_reset")])
    assert drawn(before) == {"https://x.com/"}
    after.inherit(before, [VANTAGE.id])
    assert drawn(after) == {"https://x.com/"}
    after.inherit(before, ["another"])
    assert drawn(after) == frozenset()
