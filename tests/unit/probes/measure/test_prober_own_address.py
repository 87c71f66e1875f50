"""A measurement never holds the vantage's own address."""

import msgspec

from probes.measurement import HttpObservation, Measurement, TcpObservation, TlsObservation
from probes.testing import (
    DnsReply,
    Peer,
    ScriptedNetwork,
    VirtualClockLoop,
    bad_certificate,
    reset_by_peer,
)
from tests.unit.probes.measure.scripted_prober import (
    FAST,
    RESOLVER,
    V4,
    V4_OTHER,
    WEB,
    X,
    failures,
    measure,
    redirect,
    replaced,
    scripted,
    seen,
)

LOOP = VirtualClockLoop
"""Deadlines pass at once, and durations are exact."""


OWN, OWN_V6, OUTSIDE = "198.51.100.7", "2001:db8:7::7", "192.0.2.200"
"""The vantage's own addresses: those of its sockets and that of its provider."""
ECHO = (
    f"HTTP/1.1 403 Forbidden\r\nX-Client: {OWN}\r\nX-{OWN}: yes\r\n"
    f"X-Forwarded-For: {OUTSIDE}, {OWN_V6}\r\n\r\n"
    f"<title>{'x' * 190} {OUTSIDE} is banned</title><p>{OWN} = 3325256711 = c6336407</p>"
    f"<p>MTk4LjUxLjEwMC43 198%2E51%2E100%2E7 {OWN_V6}</p>"
)
LEAKS = (
    OWN,
    OWN_V6,
    OUTSIDE,
    "3325256711",
    "c6336407",
    "MTk4LjUxLjEwMC43",
    "198%2E51",
    "192.0.2.2",
)


def text_of(measurement: Measurement) -> str:
    """Everything in a measurement, as it would be stored."""
    return msgspec.json.encode(measurement.observations).decode()


async def test_a_block_page_that_prints_our_address_does_not_store_it() -> None:
    """Title, headers and body lose our address in every spelling; tested addresses stay."""
    network = scripted(V4)
    network.peer(V4, 80, Peer(replies=(ECHO.encode(),)))
    measurement = await measure(network, "http://x.com/")
    assert [leak for leak in LEAKS if leak in text_of(measurement)] == []
    (http,) = seen(measurement, HttpObservation)
    assert http.address == V4
    assert http.title.startswith("x" * 190 + " [addre")
    assert ("x-client", "[address]") in http.headers


async def test_a_redirect_that_carries_our_address_does_not_store_it() -> None:
    """Location, URL, resolved name and TLS server name lose our address."""
    to = "https://198-51-100-7.stop.example/?ip=198.51.100.7&from=192.0.2.200"
    network = scripted(V4)
    cname = DnsReply(addresses=(V4_OTHER,), cnames=("c6336407.stop.example",))
    network.resolver(RESOLVER).answers("198-51-100-7.stop.example", "A", cname)
    network.peer(V4, 443, Peer(replies=(redirect(to),)))
    network.peer(V4_OTHER, 443, WEB)
    measurement = await measure(network)
    assert measurement.reached
    text = text_of(measurement)
    assert [leak for leak in (*LEAKS, "198-51-100-7") if leak in text] == []
    assert network.streams[1].server_names == ["198-51-100-7.stop.example"]
    assert [h.url for h in seen(measurement, HttpObservation)] == [
        X,
        "https://[address].stop.example/?ip=[address]&from=[address]",
    ]


async def test_a_name_that_leads_to_ourselves_does_not_store_our_address() -> None:
    """An answer with our own address is recorded without the address."""
    network = scripted(OWN)
    network.peer(OWN, 443, Peer(tls=reset_by_peer(), chain=()))
    settings = replaced(FAST, bogon_allow=(*FAST.bogon_allow, "198.51.100.0/24"))
    measurement = await measure(network, settings=settings)
    assert OWN not in text_of(measurement)
    assert seen(measurement, TcpObservation)[0].address == "0.0.0.0"
    assert failures(measurement, TlsObservation) == ["connection_reset"]


async def test_a_certificate_with_our_address_is_not_stored() -> None:
    """A forged certificate that contains our address keeps its digest and loses its bytes."""
    network = scripted(V4)
    chain = (b"leaf", b"names " + OWN.encode())
    network.peer(V4, 443, Peer(tls=bad_certificate(20, f"no issuer for {OWN}"), chain=chain))
    (tls,) = seen(await measure(network), TlsObservation)
    assert tls.chain == ()
    assert tls.chain_sha256
    assert OWN not in tls.verify_error


async def test_a_resolver_on_the_vantage_itself_is_not_named() -> None:
    """The address of a resolver on this machine is removed."""
    network = ScriptedNetwork(own={"ipv4": RESOLVER})
    network.resolver(RESOLVER).stays_silent("x.com")
    assert RESOLVER not in text_of(await measure(network))


async def test_the_digest_of_a_healthy_page_does_not_depend_on_our_address() -> None:
    """A page that shows each visitor's address has the same digest for two vantages."""
    digests = set()
    for own in ("198.51.100.7", "198.51.100.8"):
        network = scripted(V4)
        network.own["ipv4"] = own
        body = f"Hello {own}!"
        page = f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\n\r\n{body}"
        network.peer(V4, 443, Peer(replies=(page.encode(),)))
        digests.add(seen(await measure(network), HttpObservation)[0].body_sha256)
    assert len(digests) == 1
