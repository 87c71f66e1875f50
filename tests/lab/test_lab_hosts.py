"""Everything a catalogue may name answers in the lab, by every way, until a story changes it."""

import base64
import ssl
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from monitor.config.catalog import shipped_catalog
from probes.catalog.endpoint_kinds import EndpointKind
from tests.lab import dns_wire, hosts
from tests.lab.hosts import LabHost, Page
from tests.lab.lab import Lab
from tests.lab.network import LabNetwork
from tests.lab.world import Control

pytestmark = pytest.mark.lab

SHORT = 0.3
EXTRA = LabHost(name="news.example.org", https={"": Page(body="extra\n")})
WEB = [host for host in hosts.ALL if host.ports and not host.raw]
PLAIN = [host for host in hosts.ALL if host.ports and host.raw]


@pytest.fixture(scope="module")
def running() -> Iterator[Lab]:
    """Two networks, two controls and one host of the test's own."""
    networks = [LabNetwork("ptcl", 17557, "PK"), LabNetwork("vivo", 27699, "BR")]
    with Lab(networks, controls=2, more_hosts=[EXTRA]) as lab:
        yield lab


@pytest.fixture
def lab(running: Lab) -> Iterator[Lab]:
    """The same lab, as new."""
    yield running
    running.reset()


def proxied(control: Control) -> list[Any]:
    """What a look needs to go through a control."""
    return [control.address, control.port, control.username, control.password]


def failures(looks: list[dict[str, Any]], seen: list[dict[str, Any]]) -> list[Any]:
    """Looks that failed, with why."""
    return [(look, what) for look, what in zip(looks, seen, strict=True) if what.get("error", "")]


def test_every_host_answers_over_both_families(lab: Lab) -> None:
    """Every host shakes hands by both families and through each network, and is honest."""
    ways = [
        {"address": lab.internet.address(host.name, family), "source": source, "sni": host.name}
        for host in WEB
        for network in lab.networks
        for family, source in ((4, network.source), (6, network.source6))
    ]
    looks = [{"kind": "tls", "port": 443, "path": "/", **way} for way in ways]
    seen = lab.look_many(looks)
    strangers = {host.name for host in WEB if host.own_ca}
    failed = failures(looks, seen)
    assert {look["sni"] for look, _ in failed} == strangers
    assert {what["verify_code"] for _, what in failed} == {20}


def test_every_host_answers_through_a_control(lab: Lab) -> None:
    """Every host answers through SOCKS5, by name and by address of either family."""
    proxy = proxied(lab.controls[1])
    looks = [
        {"kind": "tls", "port": 443, "address": target, "sni": host.name, "proxy": proxy}
        for host in WEB
        if not host.own_ca
        for target in (host.name, *lab.internet.addresses[host.name])
    ]
    assert failures(looks, lab.look_many(looks)) == []
    assert {visit["peer"] for visit in lab.internet.visits("x.com")} == {
        "203.0.113.12",
        "2001:db8:c0::12",
    }


def test_every_plain_port_is_open(lab: Lab) -> None:
    """Chat servers accept connections on every port and address they should."""
    looks = [
        {"kind": "tcp", "address": address, "port": port}
        for host in PLAIN
        for address in lab.internet.addresses[host.name]
        for port in host.ports
    ]
    assert len(looks) > 17 * 4 + 11 * 3 - 1
    assert failures(looks, lab.look_many(looks)) == []


def test_every_resolver_knows_every_host(lab: Lab) -> None:
    """Each provider's and each open resolver gives the same addresses, over UDP and TCP."""
    servers = [network.resolver for network in lab.networks] + ["8.8.8.8", "1.1.1.1", "9.9.9.9"]
    servers += [lab.networks[0].resolver6]
    looks = [
        {"kind": "dns", "server": server, "name": host.name, "qtype": qtype, "tcp": tcp}
        for server in servers
        for host in hosts.ALL[::7]
        for qtype in ("A", "AAAA")
        for tcp in (False, True)
    ]
    for look, seen in zip(looks, lab.look_many(looks), strict=True):
        family = ":" if look["qtype"] == "AAAA" else "."
        known = [a for a in lab.internet.addresses[str(look["name"])] if family in a]
        assert seen["answers"][0]["addresses"] == known, look


