"""Plain looks from inside the client's namespace, with nothing but sockets and ssl.

Run there: `python -m tests.lab.visitor`. Each look tells exactly what the application saw: the
exception's name, its errno, OpenSSL's reason. It is the lab's own witness, and knows nothing of
the monitor that is tested in the lab.
"""

import contextlib
import ipaddress
import os
import socket
import ssl
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from tests.lab import dns_wire
from tests.lab.worker import Handler, Lines, Request, load_packages, obey

Seen = dict[str, Any]
SO_BINDTODEVICE = 25


def dns(look: Request) -> Seen:
    """Ask `name`/`qtype` of `server`; keep listening for `wait` seconds after the first answer."""
    query = dns_wire.question(0x1234, look["name"], dns_wire.TYPES[look.get("qtype", "A")])
    if look.get("tcp"):
        with _connected({**look, "address": look["server"], "port": 53}) as sock:
            sock.sendall(len(query).to_bytes(2, "big") + query)
            size = int.from_bytes(_exactly(sock, 2), "big")
            return {"answers": [_read_answer(_exactly(sock, size))]}
    answers = []
    with _socket(look, look["server"], socket.SOCK_DGRAM) as sock:
        sock.connect((look["server"], 53))
        sock.send(query)
        answers.append(_read_answer(sock.recv(4096)))
        sock.settimeout(look.get("wait", 0.001))
        try:
            while True:
                answers.append(_read_answer(sock.recv(4096)))
        except TimeoutError:
            return {"answers": answers}


def tcp(look: Request) -> Seen:
    """Connect to `address`:`port`; send `data` (text) or `hex` and read once if told to."""
    with _connected(look) as sock:
        seen: Seen = {"own": sock.getsockname()[0]}
        if "data" in look or "hex" in look:
            sock.sendall(_given(look))
            received = sock.recv(4096)
            seen |= {"received": received.decode("latin-1"), "hex": received.hex()}
        return seen


def udp(look: Request) -> Seen:
    """Send a datagram (`data`, `hex`, or a greeting) to `address`:`port` and wait for anything."""
    with _socket(look, look["address"], socket.SOCK_DGRAM) as sock:
        sock.connect((look["address"], look["port"]))
        sock.send(_given(look) or b"hello")
        return {"own": list(sock.getsockname()[:2]), "hex": sock.recv(4096).hex()}


def h3(look: Request) -> Seen:
    """HTTP/3 request for `path` of `sni` at `address`:`port`; an error's text holds QUIC's code."""
    load_packages()
    from tests.lab import visitor_h3

    with _socket(look, look["address"], socket.SOCK_DGRAM) as sock:
        sock.connect((look["address"], look["port"]))
        return _with_stage("quic", lambda: visitor_h3.ask(sock, look))


def tls(look: Request) -> Seen:
    """Connect and shake hands for server name `sni`; with `path`, ask for it afterwards.

    Without `verify` any certificate will do.
    """
    with _connected(look) as sock:
        return _with_stage("tls", lambda: _tls(sock, look))


def http(look: Request) -> Seen:
    """Cleartext request for `path` of `host`."""
    with _connected(look) as sock:
        return _with_stage("http", lambda: _request(sock, look))


LOOKS: dict[str, Callable[[Request], Seen]] = {
    "dns": dns,
    "tcp": tcp,
    "udp": udp,
    "h3": h3,
    "tls": tls,
    "http": http,
}


def look(request: Request) -> Seen:
    """Carry out one look; an exception becomes `error` and its details."""
    began = time.monotonic()
    try:
        seen = LOOKS[request["kind"]](request)
    except OSError as error:
        seen = {"stage": getattr(error, "stage", "tcp"), **_told(error)}
    return {**seen, "seconds": time.monotonic() - began}


def many(request: Request) -> list[Seen]:
    """Carry out `looks`, several at once."""
    with ThreadPoolExecutor(request.get("at_once", 16)) as pool:
        return list(pool.map(look, request["looks"]))


def _given(look: Request) -> bytes:
    return bytes.fromhex(look["hex"]) if "hex" in look else str(look.get("data", "")).encode()


def _told(error: OSError) -> Seen:
    told: Seen = {"error": type(error).__name__, "errno": error.errno, "text": str(error)}
    if isinstance(error, ssl.SSLError):
        told["reason"] = error.reason
    if isinstance(error, ssl.SSLCertVerificationError):
        told["verify_code"] = error.verify_code
    return told


def _with_stage(stage: str, act: Callable[[], Seen]) -> Seen:
    try:
        return act()
    except OSError as error:
        if not hasattr(error, "stage"):
            error.stage = stage  # type: ignore[attr-defined]
        raise


def _socket(look: Request, address: str, kind: socket.SocketKind) -> socket.socket:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    sock = socket.socket(family, kind)
    sock.settimeout(look.get("timeout", 3.0))
    if "source" in look:
        sock.bind((look["source"], look.get("source_port", 0)))
    if "interface" in look:
        sock.setsockopt(socket.SOL_SOCKET, SO_BINDTODEVICE, look["interface"].encode())
    return sock


