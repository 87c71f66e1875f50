"""`[collector]`: the address that agents send to, and its certificate."""

import ssl
from collections.abc import Mapping
from typing import Any

from monitor.config.keys_by_table import COLLECTOR
from monitor.config.loopback import is_loopback
from monitor.config.settings import CollectorSettings
from monitor.config.toml_node import Node, read_table


def read_collector(node: Node) -> CollectorSettings:
    """The whole table. Raises Invalid."""
    values = read_table(node, COLLECTOR)
    _check_pair(node, values)
    _check_listener(node, values)
    return CollectorSettings(**values)


def _check_pair(node: Node, values: Mapping[str, Any]) -> None:
    """Refuse a certificate without the key that fits it. Raises Invalid."""
    certificate, key = values.get("certificate", ""), values.get("certificate_key", "")
    if not certificate and not key:
        return
    if not certificate:
        raise node.lack("certificate", "the file of the certificate that the key is for")
    if not key:
        raise node.lack("certificate_key", "the file of the key that the certificate is for")
    table = node.table()
    try:
        server_context(certificate, key)
    except ssl.SSLError:
        raise table["certificate_key"].fail(
            "PEM files of a certificate and of the key that it was made for, without a passphrase"
        ) from None
    except OSError as error:
        raise table["certificate_key"].fail(f"files that can be read ({error.strerror})") from None


def server_context(certificate: str, key: str) -> ssl.SSLContext:
    """TLS for a server with that certificate. Raises OSError, ssl.SSLError among them."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    # Without a password given here OpenSSL would ask for one on the terminal.
    context.load_cert_chain(certificate, key, password="")
    return context


def _check_listener(node: Node, values: Mapping[str, Any]) -> None:
    """Note an address that other machines reach without TLS."""
    host, _ = values.get("listen", ("", 0))
    if not host or is_loopback(host) or values.get("certificate") or values.get("behind_proxy"):
        return
    node.table()["listen"].fail(
        "name a certificate and its certificate_key; or say behind_proxy = true where a proxy "
        "in front speaks TLS; or listen on 127.0.0.1 only",
        wrong="can be reached from other machines without TLS",
    )