def test_the_shipped_catalogue_is_served(lab: Lab) -> None:
    """Every endpoint and reference of the shipped catalogue works in the lab."""
    catalog = shipped_catalog()
    endpoints = [
        endpoint
        for platform in catalog.platforms
        for function in platform.functions
        for endpoint in function.endpoints
    ]
    endpoints += [reference.endpoint for reference in catalog.references]
    kinds = {
        EndpointKind.HTTPS: "tls",
        EndpointKind.TLS: "tls",
        EndpointKind.HTTP: "http",
        EndpointKind.TCP: "tcp",
    }
    looks = [
        {
            "kind": kinds[endpoint.kind],
            "address": lab.internet.addresses.get(endpoint.host, (endpoint.host,))[0],
            "port": endpoint.port,
            "sni": endpoint.host,
            "host": endpoint.host,
            **({"path": endpoint.path} if endpoint.kind is not EndpointKind.TLS else {}),
        }
        for endpoint in endpoints
        if endpoint.kind in kinds and "signal.org" not in endpoint.host
    ]
    assert failures(looks, lab.look_many(looks)) == []
    names = {e.host for e in endpoints if e.kind in (EndpointKind.DNS, EndpointKind.STUN)}
    assert names <= set(lab.internet.addresses)
    wanted = {e.host: e for e in endpoints if e.expect_body or e.expect_status}
    for look, seen in zip(looks, lab.look_many(looks), strict=True):
        endpoint = wanted.get(str(look["sni"]))
        if endpoint is not None and look.get("path") == endpoint.path:
            assert endpoint.expect_body in seen["body"]
            assert seen["status"] in (endpoint.expect_status or (seen["status"],))


def test_pages_are_like_the_real_ones(lab: Lab) -> None:
    """Start pages are long and titled, moved names redirect, portal checks give what they must."""

    def https(host: str, path: str = "/") -> Mapping[str, Any]:
        address = lab.internet.address(host)
        return lab.look("tls", address=address, port=443, sni=host, path=path)

    def http(host: str, path: str = "/") -> Mapping[str, Any]:
        return lab.look("http", address=lab.internet.address(host), port=80, host=host, path=path)

    assert https("x.com")["size"] > 30_000
    assert "<title>X. It's what's happening</title>" in https("x.com")["body"]
    moved = https("twitter.com")
    assert (moved["status"], moved["headers"]["Location"]) == (301, "https://x.com/")
    assert https("www.youtube.com", "/generate_204")["status"] == 204
    assert http("detectportal.firefox.com", "/success.txt")["body"] == "success\n"
    assert http("connectivitycheck.gstatic.com", "/generate_204")["status"] == 204
    assert "Success" in http("captive.apple.com", "/hotspot-detect.html")["body"]
    assert http("x.com", "/a")["headers"]["Location"] == "https://x.com/a"
    assert https("news.example.org")["body"] == "extra\n"


def test_names_of_one_owner_share_servers(lab: Lab) -> None:
    """An edge holds its owner's certificates; a foreign name gets its default, or an alert."""
    address = lab.internet.address("x.com")
    assert lab.look("tls", address=address, port=443, sni="t.co")["names"] == ["t.co"]
    stranger = {"kind": "tls", "address": address, "port": 443, "sni": "www.example.com"}
    assert lab.look_many([stranger])[0]["verify_code"] == 62
    lab.internet.strangers("x.com", "alert")
    assert lab.look_many([stranger])[0]["reason"] == "TLSV1_UNRECOGNIZED_NAME"


def test_dns_over_https(lab: Lab) -> None:
    """The hosts that speak DNS over HTTPS answer there as well."""
    query = dns_wire.question(0, "x.com", dns_wire.A)
    text = base64.urlsafe_b64encode(query).decode().rstrip("=")
    seen = lab.look(
        "tls",
        address=lab.internet.address("dns.google"),
        port=443,
        sni="dns.google",
        path=f"/dns-query?dns={text}",
    )
    assert seen["headers"]["Content-Type"] == "application/dns-message"
    assert seen["size"] > len(query)


