"""A plain HTTP/3 look: one request over QUIC, on a blocking socket.

Needs aioquic, and so a child that has called `worker.load_packages`.
"""

import logging
import socket
import ssl
import time
from typing import Any

from aioquic.h3.connection import H3_ALPN, H3Connection
from aioquic.h3.events import DataReceived, H3Event, HeadersReceived
from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.connection import QuicConnection
from aioquic.quic.events import ConnectionTerminated, HandshakeCompleted

logging.getLogger("quic").addHandler(logging.NullHandler())


def ask(sock: socket.socket, look: dict[str, Any]) -> dict[str, Any]:
    """GET `path` for server name `sni` over a connected UDP socket.

    `large` makes a ClientHello of more than one datagram, as browsers send.

    Raises TimeoutError after `timeout` seconds, and ConnectionAbortedError with the QUIC error
    code when either side ends the connection.
    """
    quic = QuicConnection(
        configuration=QuicConfiguration(
            alpn_protocols=H3_ALPN,
            server_name=look["sni"],
            cafile=look["ca"],
            verify_mode=ssl.CERT_REQUIRED if look.get("verify", True) else ssl.CERT_NONE,
            quantum_readiness_test=look.get("large", False),
        )
    )
    deadline = time.monotonic() + look.get("timeout", 3.0)
    quic.connect(sock.getpeername(), now=time.monotonic())
    h3: H3Connection | None = None
    seen: dict[str, Any] = {"stage": "quic"}
    body = bytearray()
    while "ended" not in seen:
        for data, _ in quic.datagrams_to_send(now=time.monotonic()):
            sock.send(data)
        now, alarm = time.monotonic(), quic.get_timer()
        if now >= deadline:
            raise TimeoutError("timed out")
        sock.settimeout(max(0.001, min(deadline, alarm or deadline) - now))
        try:
            quic.receive_datagram(sock.recv(65536), sock.getpeername(), now=time.monotonic())
        except TimeoutError:
            if alarm is not None and time.monotonic() >= alarm:
                quic.handle_timer(now=time.monotonic())
        while (event := quic.next_event()) is not None:
            if isinstance(event, ConnectionTerminated):
                raise ConnectionAbortedError(f"{event.error_code:#x} {event.reason_phrase}")
            if isinstance(event, HandshakeCompleted):
                seen["alpn"] = event.alpn_protocol
                h3 = H3Connection(quic)
                _request(quic, h3, look)
            for part in h3.handle_event(event) if h3 else ():
                _take(part, seen, body)
    quic.close()
    for data, _ in quic.datagrams_to_send(now=time.monotonic()):
        sock.send(data)
    return {**seen, "size": len(body), "body": body[: 1 << 20].decode("utf-8", "replace")}


def _request(quic: QuicConnection, h3: H3Connection, look: dict[str, Any]) -> None:
    head = [
        (b":method", b"GET"),
        (b":scheme", b"https"),
        (b":authority", look["sni"].encode()),
        (b":path", look.get("path", "/").encode()),
    ]
    h3.send_headers(quic.get_next_available_stream_id(), head, end_stream=True)


def _take(part: H3Event, seen: dict[str, Any], body: bytearray) -> None:
    if isinstance(part, HeadersReceived):
        headers = {name.decode(): value.decode() for name, value in part.headers}
        seen["status"] = int(headers.pop(":status"))
        seen["headers"] = headers
    elif isinstance(part, DataReceived):
        body += part.data
    else:
        return
    if part.stream_ended:
        seen["ended"] = True
