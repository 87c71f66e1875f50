"""What Globalping's texts come to, and how its answers are read."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.following.globalping_results import fetched, looked_up, usable
from monitor.following.second_opinion import not_before
from monitor.sources.fault import SourceFault
from monitor.sources.globalping_client import (
    Answer,
    Certificate,
    GlobalpingClient,
    Question,
    Result,
    places,
)
from monitor.sources.scripted_globalping import FREE, WITH_TOKEN, ScriptedGlobalping, home
from monitor.sources.scripted_ooni import Reply
from probes.failure_strings import Failure
from probes.layers.bogon import BogonList
from probes.measurement import DnsObservation, Layer, layer_of
from probes.sockets.http_client import httpx

KNOWN, UNKNOWN = "of-an-account", "of-nobody"
NOW = datetime(2024, 2, 17, 15, tzinfo=UTC)
PAGE = Question(type="http", target="x.com", locations=places(["PK"], 3, eyeball=True))


def _failed(text: str, source: str | None = "target") -> Result:
    return Result(status="failed", raw_output=text, failure_source=source)


@pytest.mark.parametrize(
    ("text", "source", "layer", "failure"),
    [
        ("queryA ENOTFOUND x.com", "target", Layer.DNS, Failure.DNS_NXDOMAIN),
        ("queryAaaa ENOTFOUND x.com", "target", Layer.DNS, Failure.DNS_NXDOMAIN),
        ("queryA ENODATA x.com", "target", Layer.DNS, Failure.DNS_NO_ANSWER),
        ("queryA ESERVFAIL x.com", "resolver", Layer.DNS, Failure.DNS_SERVFAIL),
        ("queryA EREFUSED x.com", "resolver", Layer.DNS, Failure.DNS_REFUSED),
        ("queryA ETIMEOUT x.com", "resolver", Layer.DNS, Failure.GENERIC_TIMEOUT),
        ("queryA ECONNREFUSED x.com", "resolver", Layer.DNS, Failure.CONNECTION_REFUSED),
        ("Request timeout.", "resolver", Layer.DNS, Failure.GENERIC_TIMEOUT),
        ("Private IP ranges are not allowed.", "target", Layer.DNS, Failure.DNS_BOGON),
        ("connect ECONNREFUSED 1.2.3.4:443", "target", Layer.TCP, Failure.CONNECTION_REFUSED),
        ("connect ECONNRESET 1.2.3.4:443", "target", Layer.TCP, Failure.CONNECTION_RESET),
        (
            "connect ENETUNREACH 1.2.3.4:443 - Local (192.0.2.1:0)",
            "target",
            Layer.TCP,
            Failure.NETWORK_UNREACHABLE,
        ),
        ("read ECONNRESET", "target", Layer.TLS, Failure.CONNECTION_RESET),
        (
            "Client network socket disconnected before secure TLS connection was established",
            "target",
            Layer.TLS,
            Failure.EOF,
        ),
        ("80:error:0A000410:SSL routines:x", "target", Layer.TLS, Failure.SSL_FAILED_HANDSHAKE),
        ("other side closed", "target", Layer.HTTP, Failure.EOF),
    ],
)
def test_a_text_names_layer_and_failure(
    text: str, source: str, layer: Layer, failure: Failure
) -> None:
    """The layers below worked; nothing in the observations holds the probe's own address."""
    seen, untold, reached = fetched("https://x.com/", "x.com", 443, _failed(text, source))
    assert (layer_of(seen[-1]), seen[-1].failure) == (layer, failure)
    assert {one.failure for one in seen[:-1]} <= {None}
    assert (untold, reached) == ((), False)
    assert "192.0.2.1" not in repr(seen)


@pytest.mark.parametrize(
    "text", ["Request timeout.", "Parse Error: Expected HTTP/", "incorrect header check", ""]
)
def test_a_text_that_names_no_layer_observes_none(text: str) -> None:
    """A timeout may be that of the connection, the handshake or the page."""
    seen, untold, reached = fetched("https://x.com/", "x.com", 443, _failed(text))
    assert (seen, untold, reached) == ((), (Layer.TCP, Layer.TLS, Layer.HTTP), False)


@pytest.mark.parametrize(
    "result",
    [
        _failed("Test failed. Please try again.", None),
        _failed("read ECONNRESET", "internal"),
        _failed("The measurement timed out.", None),
        Result(status="offline"),
        Result(status="in-progress"),
        Result(status="something new"),
    ],
)
def test_a_fault_of_the_probe_says_nothing(result: Result) -> None:
    """It is not seen, which is neither failing nor fine."""
    assert not usable(result)


def test_a_page_without_a_certificate_is_not_reached() -> None:
    """Whoever answered has not shown who it is."""
    page = Result(status="finished", status_code=200, resolved_address="151.101.1.229")
    assert not fetched("https://x.com/", "x.com", 443, page)[2]
    verified = Result(status="finished", status_code=403, tls=Certificate(authorized=True))
    assert fetched("https://x.com/", "x.com", 443, verified)[2]