@pytest.mark.parametrize("how", ["source", "interface", "direct"])
def test_egress_leaves_by_its_link(lab: Lab, how: str) -> None:
    """A bound source, a bound device and the default route each leave by the right link."""
    for network in lab.networks:
        ways: dict[str, dict[str, Any]] = {
            "source": {"source": network.source},
            "interface": {"interface": network.interface},
            "direct": {},
        }
        where = {"address": lab.internet.address("t.co"), "port": 80, "host": "t.co"}
        assert lab.look("http", path="/", **where, **ways[how])["status"] == 301
        wanted = lab.networks[0] if how == "direct" else network
        assert lab.internet.visits("t.co")[-1]["peer"] == wanted.source


def test_system_resolver_is_the_first_networks(lab: Lab) -> None:
    """A program in the client's namespace resolves by the first network's own resolver."""
    code = "import socket; print(socket.getaddrinfo('x.com', 443)[0][4][0])"
    with lab.networks[0].block(dns=["x.com"], how="address", answer=["203.0.113.80"]):
        done = lab.run(["python", "-c", code])
    assert done.stdout == "203.0.113.80\n", done.stderr


def test_host_down_and_up(lab: Lab) -> None:
    """A host that is down refuses or is silent to everyone, and is back at once when up."""
    by_control = {"proxy": proxied(lab.controls[0]), "sni": "x.com"}
    for how, error in (("refuse", "ConnectionRefusedError"), ("silence", "TimeoutError")):
        lab.internet.down("x.com", how=how)
        for family in (4, 6):
            address = lab.internet.address("x.com", family)
            seen = lab.look("tls", address=address, port=443, sni="x.com", timeout=SHORT)
            assert (seen["stage"], seen["error"]) == ("tcp", error)
        seen = lab.look("tls", address="x.com", port=443, timeout=SHORT, **by_control)
        assert seen["stage"] == "proxy"
        lab.internet.up("x.com")
        assert "names" in lab.look("tls", address="x.com", port=443, **by_control)


@pytest.mark.parametrize(
    ("how", "answer"), [("refuse", "ConnectionResetError"), ("silence", "TimeoutError")]
)
def test_host_down_under_a_live_connection(lab: Lab, how: str, answer: str) -> None:
    """Going down hits connections that are open: worldwide trouble from one moment to the next."""
    child = lab.popen(["python", "-c", LIVE, lab.internet.address("x.com")], stdin=-1, stdout=-1)
    assert child.stdin is not None
    assert child.stdout is not None
    assert child.stdout.readline() == "open\n"
    lab.internet.down("x.com", how=how)
    child.stdin.write("go\n")
    child.stdin.flush()
    assert child.stdout.readline() == f"{answer}\n"


LIVE = """
import socket, sys
s = socket.create_connection((sys.argv[1], 80), 0.5)
s.sendall(b"GET / HTTP/1.1\\r\\nHost: x.com\\r\\n\\r\\n")
s.recv(4096)
print("open", flush=True)
sys.stdin.readline()
try:
    s.sendall(b"GET / HTTP/1.1\\r\\nHost: x.com\\r\\n\\r\\n")
    print(s.recv(10))
except OSError as error:
    print(type(error).__name__, flush=True)
"""


def test_host_changes_its_answer(lab: Lab) -> None:
    """A page, a status, a delay and a certificate can change while everything runs."""
    look = {"address": lab.internet.address("x.com"), "port": 443, "sni": "x.com", "path": "/"}
    lab.internet.page("x.com", Page(status=451, body="for legal reasons"))
    seen = lab.look("tls", **look)
    assert (seen["status"], seen["body"]) == (451, "for legal reasons")
    lab.internet.delay("x.com", tls=0.2, http=0.2)
    assert 0.4 <= lab.look("tls", **look)["seconds"] < 1
    lab.internet.certificate("x.com", "expired")
    assert lab.look("tls", **look)["verify_code"] == 10
    lab.internet.page("x.com", Page(body="plain\n"), scheme="http")
    clear = lab.look("http", address=look["address"], port=80, host="x.com", path="/")
    assert (clear["status"], clear["body"]) == (200, "plain\n")
    lab.reset()
    seen = lab.look("tls", **look)
    assert (seen["status"], seen["seconds"] < 0.2) == (200, True)


