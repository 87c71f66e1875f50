"""The internet in one process: resolvers, origins, controls and the forger.

Run inside its namespace: `python -m tests.lab.internet`; the first request must be `start`.
"""

import asyncio
import functools
import os
from typing import Any

from tests.lab import name_server
from tests.lab.listener import Datagrams
from tests.lab.name_server import Names, Record
from tests.lab.origin import Site
from tests.lab.overload import Overload
from tests.lab.relay import Relay
from tests.lab.socks import Control
from tests.lab.worker import AsyncHandler, Lines, Request, load_packages, obey_async, tuples

CHANGEABLE = (
    "pem",
    "tls_delay",
    "http_delay",
    "stranger",
    "clock",
    "breaks",
    "breaks_after",
    "speaks",
)


class Internet:
    """Everything that serves, and the requests that change it."""

    def __init__(self) -> None:
        self._names = Names()
        self._sites: dict[str, Site] = {}
        self._controls: list[Control] = []
        self._born: dict[str, dict[str, Any]] = {}
        self._struggling: dict[str, asyncio.Task[None]] = {}
        self.handlers: dict[str, AsyncHandler] = {
            "start": self._start,
            "down": self._down,
            "up": self._up,
            "change": self._change,
            "overload": self._overload,
            "page": self._page,
            "visits": self._visits,
            "lie": self._lie,
            "forge": self._forge,
            "reset": self._reset,
            "relayed": self._relayed,
            "relay_down": self._relay_down,
            "control": self._control,
        }

    async def _start(self, request: Request) -> None:
        """Open everything: `hosts`, `resolvers`, `controls` and `relay`, as Lab lays them out."""
        if any(host["quic"] for host in request["hosts"]):
            load_packages()
        for host in request["hosts"]:
            cname, doh, rotate = (host.pop(field) for field in ("cname", "doh", "rotate"))
            site = Site(**tuples(host))
            if doh:
                site.answer_dns = functools.partial(
                    self._names.answer, resolver=site.name, stream=True
                )
            self._sites[site.name] = site
            self._born[site.name] = {name: getattr(site, name) for name in CHANGEABLE}
            self._born[site.name] |= {"https": dict(site.https), "http": dict(site.http)}
            self._names.know(site.name, Record(site.addresses, cname, rotate))
            if cname:
                self._names.know(cname, Record(site.addresses))
            await site.open()
            if site.quic:
                await _open_quic(site)
        self._share_certificates()
        for resolver in request["resolvers"]:
            await name_server.serve(self._names, resolver)
        for fields in request["controls"]:
            control = Control(names=self._names, **fields)
            self._controls.append(control)
            await control.open()
        self._relay = Relay(self._names, tuple(request["relay"]))
        await self._relay.open()

    def _share_certificates(self) -> None:
        for site in self._sites.values():
            if site.group:
                peers = (peer for peer in self._sites.values() if peer.group == site.group)
                site.certificates = {peer.name: peer.pem for peer in peers}

    async def _down(self, request: Request) -> None:
        self._sites[request["host"]].down(request["how"])
        await _settled()  # the loop closes sockets for datagrams in its next round

    async def _up(self, request: Request) -> None:
        await self._sites[request["host"]].open()

    async def _change(self, request: Request) -> None:
        """Set fields of a site that CHANGEABLE names."""
        site = self._sites[request.pop("host")]
        for name, value in request.items():
            if name not in CHANGEABLE:
                raise ValueError(f"cannot change {name}")
            setattr(site, name, value)

    async def _overload(self, request: Request) -> None:
        """Give a host, or a resolver, too much to do; without `fields` enough is over."""
        where = request["where"]
        fields = request["fields"]
        if where not in self._sites:
            self._names.struggle(where, Overload(**fields) if fields else None)
            return
        await self._relieve(where)
        await self._sites[where].open()
        if fields:
            struggle = self._sites[where].struggle(Overload(**fields))
            self._struggling[where] = asyncio.create_task(struggle)
            await asyncio.sleep(0)

    async def _relieve(self, host: str) -> None:
        task = self._struggling.pop(host, None)
        if task is not None:
            task.cancel()
            await asyncio.wait([task])

    async def _reset(self, _: Request) -> None:
        """Everything as at the start."""
        self._names.repent()
        for host in list(self._struggling):
            await self._relieve(host)
        for name, born in self._born.items():
            site = self._sites[name]
            for field, value in born.items():
                setattr(site, field, dict(value) if isinstance(value, dict) else value)
            await site.open()
        for site in self._sites.values():
            site.visits.clear()
            site.pages_to.clear()
        self._relay.visits.clear()
        await self._relay.open()
        for control in self._controls:
            control.troubles = {}
            control.visits.clear()
            await control.open()

    async def _page(self, request: Request) -> None:
        """Serve `page` under a path of one scheme, to `networks` if given; None takes it away."""
        site = self._sites[request["host"]]
        if request["networks"]:
            where = {name: request[name] for name in ("networks", "scheme", "path")}
            kept = [e for e in site.pages_to if any(e[name] != where[name] for name in where)]
            new = [] if request["page"] is None else [{**where, "page": request["page"]}]
            site.pages_to = new + kept
            return
        pages = site.https if request["scheme"] == "https" else site.http
        if request["page"] is None:
            pages.pop(request["path"], None)
        else:
            pages[request["path"]] = request["page"]

    async def _visits(self, request: Request) -> list[dict[str, Any]]:
        await _settled()
        return self._sites[request["host"]].visits

    async def _relayed(self, _: Request) -> list[dict[str, Any]]:
        await _settled()
        return self._relay.visits

    async def _relay_down(self, _: Request) -> None:
        self._relay.down()

    async def _lie(self, request: Request) -> None:
        self._names.tell(request["resolver"], request["name"], request["lie"])

    async def _forge(self, request: Request) -> None:
        """Open a server that shows forged certificates on a port of its own."""
        site = Site(**tuples(request["site"]))
        site.https[""] = {"status": 200, "headers": {}, "body": "forged\n"}
        self._sites[site.name] = site
        await site.open()

    async def _control(self, request: Request) -> Any:
        control = self._controls[request["index"]]
        match request["what"]:
            case "kill":
                control.kill(request["how"])
            case "restart":
                await control.open()
            case "trouble":
                control.troubles = request["troubles"]
            case "visits":
                await _settled()
                return control.visits
        return None


async def _open_quic(site: Site) -> None:
    # Loading it takes as long as starting everything else, so only who asks for it waits.
    from tests.lab.quic_origin import PORT, QuicServer

    opened = [Datagrams(a, PORT, QuicServer(site).receive) for a in site.addresses]
    site.listeners += opened
    for datagrams in opened:
        await datagrams.open()


async def _settled() -> None:
    """Let the loop take in what has already arrived: accept, read, and serve it."""
    for _ in range(10):
        await asyncio.sleep(0)


async def main() -> None:
    """Obey standard input until it ends."""
    internet, lines = Internet(), Lines()
    reader = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    with os.fdopen(0, "rb", buffering=0) as pipe:
        await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), pipe)
        while data := await reader.read(1 << 20):
            for line in lines.feed(data):
                os.write(1, await obey_async(line, internet.handlers))


if __name__ == "__main__":
    asyncio.run(main())
