"""The internet and the controls as a story tells them: what is up, what is down, who came by."""

import itertools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from tests.lab import certificates
from tests.lab.addresses import FORGER, direct_addresses
from tests.lab.hosts import Page
from tests.lab.worker import Worker


class Internet:
    """All hosts on the far side."""

    def __init__(
        self,
        worker: Worker,
        addresses: Mapping[str, tuple[str, ...]],
        directory: Path,
        *,
        peers: Mapping[str, tuple[str, ...]],
    ) -> None:
        """`directory` takes the certificates made while running.

        `peers` are the addresses of each field network and of all `controls`.
        """
        self._peers = peers
        self.addresses = dict(addresses)
        """Addresses of each host, IPv4 first."""
        self._worker = worker
        self._directory = directory
        self._forger_ports = itertools.count(7001)
        self._forgers: dict[int, str] = {}

    def address(self, host: str, family: int = 4) -> str:
        """The host's first address of a family."""
        return next(a for a in self.addresses[host] if (":" in a) == (family == 6))

    def down(self, *hosts: str, how: str = "refuse") -> None:
        """Stop answering, from this moment: `refuse` resets, `silence` drops everything."""
        if how not in ("refuse", "silence"):
            raise ValueError(f"down by {how}?")
        for host in hosts:
            self._worker.ask("down", host=host, how=how)

    def up(self, *hosts: str) -> None:
        """Answer again."""
        for host in hosts:
            self._worker.ask("up", host=host)

    def page(
        self,
        host: str,
        page: Page | None,
        *,
        path: str = "",
        scheme: str = "https",
        to: str | Sequence[str] = (),
    ) -> None:
        """Serve a page under a path ("": every other one); None takes it away again.

        `to` serves it to some clients alone, before every other page: `controls`, the name of a
        field network, addresses or networks.
        """
        given = [to] if isinstance(to, str) else to
        networks = [network for who in given for network in self._peers.get(who, (who,))]
        raw = msgspec.to_builtins(page)
        self._worker.ask("page", host=host, page=raw, path=path, scheme=scheme, networks=networks)

    def certificate(self, host: str, how: str = "honest") -> None:
        """Show an honest certificate again, or one that fails as FORGERIES tell."""
        text = certificates.honest(host) if how == "honest" else certificates.forged(host, how)
        self._worker.ask("change", host=host, pem=self._write(f"{host}-{how}", text))

    def delay(self, host: str, *, tls: float = 0.0, http: float = 0.0) -> None:
        """Answer late, in seconds: before the server hello, before the HTTP answer."""
        self._worker.ask("change", host=host, tls_delay=tls, http_delay=http)

    def overload(self, where: str, **fields: float) -> None:
        """Give a host, or a resolver (by address, over UDP), too much to do.

        `fields` are those of tests.lab.overload.Overload; without any it is over.
        """
        self._worker.ask("overload", where=where, fields=fields)

    def clock(self, host: str, ahead: float) -> None:
        """Send a Date that many seconds ahead of the truth (negative: behind)."""
        self._worker.ask("change", host=host, clock=ahead)

    def breaks(self, host: str, how: str, *, after: str = "request") -> None:
        """End every connection by `reset`, `eof` or `silence`, for everybody; "" ends it.

        `after` the client's first bytes (`hello`) or its HTTP request (`request`).
        """
        if how not in ("", "reset", "eof", "silence") or after not in ("hello", "request"):
            raise ValueError(f"breaks by {how} after {after}?")
        self._worker.ask("change", host=host, breaks=how, breaks_after=after)

    def speaks(self, host: str, what: str = "") -> None:
        """What a raw host speaks from its next connection on: mtproto, noise, or nothing."""
        self._worker.ask("change", host=host, speaks=what)

    def strangers(self, host: str, answer: str) -> None:
        """What a foreign server name gets: the `default` certificate, or an `alert`."""
        self._worker.ask("change", host=host, stranger=answer)

    def lie(self, name: str, how: str, *, answer: Sequence[str] = (), resolver: str = "") -> None:
        """Let one resolver (by address; empty: all, and the controls) answer otherwise.

        `how`: nxdomain, refused, servfail, empty, truncate, drop, or address with `answer`.
        """
        lie = {"how": how, "addresses": list(answer)}
        self._worker.ask("lie", name=name, lie=lie, resolver=resolver)

    def truth(self, name: str, *, resolver: str = "") -> None:
        """Take a lie back."""
        self._worker.ask("lie", name=name, lie=None, resolver=resolver)

    def reset(self) -> None:
        """As new: every host and control up and honest, no visits."""
        self._worker.ask("reset")

    def visits(self, host: str) -> list[dict[str, Any]]:
        """Who came: `stage`, `peer`, `at` (seconds since the epoch), and more.

        Stages: tcp; tls and quic, a completed handshake (with `sni`); http, with scheme (http,
        https, h3), method, path, host and agent; chat, a chat server's answer; stun.
        """
        visits: list[dict[str, Any]] = self._worker.ask("visits", host=host)
        return visits

    def open_forger(self, names: Sequence[str], certificate: str) -> int:
        """Open a server that shows such certificates for these names; the port it listens on."""
        port = next(self._forger_ports)
        hosts = [host for host in self.addresses if _meant(host, names)]
        hosts = hosts or [name.lstrip(".") for name in names]
        pems = {
            host: self._write(f"{host}-{certificate}", certificates.forged(host, certificate))
            for host in hosts
        }
        name = f"forger-{port}"
        site = {
            "name": name,
            "pem": pems[hosts[0]],
            "addresses": list(FORGER),
            "ports": [port],
            "certificates": pems,
        }
        self._worker.ask("forge", site=site)
        self._forgers[port] = name
        return port

    def forged_visits(self) -> list[dict[str, Any]]:
        """As `visits`, of every forger: whoever trusted a forged certificate."""
        return [visit for name in self._forgers.values() for visit in self.visits(name)]

    def transparent_proxy_down(self) -> None:
        """The transparent proxy refuses everybody from this moment."""
        self._worker.ask("relay_down")

    def relayed(self) -> list[dict[str, Any]]:
        """Whom the transparent proxy relayed: `name`, `port` and `peer`."""
        visits: list[dict[str, Any]] = self._worker.ask("relayed")
        return visits

    def _write(self, name: str, text: str) -> str:
        path = self._directory / f"{name}.pem"
        path.write_text(text)
        return str(path)


