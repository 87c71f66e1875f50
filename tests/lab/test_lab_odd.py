"""Hosts of unusual stories: hijacks, bot protection, strange redirects, names, clocks and edges."""

import base64
import datetime
import email.utils
from collections.abc import Iterator
from typing import Any
from urllib.parse import urljoin

import msgspec
import pytest

from tests.lab import dns_wire, hosts
from tests.lab.hosts import BLOCK_PAGE, GHOST, TRANSPARENT_PROXY, challenge
from tests.lab.lab import Lab
from tests.lab.network import LabNetwork, Network

pytestmark = pytest.mark.lab

SHORT = 0.3
"""Seconds after which a look that must time out is given up."""
ROTATING = msgspec.structs.replace(
    next(host for host in hosts.ALL if host.name == "x.com"), addresses=9, rotate=2
)


@pytest.fixture(scope="module")
def running() -> Iterator[Lab]:
    """Two networks, a control, the odd hosts, and x.com behind edges that rotate."""
    networks = [LabNetwork("ptcl", 17557, "PK"), LabNetwork("jazz", 45669, "PK")]
    with Lab(networks, more_hosts=[*hosts.ODD, ROTATING]) as lab:
        yield lab


@pytest.fixture
def lab(running: Lab) -> Iterator[Lab]:
    """The same lab, as new."""
    yield running
    running.reset()


@pytest.fixture
def ptcl(lab: Lab) -> Network:
    """The censored network."""
    return lab.network("ptcl")


def at(lab: Lab, host: str) -> str:
    """Any address of a host; none when nobody knows it."""
    return next(iter(lab.internet.addresses.get(host, ())), "")


def https(lab: Lab, host: str, path: str = "/", **more: Any) -> dict[str, Any]:
    """A request for a host, to its own address unless told otherwise."""
    details = {"address": at(lab, host), "port": 443, "timeout": 2.0, **more}
    return lab.look("tls", sni=host, path=path, **details)


def http(lab: Lab, host: str, path: str = "/", **more: Any) -> dict[str, Any]:
    """The same in cleartext."""
    details = {"address": at(lab, host), "port": 80, "timeout": 2.0, **more}
    return lab.look("http", host=host, path=path, **details)


def ask(lab: Lab, name: str, **more: Any) -> dict[str, Any]:
    """One resolver's answer."""
    details = {"server": "8.8.8.8", **more}
    answer: dict[str, Any] = lab.look("dns", name=name, **details)["answers"][0]
    return answer


def proxied(lab: Lab) -> list[Any]:
    """What a look needs to go through the control."""
    control = lab.controls[0]
    return [control.address, control.port, control.username, control.password]


# --- hijacks --------------------------------------------------------------


@pytest.mark.parametrize("family", [4, 6])
def test_hijack_to_a_transparent_proxy(lab: Lab, ptcl: Network, family: int) -> None:
    """A hijacked name leads to a proxy through which everything works and verifies."""
    with ptcl.block(dns=["x.com"], how="address", answer=TRANSPARENT_PROXY):
        qtype = "A" if family == 4 else "AAAA"
        (proxy,) = ask(lab, "x.com", server=ptcl.resolver, qtype=qtype)["addresses"]
    assert proxy in TRANSPARENT_PROXY
    seen = https(lab, "x.com", address=proxy)
    assert (seen["status"], seen["names"]) == (200, ["x.com"])
    assert http(lab, "x.com", address=proxy)["headers"]["Location"] == "https://x.com/"
    relayed = lab.internet.relayed()
    assert [(v["name"], v["port"]) for v in relayed] == [("x.com", 443), ("x.com", 80)]
    assert {v["peer"] for v in lab.internet.visits("x.com")} == {proxy}


def test_transparent_proxy_knows_no_ghosts(lab: Lab) -> None:
    """A name nobody knows ends at the proxy without an answer."""
    assert "error" in https(lab, GHOST, address=TRANSPARENT_PROXY[0])
    assert lab.internet.relayed() == []


def test_ghost(lab: Lab, ptcl: Network) -> None:
    """A name unknown to every resolver is blocked all the same, by a page."""
    for server in ("8.8.8.8", "1.1.1.1", ptcl.resolver):
        assert ask(lab, GHOST, server=server)["rcode"] == dns_wire.NXDOMAIN
    with ptcl.block(dns=[GHOST], how="address", answer=BLOCK_PAGE):
        (found,) = ask(lab, GHOST, server=ptcl.resolver)["addresses"]
    assert "Blocked by order" in http(lab, GHOST, address=found)["body"]


