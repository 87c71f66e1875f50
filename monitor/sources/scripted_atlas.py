"""ScriptedAtlas: RIPE Atlas without RIPE Atlas, for tests and trials.

Its probes test what they are asked to as a script says, in the shapes of the probe's own source:
results that trickle in for minutes, name their host's addresses in every field where real ones do,
and cost credits. Written from the source of the probe and of the clients; it was never compared
with the live service.

    atlas = ScriptedAtlas(now, key="secret", chain=lambda host: [...])
    atlas.probes.append(Home(number=1, country="PK", asn=17557))
    atlas.treats["PK", "x.com"] = "timeout"
"""

import base64
import struct
from collections import deque
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import msgspec

from monitor.sources.scripted_ooni import Reply
from probes.layers.dns_message import encode_name
from probes.sockets.http_client import httpx

PRICE = 20
"""Credits of a result of a test that is made once."""
HONEST, BOGON = "151.101.1.229", "10.10.34.35"
_REQUIRED = {
    "sslcert": ("target", "af", "description"),
    "dns": ("query_class", "query_type", "query_argument", "af", "description"),
}


class Home(msgspec.Struct, frozen=True, kw_only=True):
    """A probe, and what of its host stands in each of its results."""

    number: int
    country: str
    asn: int
    tags: tuple[str, ...] = ("system-ipv4-works", "home")
    address: str = "192.0.2.1"
    """Its public address."""
    inside: str = "192.168.77.23"
    resolver: str = "192.0.2.53"
    slow: timedelta = timedelta(minutes=1)
    """Time until its results come."""
    firmware: int = 5120
    clock: int = 12
    """Seconds since its clock was set; -1: never."""


class _Asked(msgspec.Struct, frozen=True, kw_only=True):
    definition: dict[str, Any]
    probes: tuple[Home, ...]
    at: datetime