def _connected(look: Request) -> socket.socket:
    proxy = look.get("proxy")
    address, port = proxy[:2] if proxy else (look["address"], look["port"])
    sock = _socket(look, address, socket.SOCK_STREAM)
    try:
        sock.connect((address, port))
        if proxy:
            _with_stage("proxy", lambda: _through(sock, proxy, look))
    except OSError:
        sock.close()
        raise
    return sock


def _through(sock: socket.socket, proxy: list[Any], look: Request) -> Seen:
    """SOCKS5 with a password, by name or by address, whichever `address` is."""
    username, password = proxy[2].encode(), proxy[3].encode()
    sock.sendall(b"\x05\x01\x02")
    if _exactly(sock, 2) != b"\x05\x02":
        raise ConnectionAbortedError("method refused")
    sock.sendall(bytes([1, len(username)]) + username + bytes([len(password)]) + password)
    if _exactly(sock, 2) != b"\x01\x00":
        raise PermissionError("password refused")
    try:
        packed = ipaddress.ip_address(look["address"]).packed
        target = (b"\x01" if len(packed) == 4 else b"\x04") + packed
    except ValueError:
        name = look["address"].encode()
        target = b"\x03" + bytes([len(name)]) + name
    sock.sendall(b"\x05\x01\x00" + target + look["port"].to_bytes(2, "big"))
    code = _exactly(sock, 10)[1]
    if code:
        raise ConnectionAbortedError(f"reply {code}")
    return {}


def _tls(sock: socket.socket, look: Request) -> Seen:
    context = ssl.create_default_context(cafile=look["ca"])
    context.set_alpn_protocols(["http/1.1"])
    if not look.get("verify", True):
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    if look.get("pieces"):
        return _fragmented(sock, context, look)
    with context.wrap_socket(sock, server_hostname=look["sni"]) as secure:
        certificate = secure.getpeercert() or {}
        seen: Seen = {
            "version": secure.version(),
            "names": [str(entry[1]) for entry in certificate.get("subjectAltName", ())],
        }
        if "path" in look:
            seen |= _with_stage("http", lambda: _request(secure, look))
        return seen


def _fragmented(sock: socket.socket, context: ssl.SSLContext, look: Request) -> Seen:
    """A ClientHello in many small segments; tells what the server's first byte is."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    session = context.wrap_bio(incoming, outgoing, server_hostname=look["sni"])
    with contextlib.suppress(ssl.SSLWantReadError):
        session.do_handshake()
    hello = outgoing.read()
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    size = look["pieces"]
    for at in range(0, len(hello), size):
        sock.sendall(hello[at : at + size])
        time.sleep(0.002)
    return {"first": _exactly(sock, 1)[0]}


def _request(sock: socket.socket, look: Request) -> Seen:
    host = look.get("host") or look.get("sni")
    request = f"GET {look['path']} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"
    sock.sendall(request.encode())
    began, data, first = time.monotonic(), bytearray(), 0.0
    error: Seen = {}
    try:
        while piece := sock.recv(65536):
            first = first or time.monotonic()
            data += piece
    except OSError as failed:
        if b"\r\n\r\n" not in data:
            raise
        error = {"body_error": type(failed).__name__}
    if not data:
        raise ConnectionResetError("closed without an answer")
    head, _, body = bytes(data).partition(b"\r\n\r\n")
    status, *lines = head.decode("latin-1").split("\r\n")
    return {
        "status": int(status.split(" ")[1]),
        "headers": {name: value for name, _, value in (line.partition(": ") for line in lines)},
        "body": body[: 1 << 20].decode("utf-8", "replace"),
        "size": len(body),
        "body_seconds": time.monotonic() - (first or began),
        **error,
    }


def _read_answer(message: bytes) -> Seen:
    """Response code, truncation and addresses of an answer."""
    flags, _, count = (int.from_bytes(message[at : at + 2], "big") for at in (2, 4, 6))
    at = _skip_name(message, 12) + 4
    addresses, cnames = [], 0
    for _ in range(count):
        at = _skip_name(message, at)
        kind = int.from_bytes(message[at : at + 2], "big")
        size = int.from_bytes(message[at + 8 : at + 10], "big")
        if kind in (dns_wire.A, dns_wire.AAAA):
            addresses.append(str(ipaddress.ip_address(message[at + 10 : at + 10 + size])))
        cnames += kind == dns_wire.CNAME
        at += 10 + size
    return {
        "rcode": flags & 15,
        "truncated": bool(flags & 0x200),
        "addresses": addresses,
        "cnames": cnames,
    }


def _skip_name(message: bytes, at: int) -> int:
    while size := message[at]:
        if size >= 0xC0:
            return at + 2
        at += 1 + size
    return at + 1


def _exactly(sock: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        piece = sock.recv(size - len(data))
        if not piece:
            raise ConnectionResetError("closed")
        data += piece
    return data


def main() -> None:
    """Obey standard input until it ends."""
    handlers: dict[str, Handler] = {"look": lambda request: look(request["look"]), "many": many}
    lines = Lines()
    while data := os.read(0, 1 << 20):
        for line in lines.feed(data):
            os.write(1, obey(line, handlers))


if __name__ == "__main__":
    main()
