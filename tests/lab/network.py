"""A field network as a story tells it: what its censor does, and its link."""

import ipaddress
import itertools
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any, Self

import msgspec

from tests.lab import dns_wire
from tests.lab.addresses import FORGER, NetworkPlan
from tests.lab.hosts import BLOCK_PAGE, PORTAL
from tests.lab.namespaces import Namespace
from tests.lab.wiring import client_routes, unroute_lines
from tests.lab.worker import Worker
from tests.lab.world import Internet

BOGON = ("10.10.34.36", "fd00::10:10:34:36")
"""What a lying resolver answers unless told otherwise: private, nobody there."""

HOWS = {
    "dns": "nxdomain refused servfail empty truncate bogon address inject drop reset",
    "hello": "reset fin alert drop page",
    "request": "reset fin drop",
    "connect": "drop reset icmp-host icmp-admin icmp-net icmp-port icmp-protocol icmp-unknown",
    "quic": "drop",
    "udp": "drop",
    "payload": "reset fin drop",
}
UDP_ONLY = ("inject", "truncate")
ECHO = "You are {client}"


class LabNetwork(msgspec.Struct, frozen=True):
    """One field network to build. `name` is also the vantage's id in the configuration."""

    name: str
    asn: int = 64500
    country: str = "PK"
    title: str = ""
    """The network's name as a person knows it; by default `name` in capitals."""
    interface: str = ""
    """Device name in the client's namespace; by default wwan0, wwan1, …"""


class Rule:
    """One or more rules in force. Lift it, or use it as a context manager."""

    def __init__(self, box: Worker, numbers: Sequence[int]) -> None:
        """`numbers` are what the box knows the rules by."""
        self._box = box
        self.numbers = list(numbers)
        self._final = 0

    @property
    def hits(self) -> int:
        """How often it acted, also after it was lifted."""
        now: list[int] = [self._box.ask("hits", id=number) for number in self.numbers]
        return self._final + sum(now)

    def lift(self) -> None:
        """Take it out of force. Doing so twice is harmless."""
        while self.numbers:
            self._final += self._box.ask("lift", id=self.numbers.pop())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.lift()