class ScriptedAtlas:
    """Answers requests. One thread at a time."""

    def __init__(
        self, now: Callable[[], datetime], *, key: str, chain: Callable[[str], list[str]]
    ) -> None:
        """`now` gives UTC; `key` is that of the account; `chain` gives the certificates (PEM, leaf
        first) of a host."""
        self._now = now
        self._key = key
        self._chain = chain
        self.probes: list[Home] = []
        self.credits = 100_000
        self.treats: dict[tuple[str, str], str] = {}
        """Country and host → `timeout`, `silent`, `refused`, `nxdomain`, `bogon`, `forged`,
        `alert` or `blocked page`."""
        self.failing: deque[Reply | Exception] = deque()
        """What happens to the next requests."""
        self.asked: list[str] = []
        """Method and path of every request."""
        self.created: dict[int, _Asked] = {}

    def handle(self, request: httpx.Request) -> httpx.Response:
        """The answer to a request."""
        self.asked.append(f"{request.method} {request.url.path}")
        if self.failing:
            reply = self.failing.popleft()
            if isinstance(reply, Exception):
                raise reply
            return httpx.Response(reply.status, content=reply.body, headers=reply.headers)
        if request.headers.get("Authorization") != f"Key {self._key}":
            return _error(403, "Forbidden", "The provided API key does not exist")
        parts = request.url.path.strip("/").split("/")[2:]
        if request.method == "POST" and parts == ["measurements"]:
            return self._create(msgspec.json.decode(request.content))
        if parts == ["credits"]:
            return _json(200, {"current_balance": self.credits, "max_daily_credits": 1_000_000})
        if parts[0] == "probes":
            return self._probe(int(parts[1]))
        if parts[0] == "measurements" and parts[-1] == "results":
            return _json(200, self._results(int(parts[1])))
        return _error(404, "Not Found", "Not found.")

    def _create(self, body: dict[str, Any]) -> httpx.Response:
        for position, one in enumerate(body["definitions"]):
            for field in _REQUIRED.get(one.get("type", ""), ("type",)):
                if field not in one:
                    pointer = f"/definitions/{position}/{field}"
                    return _error(400, "Bad Request", "There were problems", pointer)
        (wanted,) = body["probes"]
        tags = wanted.get("tags", {})
        found = tuple(
            one
            for one in self.probes
            if (wanted["type"], wanted["value"]) == ("country", one.country)
            and set(tags.get("include", ())) <= set(one.tags)
            and not set(tags.get("exclude", ())) & set(one.tags)
        )[: wanted["requested"]]
        numbers = []
        for one in body["definitions"]:
            number = 100_000_001 + len(self.created)
            self.created[number] = _Asked(definition=one, probes=found, at=self._now())
            self.credits -= PRICE * len(found)
            numbers.append(number)
        return _json(201, {"measurements": numbers})

    def _probe(self, number: int) -> httpx.Response:
        for one in self.probes:
            if one.number == number:
                return _json(
                    200,
                    {
                        "id": number,
                        "address_v4": one.address,
                        "asn_v4": one.asn,
                        "country_code": one.country,
                        "description": "The house of somebody",
                        "geometry": {"type": "Point", "coordinates": [67.01, 24.86]},
                        "prefix_v4": f"{one.address}/24",
                        "status": {"id": 1, "name": "Connected"},
                        "tags": [{"slug": tag} for tag in one.tags],
                    },
                )
        return _error(404, "Not Found", "Not found.")

    def _results(self, number: int) -> list[dict[str, Any]]:
        asked = self.created.get(number)
        if asked is None:
            return []
        return [
            self._result(number, asked, one)
            for one in asked.probes
            if asked.at + one.slow <= self._now()
        ]

    def _result(self, number: int, asked: _Asked, home: Home) -> dict[str, Any]:
        kind = asked.definition["type"]
        common = {
            "fw": home.firmware,
            "mver": "2.6.4",
            "lts": home.clock,
            "msm_id": number,
            "prb_id": home.number,
            "timestamp": int((asked.at + home.slow / 2).timestamp()),
            "msm_name": "SSLCert" if kind == "sslcert" else "Tdig",
            "type": kind,
            "from": home.address,
            "stored_timestamp": int((asked.at + home.slow).timestamp()),
        }
        if kind == "dns":
            host = asked.definition["query_argument"]
            how = self.treats.get((home.country, host), "")
            return {**common, "resultset": [_lookup(host, how, home)]}
        host = asked.definition["target"]
        how = self.treats.get((home.country, host), "")
        return {**common, "dst_name": host, "dst_port": "443", **self._greeted(host, how, home)}

    def _greeted(self, host: str, how: str, home: Home) -> dict[str, Any]:
        if how == "nxdomain":
            return {"ttr": 21.0, "dnserr": "nodename nor servname provided, or not known"}
        if how == "bogon":
            return {"dst_addr": BOGON, "af": 4, "ttr": 20.1, "error": "address not allowed"}
        to = {"dst_addr": HONEST, "af": 4, "ttr": 21.4}
        if how == "silent":
            return {**to, "err": "connect: timeout"}
        if how == "refused":
            return {**to, "err": "connect: Connection refused"}
        met = {**to, "method": "TLS", "ver": "1.2", "src_addr": home.inside, "ttc": 31.6}
        if how == "timeout":
            return {**met, "err": "timeout reading hello"}
        if how == "blocked page":
            return {**met, "err": "bad type"}
        if how == "alert":
            return {**met, "rt": 65.9, "alert": {"level": 2, "description": 40}}
        name = "gateway.example" if how == "forged" else host
        return {**met, "rt": 65.9, "server_cipher": "0xc02f", "cert": self._chain(name)}


def _lookup(host: str, how: str, home: Home) -> dict[str, Any]:
    common = {
        "subid": 1,
        "submax": 1,
        "dst_addr": home.resolver,
        "dst_port": "53",
        "af": 4,
        "src_addr": home.inside,
        "proto": "UDP",
    }
    if how == "dns timeout":
        return {**common, "error": {"timeout": 5000}}
    rcode = 3 if how == "nxdomain" else 0
    address = BOGON if how == "bogon" else HONEST
    message = _message(host, rcode, "" if rcode else address)
    abuf = base64.b64encode(message).decode()
    return {**common, "result": {"rt": 12.1, "size": len(message), "abuf": abuf, "ID": 43981}}


def _message(host: str, rcode: int, address: str) -> bytes:
    """A reply with one address, or none."""
    count = 1 if address else 0
    head = struct.pack("!6H", 0xABCD, 0x8180 | rcode, 1, count, 0, 0)
    question = encode_name(host) + struct.pack("!HH", 1, 1)
    if not address:
        return head + question
    octets = bytes(map(int, address.split(".")))
    return head + question + struct.pack("!HHHIH", 0xC00C, 1, 1, 60, 4) + octets


def _error(status: int, title: str, detail: str, pointer: str = "") -> httpx.Response:
    errors = [{"source": {"pointer": pointer}, "detail": "This field is required."}]
    body = {"status": status, "title": title, "detail": detail, "code": 102}
    return _json(status, {"error": {**body, "errors": errors} if pointer else body})


def _json(status: int, body: Any) -> httpx.Response:
    return httpx.Response(
        status, content=msgspec.json.encode(body), headers={"Content-Type": "application/json"}
    )