def test_name_that_leads_home(lab: Lab) -> None:
    """A name can honestly resolve to the client's own loopback, where nobody listens."""
    assert ask(lab, "localhost.example.org")["addresses"] == ["127.0.0.1"]
    seen = https(lab, "localhost.example.org", address="127.0.0.1")
    assert (seen["stage"], seen["error"]) == ("tcp", "ConnectionRefusedError")


# --- bot protection and law -----------------------------------------------


def test_challenge_for_controls_alone(lab: Lab, ptcl: Network) -> None:
    """A control is refused by bot protection while clients in the field get the page."""
    lab.internet.page("x.com", challenge(), to="controls")
    refused = https(lab, "x.com", proxy=proxied(lab))
    assert refused["status"] == 403
    assert refused["headers"]["Server"] == "cloudflare"
    assert refused["headers"]["cf-mitigated"] == "challenge"
    assert "<title>Just a moment...</title>" in refused["body"]
    assert https(lab, "x.com", source=ptcl.source)["status"] == 200
    assert https(lab, "x.com", "/lab/bytes/9", proxy=proxied(lab))["status"] == 403
    assert https(lab, "api.x.com", proxy=proxied(lab))["status"] == 200


def test_pages_by_client(lab: Lab, ptcl: Network) -> None:
    """A page can be for one network, one address or one path, and be taken back."""
    jazz = lab.network("jazz")
    lab.internet.page("x.com", challenge(), to="jazz", path="/")
    lab.internet.page("x.com", challenge(), to=[ptcl.source], scheme="http")
    assert https(lab, "x.com", source=jazz.source)["status"] == 403
    assert https(lab, "x.com", "/other", source=jazz.source)["status"] == 200
    assert https(lab, "x.com", source=ptcl.source)["status"] == 200
    assert http(lab, "x.com", source=ptcl.source)["status"] == 403
    assert http(lab, "x.com", source=jazz.source)["status"] == 301
    lab.internet.page("x.com", None, to="jazz", path="/")
    assert https(lab, "x.com", source=jazz.source)["status"] == 200


def test_withheld_by_law(lab: Lab) -> None:
    """A site may refuse by status 451 itself, over verified HTTPS, and name who asked it to."""
    seen = https(lab, "legal.example.org")
    assert (seen["status"], seen["names"]) == (451, ["legal.example.org"])
    assert 'rel="blocked-by"' in seen["headers"]["Link"]


# --- redirects ------------------------------------------------------------


def hops(lab: Lab, path: str, most: int) -> tuple[int, int]:
    """How many redirects a path of the short links takes, up to `most`, and the last status."""
    for count in range(most):
        seen = https(lab, "short.example.org", path)
        if seen["status"] == 200:
            return count, 200
        path = urljoin(path, seen["headers"]["Location"].removeprefix("https://short.example.org"))
    return most, int(seen["status"])


def test_redirects(lab: Lab) -> None:
    """Redirects lead on, in circles, too far, or nowhere, over TLS and in cleartext."""
    seen = https(lab, "short.example.org")
    assert (seen["status"], seen["headers"]["Location"]) == (301, "https://landing.example.org/")
    assert http(lab, "short.example.org", "/plain")["headers"]["Location"].startswith("http://")
    assert https(lab, "short.example.org", "/broken")["headers"]["Location"] == "https://"
    assert hops(lab, "/far", 20) == (hosts.FAR_HOPS, 200)
    assert hops(lab, "/round", 15) == (15, 301)
    assert https(lab, "landing.example.org")["status"] == 200
    assert http(lab, "landing.example.org")["status"] == 200


@pytest.mark.parametrize(
    ("how", "error"),
    [
        ("reset", "ConnectionResetError"),
        ("eof", "ConnectionResetError"),
        ("silence", "TimeoutError"),
    ],
)
@pytest.mark.parametrize(("after", "stage"), [("hello", "tls"), ("request", "http")])
def test_origin_that_breaks(lab: Lab, how: str, error: str, after: str, stage: str) -> None:
    """An origin can itself reset, close or go silent, after the hello or after the request."""
    lab.internet.breaks("landing.example.org", how, after=after)
    seen = https(lab, "landing.example.org", timeout=SHORT)
    # A close in the middle of the handshake is OpenSSL's own error.
    if (how, after) == ("eof", "hello"):
        assert seen["stage"] == stage
        assert seen["error"] in ("SSLEOFError", "SSLZeroReturnError")  # as this Python calls it
    else:
        assert (seen["stage"], seen["error"]) == (stage, error)
    lab.internet.breaks("landing.example.org", "")
    assert https(lab, "landing.example.org")["status"] == 200


