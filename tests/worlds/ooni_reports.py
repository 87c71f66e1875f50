"""Small OONI measurements for tests, in the shapes the engines write.

report("telegram", tcp_connect=[connect("149.154.167.51", 443)])
web("https://x.com/", queries=[query("x.com", V4)], control=control(V4))
"""

from typing import Any

import msgspec

from monitor.config.catalog import shipped_catalog
from monitor.judging.from_ooni import judge_imported
from monitor.ooni.convert import Imported, convert
from monitor.ooni.ooni_format import decode
from storage.values.cycle import Cycle

V4, V4_HELPER, V6, BOGON = "104.16.1.1", "104.16.2.2", "2606:4700::1", "10.10.34.36"
PERSON = "81.2.69.142"
"""The address of the person who ran the probe."""

Entry = dict[str, Any]


def report(test: str, *, url: str | None = None, **keys: Any) -> Entry:
    """A measurement as OONI's archive holds it."""
    return {
        "annotations": {"platform": "linux"},
        "data_format_version": "0.2.0",
        "input": url,
        "measurement_start_time": "2024-02-17 12:00:00",
        "test_start_time": "2024-02-17 11:59:59",
        "probe_asn": "AS17557",
        "probe_cc": "PK",
        "probe_ip": "127.0.0.1",
        "probe_network_name": "PTCL",
        "report_id": "20240217T120000Z_test_PK_17557_n1_x",
        "resolver_asn": "AS17557",
        "resolver_ip": "203.99.163.240",
        "software_name": "ooniprobe-cli",
        "software_version": "3.20.0",
        "test_name": test,
        "test_runtime": 3.0,
        "test_version": "0.5.0",
        "test_keys": keys,
    }


def web(url: str, **keys: Any) -> Entry:
    """A web_connectivity measurement; the helper answered unless `control` says otherwise."""
    return report("web_connectivity", url=url, control_failure=None, **keys)


def query(
    host: str,
    *addresses: str,
    failure: str | None = None,
    engine: str = "getaddrinfo",
    resolver: str = "",
    kind: str = "A",
    t: float = 0.1,
) -> Entry:
    """One DNS query that took 50 ms."""
    return {
        "engine": engine,
        "failure": failure,
        "hostname": host,
        "query_type": kind,
        "resolver_address": resolver,
        "resolver_hostname": None,
        "resolver_port": None,
        "answers": [
            {"answer_type": "AAAA", "ipv6": one, "ttl": None}
            if ":" in one
            else {"answer_type": "A", "ipv4": one, "ttl": None}
            for one in addresses
        ],
        "t0": t - 0.05,
        "t": t,
    }


def connect(ip: str, port: int = 443, failure: str | None = None, *, t: float = 0.3) -> Entry:
    """One TCP connection that took 100 ms."""
    return {
        "ip": ip,
        "port": port,
        "status": {"failure": failure, "success": failure is None},
        "t0": t - 0.1,
        "t": t,
    }


def handshake(host: str, ip: str = V4, failure: str | None = None, *, t: float = 0.5) -> Entry:
    """One TLS handshake that took 150 ms."""
    return {
        "address": f"[{ip}]:443" if ":" in ip else f"{ip}:443",
        "server_name": host,
        "failure": failure,
        "cipher_suite": "" if failure else "TLS_AES_128_GCM_SHA256",
        "negotiated_protocol": "" if failure else "h2",
        "no_tls_verify": False,
        "peer_certificates": [{"format": "base64", "data": "AQID"}],
        "tls_version": "" if failure else "TLSv1.3",
        "t0": t - 0.15,
        "t": t,
    }


def request(
    url: str,
    code: int = 200,
    *,
    failure: str | None = None,
    body: Any = "<title>Greetings everyone</title>",
    headers: list[list[str]] | None = None,
    ip: str | None = None,
    tags: list[str] | None = None,
    t: float | None = 0.9,
) -> Entry:
    """One request that took 300 ms, with its response."""
    listed = [["Content-Type", "text/html"]] if headers is None else headers
    entry: Entry = {
        "failure": failure,
        "request": {"method": "GET", "url": url, "headers_list": [["Accept", "*/*"]]},
        "response": {
            "body": "" if failure else body,
            "body_is_truncated": False,
            "code": 0 if failure else code,
            "headers_list": None if failure else listed,
            "headers": None if failure else dict(listed),
        },
        "tags": tags,
    }
    if t is not None:
        entry |= {"t0": t - 0.3, "t": t}
    if ip is not None:
        entry["address"] = f"{ip}:443"
    return entry


def control(
    *addresses: str,
    failure: str | None = None,
    status: int = 200,
    title: str = "Greetings everyone",
    length: int = 33,
    tls: bool = True,
) -> Entry:
    """The helper's answer: reached the URL at these addresses unless it failed."""
    named = [f"[{one}]:443" if ":" in one else f"{one}:443" for one in addresses]
    return {
        "dns": {"failure": None if addresses else "dns_nxdomain_error", "addrs": list(addresses)},
        "tcp_connect": {one: {"status": True, "failure": None} for one in named},
        "tls_handshake": {
            one: {"server_name": "x.com", "status": True, "failure": None} for one in named if tls
        },
        "http_request": {
            "body_length": -1 if failure else length,
            "status_code": -1 if failure else status,
            "title": "" if failure else title,
            "headers": {} if failure else {"Content-Type": "text/html"},
            "failure": failure,
        },
    }


def imported(entry: Entry) -> Imported:
    """The measurement in our types."""
    wire, flag = decode(msgspec.json.encode(entry))
    return convert(wire, flag, shipped_catalog())


def judged(entry: Entry) -> Cycle:
    """What the rules say."""
    return judge_imported(imported(entry))
