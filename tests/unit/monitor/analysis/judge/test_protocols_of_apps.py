"""Lines that carry no app's own protocol: what fails there is weak, whoever's it is."""

import msgspec
import pytest

from monitor.analysis.judge.protocols_of_apps import none_is_answered
from monitor.analysis.verdict import Evidence, State
from tests.worlds.build import app, case, control, dns, look, repeated, tcp
from tests.worlds.judged import judge

SILENT, CUT = "generic_timeout_error", "connection_reset"
TELEGRAM, WHATSAPP = app(SILENT), app(CUT, protocol="whatsapp")


def test_several_protocols_must_have_been_greeted_and_none_answered() -> None:
    """One protocol alone shows nothing, nor do TLS, calls and the time."""
    over_udp = app(SILENT, protocol="stun"), app(SILENT, protocol="ntp")
    assert none_is_answered([look(TELEGRAM), look(WHATSAPP)])
    assert none_is_answered([look(TELEGRAM, WHATSAPP), look(app(protocol="stun"))])
    for seen in (
        [],
        [look(TELEGRAM), look(TELEGRAM)],
        [look(TELEGRAM), look(*over_udp)],
        [look(TELEGRAM), look(WHATSAPP), look(app())],
        [look(TELEGRAM), look(app(protocol="whatsapp")), look(WHATSAPP)],
        [look(tcp(SILENT)), look(TELEGRAM)],
    ):
        assert not none_is_answered(seen)


@pytest.mark.parametrize("failure", [SILENT, CUT, "unknown_failure: not MTProto"])
def test_what_fails_there_is_never_more_than_weak(failure: str) -> None:
    """A firewall that lets TLS and HTTP alone through looks like a block of each chat."""
    endpoint = "tcp://149.154.167.51:443"
    answered = app(failure, first_reply=0.1 if "unknown" in failure else 0.0)
    tried = repeated(dns(), tcp(), answered, times=4, endpoint=endpoint)
    there = control(dns(), tcp(), app(), endpoint=endpoint)
    alone = case(*tried, endpoint=endpoint, controls=(there,))
    found = judge(alone)
    assert (found.state, found.rule_id) == (State.BLOCKED, "app.middlebox")
    assert found.evidence is Evidence.STRONG
    found = judge(msgspec.structs.replace(alone, no_protocol_of_apps=True))
    assert (found.state, found.evidence) == (State.BLOCKED, Evidence.WEAK)