# --- names, families, edges, sizes ----------------------------------------


def test_international_name(lab: Lab) -> None:
    """A name outside ASCII is served under its A-label."""
    label = "bücher.example.org".encode("idna").decode()
    assert https(lab, label)["status"] == 200
    assert "<title>Bücher</title>" in https(lab, label)["body"]


@pytest.mark.parametrize(
    ("host", "has", "lacks"), [("v4only", "A", "AAAA"), ("v6only", "AAAA", "A")]
)
def test_one_family(lab: Lab, host: str, has: str, lacks: str) -> None:
    """A host of one family has addresses of that one alone, and answers there."""
    name = f"{host}.example.org"
    assert ask(lab, name, qtype=has)["addresses"] == list(lab.internet.addresses[name])
    assert (ask(lab, name, qtype=lacks)["rcode"], ask(lab, name, qtype=lacks)["addresses"]) == (
        0,
        [],
    )
    assert https(lab, name)["status"] == 200


@pytest.mark.parametrize(("name", "each", "every"), [("many.example.org", 3, 12), ("x.com", 2, 9)])
def test_edges_rotate(lab: Lab, name: str, each: int, every: int) -> None:
    """Each question gets other edges of many, until all were named, and all of them serve."""
    for qtype in ("A", "AAAA"):
        answers = [ask(lab, name, qtype=qtype)["addresses"] for _ in range(every)]
        assert {len(answer) for answer in answers} == {each}
        assert not set(answers[0]) & set(answers[1])
        assert len({address for answer in answers for address in answer}) == every
    edges = lab.internet.addresses[name]
    looks = [{"kind": "tls", "address": edge, "port": 443, "sni": name} for edge in edges]
    assert [seen["names"] for seen in lab.look_many(looks)] == [[name]] * (2 * every)


def test_large_page(lab: Lab) -> None:
    """A page larger than anyone reads comes whole."""
    assert https(lab, "big.example.org")["size"] > 2 * 1024 * 1024


# --- clocks ---------------------------------------------------------------


def date_of(seen: dict[str, Any]) -> float:
    """Seconds since the epoch of an answer's Date."""
    return email.utils.parsedate_to_datetime(seen["headers"]["Date"]).timestamp()


@pytest.mark.parametrize("ahead", [7 * 86400.0, -3600.0])
def test_clock_of_a_host(lab: Lab, ahead: float) -> None:
    """A host's Date can be wrong, over TLS and in cleartext, while others tell the time."""
    now = datetime.datetime.now(datetime.UTC).timestamp()
    lab.internet.clock("landing.example.org", ahead)
    for seen in (https(lab, "landing.example.org"), http(lab, "landing.example.org")):
        assert date_of(seen) - now == pytest.approx(ahead, abs=5)
    assert date_of(https(lab, "legal.example.org")) == pytest.approx(now, abs=5)


def test_certificate_of_the_future(lab: Lab, ptcl: Network) -> None:
    """A certificate not yet valid is refused for just that, at the origin or forged on the way."""
    lab.internet.certificate("legal.example.org", "not-yet-valid")
    assert https(lab, "legal.example.org")["verify_code"] == 9
    with ptcl.forge(["x.com"], "not-yet-valid"):
        assert https(lab, "x.com", source=ptcl.source)["verify_code"] == 9


# --- DNS over HTTPS -------------------------------------------------------


@pytest.mark.parametrize("host", ["dns.google", "cloudflare-dns.com", "dns.quad9.net"])
def test_doh_blocked_by_name(lab: Lab, ptcl: Network, host: str) -> None:
    """A DoH host blocked by server name answers no question there, and does so elsewhere."""
    text = base64.urlsafe_b64encode(dns_wire.question(0, "x.com", dns_wire.A)).decode()
    path = f"/dns-query?dns={text.rstrip('=')}"
    jazz = lab.network("jazz")
    with ptcl.block(sni=[host], how="reset") as rule:
        seen = https(lab, host, path, source=ptcl.source)
        assert (seen["stage"], seen["error"]) == ("tls", "ConnectionResetError")
        assert rule.hits == 1
        told = https(lab, host, path, source=jazz.source)
        assert told["headers"]["Content-Type"] == "application/dns-message"
    assert https(lab, host, path, source=ptcl.source)["status"] == 200
