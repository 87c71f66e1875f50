"""Exception → failure, tested with the exceptions of real sockets on this Python."""

import asyncio
import contextlib
import errno
import socket
import ssl
from pathlib import Path

import pytest

from probes.failure_strings import Failure
from probes.sockets.failure_mapping import (
    MalformedReplyError,
    PeerClosedError,
    failure_of,
    is_tls_alert,
)
from probes.testing import (
    bad_certificate,
    closed_by_peer,
    os_error,
    refused,
    reset_by_peer,
    tls_alert,
)
from tests.worlds.loopback import (
    NAME,
    Conversation,
    Handler,
    forever,
    forged_context,
    full_backlog,
    honest_context,
    network,
    serving,
    unused_port,
)

LONG = 5.0


def open_descriptors() -> int:
    """How many sockets this process has."""
    names = []
    for path in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(OSError):
            names.append(str(path.readlink()))
    return sum(name.startswith("socket:") for name in names)


async def shaken(port: int, *, deadline: float = LONG, name: str = NAME) -> BaseException | None:
    """What a connect and handshake with a server on loopback raises."""
    stream = None
    try:
        async with asyncio.timeout(deadline):
            stream = await network().connect("127.0.0.1", port)
            await stream.start_tls(name, verify=True)
    except OSError as error:
        return error
    finally:
        if stream is not None:
            stream.close()
    return None


async def at_once(peer: Conversation) -> None:
    """Reset before any byte."""
    peer.reset()


async def reset_after_hello(peer: Conversation) -> None:
    """Reset after the hello, as a censor does."""
    await peer.client_hello()
    peer.reset()


async def fin_after_hello(peer: Conversation) -> None:
    """Close after the hello."""
    await peer.client_hello()
    peer.end()


async def fin_in_record(peer: Conversation) -> None:
    """Half a record, then the end."""
    await peer.client_hello()
    await peer.send(b"\x16\x03\x03\x00\x50\x02\x00")
    peer.end()


async def silent_after_hello(peer: Conversation) -> None:
    """Drop the hello."""
    await peer.client_hello()
    await forever()


async def not_tls(peer: Conversation) -> None:
    """A block page in cleartext in place of TLS."""
    await peer.client_hello()
    await peer.send(b"HTTP/1.1 403 Forbidden\r\n\r\nblocked")


@pytest.mark.parametrize(
    ("handler", "failure"),
    [
        (at_once, Failure.CONNECTION_RESET),
        (reset_after_hello, Failure.CONNECTION_RESET),
        (fin_after_hello, Failure.EOF),
        (fin_in_record, Failure.EOF),
        (not_tls, Failure.SSL_FAILED_HANDSHAKE),
    ],
)
async def test_a_handshake_cut_short_is_told_by_how(handler: Handler, failure: str) -> None:
    """RST, FIN and another protocol during the handshake have their own failures."""
    async with serving(handler) as port:
        error = await shaken(port)
    assert error is not None
    assert failure_of(error) == failure
    assert not is_tls_alert(error)


async def test_a_reset_between_connect_and_handshake_loses_no_socket() -> None:
    """A stream reset before its handshake fails as reset and can still be closed."""

    async def in_a_moment(peer: Conversation) -> None:
        await asyncio.sleep(0.05)
        peer.reset()

    async with serving(in_a_moment) as port:
        stream = await network().connect("127.0.0.1", port)
        await asyncio.sleep(0.1)
        before = open_descriptors()
        with pytest.raises(ConnectionResetError) as caught:
            await stream.start_tls(NAME, verify=True)
        assert failure_of(caught.value) == Failure.CONNECTION_RESET
        stream.close()
        assert open_descriptors() == before - 1


async def test_our_own_deadline_is_generic() -> None:
    """A handshake that exceeds our deadline is not the kernel's timeout."""
    async with serving(silent_after_hello) as port:
        error = await shaken(port, deadline=0.1)
    assert isinstance(error, TimeoutError)
    assert failure_of(error) == Failure.GENERIC_TIMEOUT


async def test_the_kernels_timeout_is_its_own() -> None:
    """The kernel's own timeout of a connection has its own failure."""
    async with full_backlog() as (port, _):
        sock = socket.socket()
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_SYNCNT, 1)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 50)
        sock.settimeout(20)
        with sock, pytest.raises(TimeoutError) as caught:
            await asyncio.to_thread(sock.connect, ("127.0.0.1", port))
    assert caught.value.errno == errno.ETIMEDOUT
    assert failure_of(caught.value) == Failure.TIMED_OUT