def test_a_forged_answer_shows_where_the_page_hides_it() -> None:
    """The page's test only says that the address is private; asking for the name shows it."""
    named = Result(
        status="finished", status_code_name="NOERROR", answers=(Answer("A", "10.10.34.35"),)
    )
    lookup = looked_up("x.com", named, BogonList())
    page = _failed("Private IP ranges are not allowed.")
    (seen,), _, _ = fetched("https://x.com/", "x.com", 443, page, lookup=lookup)
    assert isinstance(seen, DnsObservation)
    assert (seen.failure, seen.addresses) == (Failure.DNS_BOGON, ("10.10.34.35",))


@pytest.mark.parametrize(
    ("code", "failure"),
    [
        ("NXDOMAIN", Failure.DNS_NXDOMAIN),
        ("SERVFAIL", Failure.DNS_SERVFAIL),
        ("REFUSED", Failure.DNS_REFUSED),
        ("NOERROR", Failure.DNS_NO_ANSWER),
        ("NOTIMP", Failure.DNS_SERVER_MISBEHAVING),
    ],
)
def test_a_reply_without_an_address_is_a_failure_of_the_name(code: str, failure: Failure) -> None:
    """The service calls such a test finished."""
    named = Result(status="finished", status_code_name=code, answers=())
    lookup = looked_up("x.com", named, BogonList())
    assert lookup is not None
    assert lookup.failure == failure


# -- the client ----------------------------------------------------------------------------------


class Clock:
    """Time that passes while the client sleeps."""

    def __init__(self) -> None:
        self.now = NOW

    async def sleep(self, seconds: float) -> None:
        """Let it pass."""
        self.now += timedelta(seconds=seconds)


def _asker(
    clock: Clock, token: str = "", takes: float = 0.0
) -> tuple[ScriptedGlobalping, GlobalpingClient]:
    server = ScriptedGlobalping(lambda: clock.now, takes=timedelta(seconds=takes))
    server.probes += [home("PK", 17557), home("PK", 9541)]
    server.tokens.add(KNOWN)
    transport = httpx.MockTransport(server.handle)
    return server, GlobalpingClient("https://g.test", transport, token=token, sleep=clock.sleep)


async def test_results_are_waited_for_at_the_pace_asked_for() -> None:
    """Half a second after each answer; a pause that is asked for after too many is kept."""
    clock = Clock()
    server, client = _asker(clock, takes=12)
    question = await client.ask(PAGE)
    assert (client.taken, client.remaining) == (2, FREE - 2)
    found = await client.finished(question)
    assert [one and one.probe.asn for one in found.results] == [17557, 9541]
    assert timedelta(seconds=12) <= clock.now - NOW <= timedelta(seconds=20)
    assert len(server.asked) < 24
    await client.close()


async def test_the_same_probes_answer_again_by_the_id() -> None:
    """Until the results are no longer kept: then there is no probe, and no error."""
    clock = Clock()
    server, client = _asker(clock)
    first = await client.ask(PAGE)
    server.probes.reverse()
    again = Question(type="dns", target="x.com", locations=first)
    found = await client.finished(await client.ask(again))
    assert [one and one.probe.asn for one in found.results] == [17557, 9541]
    clock.now += timedelta(days=8)
    assert await client.ask(again) == ""
    await client.close()


async def test_results_that_never_come_are_given_up() -> None:
    """A probe has fifteen seconds, the service five more."""
    clock = Clock()
    _, client = _asker(clock, takes=1000)
    with pytest.raises(SourceFault, match="no results"):
        await client.finished(await client.ask(PAGE))
    assert clock.now - NOW < timedelta(minutes=1)
    await client.close()


async def test_a_token_has_a_larger_quota_and_a_wrong_one_is_refused() -> None:
    """What is wrong is said, and the token is not."""
    clock = Clock()
    _, client = _asker(clock, token=KNOWN)
    await client.limits()
    assert client.remaining == WITH_TOKEN
    _, other = _asker(clock, token=UNKNOWN)
    with pytest.raises(SourceFault) as refused:
        await other.limits()
    assert refused.value.problem == "refused"
    assert UNKNOWN not in str(refused.value)
    await client.close()
    await other.close()


async def test_a_refusal_says_when_to_come_back_and_not_who_we_are() -> None:
    """Without Retry-After, by the reset of the quota. A refusal may quote our own address."""
    clock = Clock()
    server, client = _asker(clock)
    server.spent.append((NOW - timedelta(minutes=20), FREE))
    with pytest.raises(SourceFault) as limited:
        await client.ask(PAGE)
    assert (limited.value.problem, limited.value.wait) == ("limited", 2400.0)
    message = b'{"error":{"type":"access_forbidden","message":"Access from 192.0.2.1 is no"}}'
    server.failing.append(Reply(403, message))
    with pytest.raises(SourceFault) as refused:
        await client.ask(PAGE)
    assert "192.0.2.1" not in str(refused.value)
    await client.close()


@given(st.floats(0, 4e9), st.integers(0, 10**6))
def test_a_control_never_begins_before_the_tests_ended(ended: float, asked: int) -> None:
    """Though moments are whole microseconds: else every other one that came fast is no control."""
    began = not_before(ended, datetime.fromtimestamp(asked, UTC))
    assert began.timestamp() >= max(ended, asked)
    assert began.timestamp() - max(ended, asked) < 3e-6