class Control:
    """One uncensored vantage behind a SOCKS5 proxy."""

    def __init__(self, worker: Worker, index: int, fields: Mapping[str, Any]) -> None:
        """`fields` are what the proxy was opened with."""
        self._worker = worker
        self._index = index
        self.id = f"control-{index + 1}"
        self.address: str = fields["address4"]
        self.port: int = fields["port"]
        self.username: str = fields["username"]
        self.password: str = fields["password"]

    @property
    def url(self) -> str:
        """As an egress: socks5://user:password@address:port."""
        return f"socks5://{self.username}:{self.password}@{self.address}:{self.port}"

    def kill(self, how: str = "refuse") -> None:
        """End it: `refuse` resets what is open and refuses the rest, `silence` goes quiet."""
        self._ask("kill", how=how)

    def restart(self) -> None:
        """Serve again."""
        self._ask("restart")

    def troubles(self, troubles: Mapping[str, str]) -> None:
        """What goes wrong at this control, by host name or address it is asked for.

        refused, unreachable (reply codes), silent (no reply), reset (after the client's first
        bytes), hello (the same where these name the host). Replaces what was set before.
        """
        self._ask("trouble", troubles=dict(troubles))

    def visits(self) -> list[dict[str, Any]]:
        """What it was asked to connect to: `host` and `port`."""
        visits: list[dict[str, Any]] = self._ask("visits")
        return visits

    def _ask(self, what: str, **more: Any) -> Any:
        return self._worker.ask("control", index=self._index, what=what, **more)


class DirectControl:
    """One uncensored vantage that is not behind a proxy, so that datagrams leave it too."""

    def __init__(self, index: int) -> None:
        self.id = f"direct-{index + 1}"
        self.address, self.address6 = direct_addresses(index)

    @property
    def url(self) -> str:
        """As an egress: both its addresses."""
        return f"source:{self.address},{self.address6}"


def _meant(host: str, names: Sequence[str]) -> bool:
    return any(
        host == name.lstrip(".") or (name.startswith(".") and host.endswith(name)) for name in names
    )