async def test_a_port_nobody_listens_on_refuses() -> None:
    """An RST to the SYN is a refusal, over both families."""
    for address in ("127.0.0.1", "::1"):
        with pytest.raises(ConnectionRefusedError) as caught:
            await network().connect(address, unused_port(address))
        assert failure_of(caught.value) == Failure.CONNECTION_REFUSED


async def test_a_dropped_syn_runs_into_our_deadline() -> None:
    """A connect without an answer ends with our deadline."""
    async with full_backlog() as (port, _):
        error = await shaken(port, deadline=0.1)
    assert error is not None
    assert failure_of(error) == Failure.GENERIC_TIMEOUT


@pytest.mark.parametrize(
    ("forgery", "failure", "code"),
    [
        ("self-signed", Failure.SSL_UNKNOWN_AUTHORITY, 18),
        ("untrusted-chain", Failure.SSL_UNKNOWN_AUTHORITY, 19),
        ("unknown-authority", Failure.SSL_UNKNOWN_AUTHORITY, 20),
        ("wrong-name", Failure.SSL_INVALID_HOSTNAME, 62),
        ("expired", Failure.SSL_INVALID_CERTIFICATE, 10),
    ],
)
async def test_every_forgery_is_told_by_what_is_wrong(
    forgery: str, failure: str, code: int
) -> None:
    """An unknown issuer, a wrong name and an expired date are three different failures."""
    async with serving(silent_after_hello, tls=forged_context(forgery)) as port:
        error = await shaken(port)
    assert isinstance(error, ssl.SSLCertVerificationError)
    assert error.verify_code == code
    assert failure_of(error) == failure
    assert not is_tls_alert(error)


async def test_a_certificate_for_names_does_not_serve_an_address() -> None:
    """A certificate for a name does not match an address."""
    async with serving(silent_after_hello, tls=honest_context()) as port:
        error = await shaken(port, name="127.0.0.1")
    assert isinstance(error, ssl.SSLCertVerificationError)
    assert error.verify_code == 64
    assert failure_of(error) == Failure.SSL_INVALID_HOSTNAME


ALERTS = {
    10: "unexpected message",
    20: "bad record mac",
    21: "decryption failed",
    22: "record overflow",
    40: "handshake failure",
    42: "bad certificate",
    43: "unsupported certificate",
    44: "certificate revoked",
    45: "certificate expired",
    46: "certificate unknown",
    47: "illegal parameter",
    48: "unknown ca",
    49: "access denied",
    50: "decode error",
    51: "decrypt error",
    70: "protocol version",
    71: "insufficient security",
    80: "internal error",
    86: "inappropriate fallback",
    90: "user canceled",
    109: "missing extension",
    110: "unsupported extension",
    112: "unrecognized name",
    113: "bad certificate status response",
    115: "unknown PSK identity",
    116: "certificate required",
    120: "no application protocol",
}


@pytest.mark.parametrize("number", sorted(ALERTS), ids=lambda number: ALERTS[number])
async def test_every_alert_is_known_for_one(number: int) -> None:
    """Any fatal alert is a failed handshake and marked as an alert."""

    async def alert(peer: Conversation) -> None:
        await peer.client_hello()
        await peer.send(b"\x15\x03\x03\x00\x02\x02" + bytes([number]))
        await forever()

    async with serving(alert) as port:
        error = await shaken(port, deadline=1.0)
    assert error is not None
    assert failure_of(error) == Failure.SSL_FAILED_HANDSHAKE
    assert is_tls_alert(error)


async def test_a_fault_of_our_own_finding_is_no_alert() -> None:
    """A server with an old TLS version fails the handshake without an alert."""

    async def hello_of_tls_1_1(peer: Conversation) -> None:
        await peer.client_hello()
        body = b"\x03\x02" + b"r" * 32 + b"\x00" + b"\xc0\x13" + b"\x00"
        message = b"\x02" + len(body).to_bytes(3, "big") + body
        await peer.send(b"\x16\x03\x02" + len(message).to_bytes(2, "big") + message)
        await forever()

    async with serving(hello_of_tls_1_1) as port:
        error = await shaken(port)
    assert error is not None
    assert failure_of(error) == Failure.SSL_FAILED_HANDSHAKE
    assert not is_tls_alert(error)