class Network:
    """One field network of a running lab.

    Names: `x.com` means that name alone, `.x.com` also all below it. Times are seconds.
    """

    def __init__(
        self,
        spec: LabNetwork,
        plan: NetworkPlan,
        *,
        box: Worker,
        client: Namespace,
        internet: Internet,
        domestic: Sequence[str],
    ) -> None:
        self.name = spec.name
        self.spec = spec
        self.plan = plan
        self.source = plan.client4
        self.source6 = plan.client6
        self.interface = plan.interface
        self.resolver = plan.resolver4
        self.resolver6 = plan.resolver6
        self._whole = True
        self._box = box
        self._client = client
        self._internet = internet
        self._domestic = domestic
        self._counter = itertools.count(1)

    def block(
        self,
        *,
        how: str,
        dns: Sequence[str] = (),
        sni: Sequence[str] = (),
        http: Sequence[str] = (),
        address: Sequence[str] = (),
        quic: Sequence[str] = (),
        udp: Sequence[int] = (),
        payload: Sequence[str] = (),
        at: int = 0,
        ports: Sequence[int] = (),
        family: int = 0,
        resolver: str = "isp",
        transports: Sequence[str] = (),
        qtypes: Sequence[str] = (),
        answer: Sequence[str] = (),
        after: float = 0.05,
        residual: float = 0.0,
        residual_how: str = "reset",
        segments: str = "",
        chance: float = 1.0,
        turns: tuple[int, int] | None = None,
        seed: int = 1,
    ) -> Rule:
        """Interfere with names (dns, sni, http, quic), addresses or UDP ports.

        `payload` are bytes in hexadecimal digits that stand `at` that place of what a client sends
        first over TCP, in neither TLS nor HTTP, or of any datagram of its.

        Exactly one of `dns`, `sni`, `http`, `quic`, `udp`, `payload` is given, or `address` alone;
        otherwise
        `address` (host names, addresses or networks), `ports` and `family` narrow it down.
        What `how` may be is in HOWS. `sni` is what TLS over TCP names, `quic` what QUIC does; an
        address is blocked for both, unless `transports` says tcp or udp.

        For dns, `transports` are the same two; `resolver` is `isp`, `any` or an address, `answer`
        the forged addresses, `after` how much later than the injected answer the true one comes.
        `chance` leaves each connection to luck; `turns=(8, 2)` interferes with eight in a row, lets
        two be, and so on, which leaves nothing to it.
        `residual` is how long further connections to the same address suffer `residual_how`.
        `segments="one"` spares a ClientHello that comes in several, `"several"` one that does not.
        `page` answers a ClientHello by an HTTP error in cleartext.
        """
        given = {
            "dns": dns,
            "hello": sni,
            "request": http,
            "quic": quic,
            "udp": udp,
            "payload": payload,
        }
        kinds = [kind for kind, value in given.items() if value] or ["connect"]
        if len(kinds) > 1 or how not in HOWS[kinds[0]].split():
            raise ValueError(f"{' and '.join(kinds)} cannot be blocked by {how}")
        fields: dict[str, Any] = {
            "how": how,
            "names": [*dns, *sni, *http, *quic, *payload],
            "networks": self._networks(address, family),
            "ports": [*ports, *udp],
            "chance": chance,
            "turns": turns or (),
            "seed": seed,
            "residual": residual,
            "residual_how": residual_how,
            "segments": segments,
        }
        if how == "page":
            fields |= {"status": 400, "headers": {"Content-Type": "text/html"}}
        if dns:
            fields |= self._dns_fields(how, resolver, transports, qtypes, answer, after)
        elif kinds == ["connect"]:
            if not (fields["networks"] or ports):
                raise ValueError("nothing to block")
            fields["transports"] = list(transports) or ["tcp", "udp"]
        elif payload:
            fields |= {"size": at, "transports": list(transports) or ["tcp", "udp"]}
        elif transports:
            raise ValueError(f"{kinds[0]} has a transport of its own")
        return self._add(kinds[0], **fields)

    def page(
        self,
        http: Sequence[str] = (),
        *,
        status: int = 200,
        to: str = "",
        body: str = "",
        title: str = "Access denied",
        headers: Mapping[str, str] | None = None,
        echo: bool = False,
        ports: Sequence[int] = (80,),
    ) -> Rule:
        """Answer cleartext requests for these hosts (none: all) in the server's place.

        `to` makes it a redirect (status 302 unless another is given). `echo` puts the client's
        address in title, body, a header and the Location, as real block pages do.
        """
        sent = {"Content-Type": "text/html", **(headers or {})}
        shown = f"{title} {ECHO}" if echo else title
        text = body or "This page is blocked by order."
        if echo:
            text += f"<p>{ECHO}</p>"
            sent["X-Client-Address"] = "{client}"
        if to:
            status = 302 if status == 200 else status
            sent["Location"] = f"{to}?from={{client}}" if echo else to
        content = f"<html><head><title>{shown}</title></head><body>{text}</body></html>\n"
        return self._add(
            "request",
            how="page",
            names=list(http),
            ports=list(ports),
            status=status,
            headers=sent,
            body=content,
        )

    def forge(self, sni: Sequence[str], certificate: str = "unknown-authority") -> Rule:
        """Take TLS connections for these names over with a certificate of FORGERIES' kinds."""
        port = self._internet.open_forger(sni, certificate)
        return self._add("hello", how="forge", names=list(sni), addresses=list(FORGER), port=port)

    def throttle(
        self,
        *,
        kbit: float,
        sni: Sequence[str] = (),
        address: Sequence[str] = (),
        how: str = "shape",
    ) -> Rule:
        """Hold connections for these names or addresses to `kbit` per second, together.

        `shape` delays what is too fast and drops only when 64 KiB wait; `police` delays nothing
        and drops what is too fast, after a burst of 16 KiB, in each direction.
        """
        if how not in ("shape", "police"):
            raise ValueError(f"throttle by {how}?")
        networks = self._networks(address, 0)
        rate = kbit * 1000 / 8
        return self._add("pace", how=how, names=list(sni), networks=networks, rate=rate)

    def middlebox(
        self, address: Sequence[str], *, answer: str = "", ports: Sequence[int] = ()
    ) -> Rule:
        """Complete TCP handshakes with these addresses in their place, whoever is there or not.

        Then silence, or with `answer="http"` an HTTP error page to whatever is said.
        """
        if answer not in ("", "http"):
            raise ValueError(f"a middlebox that answers {answer}?")
        page = {
            "status": 400,
            "headers": {"Content-Type": "text/html", "Server": "squid"},
            "body": "<html><head><title>Bad Request</title></head></html>\n",
        }
        return self._add(
            "connect",
            how="accept",
            networks=self._networks(address, 0),
            ports=list(ports),
            transports=["tcp"],
            **(page if answer else {"status": 0}),
        )

    def stall(self, *, after: int, sni: Sequence[str] = (), address: Sequence[str] = ()) -> Rule:
        """Let the client have `after` bytes of each connection, and no more."""
        networks = self._networks(address, 0)
        return self._add("stall", names=list(sni), networks=networks, size=after)

    def captive(self, *, tls: str = "drop", redirect: bool = True) -> Rule:
        """A captive portal: every cleartext request is led to it, TLS is dropped or reset.

        Without `redirect` the portal answers in place with its page.
        """
        rules = [self.page(http=[PORTAL] if redirect else (), title="Log in to go online")]
        if redirect:
            rules.append(self.page(to=f"http://{PORTAL}/login", title="Moved"))
        rules.append(self.block(how=tls, address=["0.0.0.0/0", "::/0"], ports=[443]))
        return Rule(self._box, [number for rule in rules for number in rule.numbers])

    def cut(self) -> Rule:
        """Drop everything, both ways."""
        return self._add("cut")

    def cut_foreign(self) -> Rule:
        """Drop everything but the country's own addresses and the network's resolver."""
        return self.pass_only()

    def pass_only(self, address: Sequence[str] = (), *, domestic: bool = True) -> Rule:
        """Drop everything but these addresses, the network's resolver and the country's own."""
        home = [self.plan.resolver4, self.plan.resolver6, self.plan.gateway4, self.plan.gateway6]
        passing = [*home, *BLOCK_PAGE, *self._networks(address, 0)]
        return self._add("foreign", networks=passing + [*self._domestic] * domestic)

    def impair(
        self,
        *,
        loss: float = 0.0,
        rtt: float = 0.0,
        jitter: float = 0.0,
        near: bool = False,
        address: Sequence[str] = (),
        seed: int = 1,
    ) -> Rule:
        """Lose frames at random (each way) and delay them by half of `rtt`, give or take; with
        `address` only those to and from it.

        `near` puts the bad line between client and censor: what the censor makes up is lost and
        late as well on its way to the client, and not only what others send.
        """
        return self._add(
            "impair",
            loss=loss,
            delay=rtt / 2,
            jitter=jitter,
            near=near,
            networks=self._networks(address, 0),
            seed=seed,
        )

    def routers(self, *, before: int, total: int, own: Sequence[str] = (), shared: int = 0) -> Rule:
        """Let packets pass `total` routers, the first `before` of them on the client's side of the
        censor. A packet that may pass fewer ends there, and its sender is told. The way to the
        hosts or networks `own` has the first `shared` routers in common with all others.
        """
        networks = self._networks(own, 0)
        return self._add("routers", before=before, total=total, shared=shared, networks=networks)

    def path_mtu(self, size: int, address: Sequence[str], family: int = 0) -> Rule:
        """Drop packets from these addresses (of one family; 0: both) that have more than `size`
        bytes, and tell nobody."""
        return self._add("impair", size=size, networks=self._networks(address, family))

    def unplug(self) -> None:
        """Take the link down: no route, errors at once."""
        self._client.ip(f"link set {self.interface} down\n")
        self._whole = False

    def unroute(self, family: int) -> None:
        """Take the routes of one IP family away; `plug` brings them back."""
        self._client.ip(unroute_lines(self.plan, family))
        self._whole = False

    def plug(self) -> None:
        """Bring the link and its routes back."""
        self._client.ip("\n".join([f"link set {self.interface} up", *client_routes(self.plan), ""]))
        self._whole = True

    def reset(self) -> None:
        """As new: no rules, link up."""
        self._box.ask("clear")
        if not self._whole:
            self.plug()

    def _add(self, kind: str, **fields: Any) -> Rule:
        number = next(self._counter)
        self._box.ask("add", rule={"id": number, "kind": kind, **fields})
        return Rule(self._box, [number])

    def _networks(self, given: Sequence[str], family: int) -> list[str]:
        """Networks of what was named, of one family (0: both)."""
        found: list[str] = []
        for what in given:
            found += self._internet.addresses.get(what, (what,))
        if not given and family:
            found = ["0.0.0.0/0", "::/0"]
        networks = map(ipaddress.ip_network, found)
        return [str(network) for network in networks if family in (0, network.version)]

    def _dns_fields(
        self,
        how: str,
        resolver: str,
        transports: Sequence[str],
        qtypes: Sequence[str],
        answer: Sequence[str],
        after: float,
    ) -> dict[str, Any]:
        own = [self.plan.resolver4, self.plan.resolver6]
        return {
            "how": "address" if how == "bogon" else how,
            "resolvers": {"isp": own, "any": []}.get(resolver, [resolver]),
            "transports": list(transports) or (["udp"] if how in UDP_ONLY else ["udp", "tcp"]),
            "qtypes": [dns_wire.TYPES[qtype] for qtype in qtypes],
            "addresses": list(answer or BOGON),
            "after": after,
        }