def test_name_lost_for_everyone(lab: Lab) -> None:
    """A name can vanish worldwide, or change at one resolver alone."""
    lab.internet.lie("x.com", "nxdomain")
    proxy = proxied(lab.controls[0])
    seen = lab.look("tls", address="x.com", port=443, sni="x.com", proxy=proxy)
    assert (seen["stage"], seen["text"]) == ("proxy", "reply 4")
    asked = {"kind": "dns", "name": "x.com", "server": "8.8.8.8"}
    assert lab.look_many([asked])[0]["answers"][0]["rcode"] == 3
    lab.internet.truth("x.com")
    lab.internet.lie("x.com", "address", answer=["198.18.9.9"], resolver="9.9.9.9")
    elsewhere = {**asked, "server": "9.9.9.9"}
    first, second = lab.look_many([asked, elsewhere])
    assert lab.internet.address("x.com") in first["answers"][0]["addresses"]
    assert second["answers"][0]["addresses"] == ["198.18.9.9"]


@pytest.mark.parametrize(
    ("how", "error"), [("refuse", "ConnectionRefusedError"), ("silence", "TimeoutError")]
)
def test_control_killed_and_restarted(lab: Lab, how: str, error: str) -> None:
    """One control can die and come back while the other serves."""
    first, second = lab.controls
    look = {"address": "x.com", "port": 443, "sni": "x.com", "timeout": 1.0}
    first.kill(how)
    dead = lab.look("tls", **{**look, "proxy": proxied(first), "timeout": SHORT})
    assert (dead["stage"], dead["error"]) == ("tcp", error)
    assert "names" in lab.look("tls", **{**look, "proxy": proxied(second)})
    first.restart()
    assert "names" in lab.look("tls", **{**look, "proxy": proxied(first)})
    assert [visit["host"] for visit in first.visits()] == ["x.com"]


def test_control_troubles(lab: Lab) -> None:
    """A control's own network may refuse, lose, silence or reset single hosts."""
    control = lab.controls[0]
    control.troubles(
        {"x.com": "refused", "t.co": "unreachable", "t.me": "silent", "youtu.be": "reset"}
    )
    look = {"port": 443, "proxy": proxied(control)}
    told = {
        host: lab.look(
            "tls", address=host, sni=host, timeout=SHORT if host == "t.me" else 3, **look
        )
        for host in ("x.com", "t.co", "t.me", "youtu.be", "twitter.com")
    }
    assert (told["x.com"]["stage"], told["x.com"]["text"]) == ("proxy", "reply 5")
    assert (told["t.co"]["stage"], told["t.co"]["text"]) == ("proxy", "reply 4")
    assert (told["t.me"]["stage"], told["t.me"]["error"]) == ("proxy", "TimeoutError")
    assert (told["youtu.be"]["stage"], told["youtu.be"]["error"]) == ("tls", "ConnectionResetError")
    assert "names" in told["twitter.com"]


def test_control_wants_its_password(lab: Lab) -> None:
    """A wrong password is refused."""
    proxy = [*proxied(lab.controls[0])[:3], "wrong"]
    seen = lab.look("tls", address="x.com", port=443, sni="x.com", proxy=proxy)
    assert (seen["stage"], seen["error"]) == ("proxy", "PermissionError")


def test_the_authority_is_what_makes_them_honest(lab: Lab) -> None:
    """Without the lab's authority nothing verifies: the certificates are really checked."""
    code = (
        "import socket, ssl, sys; c = ssl.create_default_context();"
        "s = socket.create_connection((sys.argv[1], 443), 3);"
        "c.wrap_socket(s, server_hostname='x.com')"
    )
    done = lab.run(["python", "-c", code, lab.internet.address("x.com")])
    assert ssl.SSLCertVerificationError.__name__ in done.stderr