async def test_the_chain_is_on_record_after_verification_failed() -> None:
    """The certificates of a failed verification can be read afterwards."""
    async with serving(silent_after_hello, tls=forged_context("untrusted-chain")) as port:
        stream = await network().connect("127.0.0.1", port)
        try:
            with pytest.raises(ssl.SSLCertVerificationError):
                await stream.start_tls(NAME, verify=True)
            leaf, root = stream.peer_chain()
        finally:
            stream.close()
    assert leaf[:1] == root[:1] == b"\x30"


@pytest.mark.parametrize(
    ("number", "failure"),
    [
        (errno.EAFNOSUPPORT, "address_family_not_supported"),
        (errno.EADDRINUSE, "address_in_use"),
        (errno.EADDRNOTAVAIL, "address_not_available"),
        (errno.ECONNABORTED, "connection_aborted"),
        (errno.ECONNREFUSED, "connection_refused"),
        (errno.ECONNRESET, "connection_reset"),
        (errno.EPIPE, "connection_reset"),
        (errno.EHOSTUNREACH, "host_unreachable"),
        (errno.EHOSTDOWN, "host_unreachable"),
        (errno.ENONET, "host_unreachable"),
        (errno.ENOPROTOOPT, "host_unreachable"),
        (errno.EINTR, "interrupted"),
        (errno.ENETDOWN, "network_down"),
        (errno.ENETRESET, "network_reset"),
        (errno.ENETUNREACH, "network_unreachable"),
        (errno.ENOTCONN, "not_connected"),
        (errno.EACCES, "permission_denied"),
        (errno.EPERM, "permission_denied"),
        (errno.ETIMEDOUT, "timed_out"),
    ],
)
def test_every_errno_has_its_word(number: int, failure: str) -> None:
    """Each errno has its failure string."""
    assert failure_of(os_error(number)) == failure


@pytest.mark.parametrize(
    ("error", "failure"),
    [
        (PeerClosedError(), "eof_error"),
        (TimeoutError(), "generic_timeout_error"),
        (MalformedReplyError("odd"), "unknown_failure: MalformedReplyError: odd"),
        (
            OSError(errno.EMFILE, "Too many open files"),
            "unknown_failure: OSError: [Errno 24] Too many open files",
        ),
        (ValueError(), "unknown_failure: ValueError"),
    ],
)
def test_the_rest_has_a_class_of_its_own(error: Exception, failure: str) -> None:
    """Our own errors have their failures, and an unknown error keeps its text."""
    assert failure_of(error) == failure


@pytest.mark.parametrize("address", ["203.0.113.7", "2001:db8::7", "::ffff:203.0.113.7"])
def test_an_unknown_failure_holds_no_address(address: str) -> None:
    """The text of an unknown error never contains an address."""
    assert address not in failure_of(ValueError(f"cannot reach [{address}]:443 from {address}"))


def test_the_words_of_an_unknown_failure_are_short() -> None:
    """A long error text is cut."""
    assert len(failure_of(ValueError("x" * 10_000))) < 200


async def test_the_fakes_errors_are_like_the_real_ones() -> None:
    """The scripted network's exceptions have the type, code and reason of real ones."""
    real: dict[str, BaseException | None] = {}
    async with serving(fin_after_hello) as port:
        real["fin"] = await shaken(port)
    async with serving(reset_after_hello) as port:
        real["rst"] = await shaken(port)
    async with serving(silent_after_hello, tls=forged_context("unknown-authority")) as port:
        real["certificate"] = await shaken(port)

    async def alert(peer: Conversation) -> None:
        await peer.client_hello()
        await peer.send(b"\x15\x03\x03\x00\x02\x02\x28")

    async with serving(alert) as port:
        real["alert"] = await shaken(port)
    real["refused"] = await shaken(unused_port())
    fake = {
        "fin": closed_by_peer(),
        "rst": reset_by_peer(),
        "certificate": bad_certificate(20, "unable to get local issuer certificate"),
        "alert": tls_alert(),
        "refused": refused(),
    }
    if isinstance(real["fin"], ssl.SSLZeroReturnError):
        del fake["fin"]  # some releases of Python 3.11 call it that
    for case, error in fake.items():
        genuine = real[case]
        assert type(error) is type(genuine), case
        for name in ("errno", "reason", "library", "verify_code", "verify_message"):
            assert getattr(error, name, None) == getattr(genuine, name, None), (case, name)
