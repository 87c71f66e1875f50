"""A whole small world on loopback for `doctor`: a resolver, references over TLS, a control behind a
proxy with a password, a notification service, a Prometheus. As it is, nothing is wrong, and doctor
only notes that it sent nothing.
"""

import asyncio
import contextlib
import json
import shutil
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import msgspec

from monitor.config.load import load_config
from monitor.config.settings import Settings
from monitor.doctor.examine import examine
from monitor.doctor.trial import Checked, Trial
from monitor.measuring.probers import Probers
from monitor.wording.findings import finding_sentences
from monitor.wording.words import words_in
from storage.values.steady_clock import utc_now
from tests.lab.certificates import authority
from tests.worlds.loopback import Conversation, honest_context, serving, unused_port
from tests.worlds.loopback_dns import answer, resolving

REFERENCE = "www.reference.ngo"
USER, PASSWORD = "monitor", "horse-battery"


class World:
    """Ports of the servers, and what they do; a test changes what it wants."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.ports: dict[str, int] = {}
        self.clock = timedelta()
        """By how much the machine's clock is ahead."""
        self.uplink = b"HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n"
        self.targets: list[dict[str, Any]] = []
        """What Prometheus reads."""
        self.free = shutil.disk_usage(folder).free
        self.prometheus = True
        self.text = ""
        """More of the configuration, in front of the rest."""

    def config(self) -> str:
        """A configuration without a fault."""
        ports = self.ports
        return f"""
database = "sqlite:///{self.folder}/watch.db"
listen = "127.0.0.1:{ports["page"]}"
[references]
uplink = [{{ endpoint = "http://127.0.0.1:{ports["uplink"]}/", status = 204 }}]
international = ["https://{REFERENCE}:{ports["reference"]}/"]
popular = ["https://{REFERENCE}:{ports["reference"]}/popular"]
address = []
domestic.PK = ["https://{REFERENCE}:{ports["reference"]}/domestic"]
[[vantage]]
id = "khi-ptcl"
country = "PK"
asn = 17557
resolver = "127.0.0.1:{ports["resolver"]}"
[[vantage]]
id = "khi-jazz"
country = "PK"
asn = 45669
egress = "source:127.0.0.3"
resolver = "127.0.0.1:{ports["resolver"]}"
[[vantage]]
id = "control"
country = "DE"
asn = 24940
role = "control"
egress = "socks5://{USER}:{PASSWORD}@127.0.0.1:{ports["proxy"]}"
[[vantage]]
id = "control-two"
country = "NL"
asn = 60781
role = "control"
egress = "source:127.0.0.2"
resolver = "127.0.0.1:{ports["resolver"]}"
[[notify.route]]
name = "newsroom"
urls = ["json://127.0.0.1:{ports["hook"]}/"]
"""

    async def examined(
        self, change: Callable[[str], str] = str, *, send: bool = False
    ) -> list[Checked]:
        """What doctor says of this world, with the text of the configuration changed."""
        path = self.folder / "shutwatch.toml"
        path.write_text(change(self.config()))
        settings = hurried(load_config(path, {}), self.folder)
        now = lambda: utc_now() + self.clock  # noqa: E731
        async with Probers(settings, now=now) as probers:
            return await examine(
                Trial(
                    settings=settings,
                    probers=probers,
                    now=now,
                    free_bytes=lambda _: self.free,
                    send=send,
                    prometheus=f"http://127.0.0.1:{self.ports['prometheus']}",
                )
            )


def hurried(settings: Settings, folder: Path) -> Settings:
    """The same with the patience of a test, and the lab's certificates."""
    probe = msgspec.structs.replace(
        settings.probe,
        dns_timeout=0.6,
        tcp_timeout=2.0,
        dns_window=0.05,
        rate=1000,
        trust_anchors=(str(folder / "anchor.pem"),),
        bogon_allow=("127.0.0.0/8",),
    )
    return msgspec.structs.replace(settings, probe=probe)


@contextlib.asynccontextmanager
async def world(folder: Path) -> AsyncIterator[World]:
    """The servers, for as long as the context lasts."""
    made = World(folder)
    (folder / "anchor.pem").write_bytes(authority().cert_pem.bytes())

    async def reference(one: Conversation) -> None:
        await one.request()
        date = format_datetime(datetime.now(UTC), usegmt=True).encode()
        await one.send(b"HTTP/1.1 200 OK\r\nDate: " + date + b"\r\nContent-Length: 2\r\n\r\nok")

    async def uplink(one: Conversation) -> None:
        await one.request()
        await one.send(made.uplink)

    async def hook(one: Conversation) -> None:
        await one.receive()

    async def prometheus(one: Conversation) -> None:
        await one.request()
        body = json.dumps({"status": "success", "data": {"activeTargets": made.targets}}).encode()
        await one.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)

    async def proxy(one: Conversation) -> None:
        await one.exactly((await one.exactly(2))[1])
        await one.send(b"\x05\x02")
        user = await one.exactly((await one.exactly(2))[1])
        password = await one.exactly((await one.exactly(1))[0])
        right = (user, password) == (USER.encode(), PASSWORD.encode())
        await one.send(b"\x01\x00" if right else b"\x01\x01")
        if not right:
            return
        kind = (await one.exactly(4))[3]
        await one.exactly((await one.exactly(1))[0] if kind == 3 else 4)
        port = int.from_bytes(await one.exactly(2), "big")
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        await one.send(b"\x05\x00\x00\x01" + bytes(6))

        async def back() -> None:
            while data := await reader.read(65536):
                await one.send(data)

        task = asyncio.create_task(back())
        with contextlib.closing(writer):
            while data := await one.receive():
                writer.write(data)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    async with contextlib.AsyncExitStack() as stack:
        enter = stack.enter_async_context
        made.ports = {
            "resolver": await enter(resolving(lambda query: [answer(query, "127.0.0.1")])),
            "reference": await enter(serving(reference, tls=honest_context(REFERENCE))),
            "uplink": await enter(serving(uplink)),
            "hook": await enter(serving(hook)),
            "prometheus": await enter(serving(prometheus)),
            "proxy": await enter(serving(proxy)),
            "page": unused_port(),
        }
        made.targets = [target(made.ports["page"])]
        yield made


def target(port: int, health: str = "up", error: str = "") -> dict[str, Any]:
    return {
        "scrapeUrl": f"http://127.0.0.1:{port}/metrics",
        "health": health,
        "lastError": error,
    }


def told(checked: list[Checked]) -> dict[str, tuple[str, str]]:
    """What was found, with problem and remedy."""
    return {
        str(one.finding.what): finding_sentences(words_in(), one.finding)
        for one in checked
        if one.finding is not None
    }
