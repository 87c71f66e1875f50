"""`doctor` on an agent's machine: its key, and each collector, asked as the agent itself asks.

A collector on loopback over real TLS. As it is, nothing is wrong; each test changes one thing, and
what is found names it and the next step.
"""

import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import trustme
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from starlette.requests import Request
from starlette.responses import Response

from monitor.agent.collector_clock import Machine, this_machine
from monitor.config.load import load_config
from monitor.doctor.collectors import try_collectors
from monitor.doctor.trial import Checked, Trial
from monitor.keys.keys import fingerprint, public_text
from monitor.keys.sealing import sealing_text
from monitor.measuring.probers import Probers
from monitor.wire.answers import SETTINGS, TIME, AgentSettings, Reason
from monitor.wording.findings import Level, What, finding_sentences
from monitor.wording.words import words_in
from storage.values.steady_clock import utc_now
from tests.lab.certificates import authority, stranger
from tests.unit.monitor.agent.test_agent_proxy import PASSWORD, Proxy
from tests.worlds.agent_collector import AGENT_KEY, KEY, NAME, SEALING, Collector, Server
from tests.worlds.agent_world import Time, anchors
from tests.worlds.loopback import Conversation, serving, unused_port

KEY_FILE = "agent-key.pem"
REJOIN = "`shutwatch agent join` with a new invitation"


class Refusing(Collector):
    """Refuses to tell the time."""

    def __init__(self, reason: Reason, *, signs: bool = True) -> None:
        super().__init__()
        self._reason = reason
        self.signs_refusals = signs

    async def _time(self, request: Request) -> Response:
        return self._refuse(request, self._reason)


class Stranger(Collector):
    """Has not enrolled this key."""

    async def _settings(self, request: Request) -> Response:
        return self._refuse(request, Reason.UNKNOWN_KEY)


def pem(key: Ed25519PrivateKey | X25519PrivateKey) -> bytes:
    """A key as its file holds it."""
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


@asynccontextmanager
async def serves(
    collector: Collector, certificate: trustme.LeafCert | None = None
) -> AsyncIterator[Collector]:
    """The collector at work, for as long as the context lasts; it has settings for the agent."""
    collector.orders = AgentSettings(
        version="1", issued_at=collector.now(), interval=300.0, platforms=("x",), daily_bytes=10**7
    )
    server = Server(collector, authority(), certificate)
    await server.start()
    try:
        yield collector
    finally:
        await server.stop()


def agent(folder: Path, *collectors: str, proxy: str = "") -> Path:
    """The agent's file, beside its key and the authority that it trusts."""
    key = folder / KEY_FILE
    key.write_bytes(pem(AGENT_KEY))
    key.chmod(0o600)
    urls = ", ".join(f'"{one}"' for one in collectors)
    (anchor,) = anchors(authority(), folder)
    file = folder / "agent.toml"
    file.write_text(
        f"""[agent]
collectors = [{urls}]
collector_key = "{public_text(KEY)}"
sealing_key = "{sealing_text(SEALING)}"
proxy = "{proxy}"
trust_anchors = ["{anchor}"]
[[vantage]]
id = "khi-ptcl"
country = "PK"
"""
    )
    return file


def contents(folder: Path) -> dict[str, bytes]:
    """Every file in the folder."""
    return {one.name: one.read_bytes() for one in folder.iterdir()}


async def tried(file: Path, machine: Callable[[], Machine] = this_machine) -> list[Checked]:
    """What is said of this agent."""
    settings = load_config(file, {})
    async with Probers(settings, now=utc_now) as probers:
        trial = Trial(settings=settings, probers=probers, machine=machine)
        return list(await try_collectors(trial))


def told(checked: Checked) -> tuple[str, str]:
    """The problem and the remedy."""
    assert checked.finding is not None
    return finding_sentences(words_in(), checked.finding)


async def found(file: Path, what: What, problem: str, remedy: str) -> None:
    """The key is right, and this alone is said of the one collector."""
    key, one = await tried(file)
    assert (key.check, key.finding, one.check) == ("key", None, "collector")
    assert one.finding is not None
    assert (one.finding.what, one.finding.level) == (what, Level.PROBLEM)
    assert problem in told(one)[0]
    assert remedy in told(one)[1]


async def test_a_collector_is_asked_for_its_time_and_settings_alone(tmp_path: Path) -> None:
    """It was said to be tried, and neither the key nor a collector was. Nothing is delivered, and
    on disk all is as before."""
    async with serves(Collector()) as collector:
        file = agent(tmp_path, collector.url)
        before = contents(tmp_path)
        key, one = await tried(file)
    assert (key.check, key.about, key.finding) == ("key", str(tmp_path / KEY_FILE), None)
    assert (one.check, one.finding) == ("collector", None)
    assert one.about == f"{collector.url}, clock right to 0.0 s"
    assert set(collector.paths) == {TIME, SETTINGS}
    assert contents(tmp_path) == before


async def test_who_has_no_agent_has_nothing_to_try(tmp_path: Path) -> None:
    """A monitor's own lines are tried elsewhere."""
    file = tmp_path / "shutwatch.toml"
    file.write_text('[[vantage]]\nid = "khi-ptcl"\ncountry = "PK"\n')
    assert await tried(file) == []


@pytest.mark.parametrize(
    ("spoil", "problem"),
    [
        (lambda file: file.unlink(), "does not exist"),
        (lambda file: file.chmod(0o644), "can be read by other users: chmod 600"),
        (lambda file: (file.unlink(), file.mkdir()), "Is a directory"),
        (lambda file: file.write_bytes(b"precious"), "holds no readable key"),
        (lambda file: file.write_bytes(pem(X25519PrivateKey.generate())), "another kind of key"),
    ],
)
async def test_a_key_that_cannot_be_used_is_a_problem(
    tmp_path: Path, spoil: Callable[[Path], object], problem: str
) -> None:
    """Without it the agent does not start, so no collector is asked."""
    async with serves(Collector()) as collector:
        file = agent(tmp_path, collector.url)
        spoil(tmp_path / KEY_FILE)
        (key,) = await tried(file)
    assert key.finding is not None
    assert (key.check, key.finding.what) == ("key", What.AGENT_KEY)
    assert key.finding.level is Level.PROBLEM
    assert str(tmp_path / KEY_FILE) in told(key)[0]
    assert problem in told(key)[0]
    assert REJOIN in told(key)[1]
    assert not collector.paths


async def test_a_key_that_was_revoked_asks_nobody(tmp_path: Path) -> None:
    """An agent that knows it does not start."""
    async with serves(Collector()) as collector:
        file = agent(tmp_path, collector.url)
        (tmp_path / "spool.db.revoked").write_text(fingerprint(public_text(AGENT_KEY)))
        (key,) = await tried(file)
    assert key.finding is not None
    assert (key.check, key.finding.what) == ("key", What.AGENT_REVOKED)
    assert REJOIN in told(key)[1]
    assert not collector.paths


async def test_a_collector_tells_that_the_key_was_revoked(tmp_path: Path) -> None:
    """By its signature: of whoever else says so, it is a refusal. The next start of the agent is
    not decided here, so nothing is noted."""
    async with serves(Refusing(Reason.REVOKED_KEY)) as collector:
        file = agent(tmp_path, collector.url)
        await found(file, What.AGENT_REVOKED, "revoked this agent's key", REJOIN)
        assert not (tmp_path / "spool.db.revoked").exists()
    async with serves(Refusing(Reason.REVOKED_KEY, signs=False)) as collector:
        file = agent(tmp_path, collector.url)
        await found(file, What.COLLECTOR_REFUSES, "as the test says", "ask its operator")


async def test_a_key_that_is_not_enrolled(tmp_path: Path) -> None:
    """A collector tells anybody the time, so all looked well until it refused the first results."""
    async with serves(Stranger()) as collector:
        file = agent(tmp_path, collector.url)
        problem = f"Collector {collector.url} knows no agent khi-ptcl with this key"
        await found(file, What.AGENT_UNKNOWN, problem, "Join with an invitation")


async def test_a_collector_that_refuses(tmp_path: Path) -> None:
    """In its words."""
    async with serves(Refusing(Reason.BUSY)) as collector:
        file = agent(tmp_path, collector.url)
        problem = f"Collector {collector.url} refused: as the test says"
        await found(file, What.COLLECTOR_REFUSES, problem, "Try again in a minute")


async def test_a_collector_that_is_not_there(tmp_path: Path) -> None:
    """Each has a line of its own: the one that works is not hidden."""
    async with serves(Collector()) as collector:
        dead = f"https://{NAME}:{unused_port()}"
        _, well, silent = await tried(agent(tmp_path, collector.url, dead))
    assert well.finding is None
    assert silent.finding is not None
    assert silent.finding.what is What.COLLECTOR_SILENT
    assert told(silent)[0] == f"Collector {dead} does not answer: no connection."
    assert "let https to it pass" in told(silent)[1]


async def test_a_page_in_place_of_a_collector(tmp_path: Path) -> None:
    """It answers, and with nothing that an agent could use."""

    async def page(one: Conversation) -> None:
        await one.request()
        await one.send(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello")

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority().issue_cert(NAME).configure_cert(context)
    async with serving(page, tls=context) as port:
        file = agent(tmp_path, f"https://{NAME}:{port}")
        await found(file, What.COLLECTOR_SILENT, "not sealed for this request", "let https to it")


async def test_the_way_is_the_agents_own(tmp_path: Path) -> None:
    """Over its proxy; where that is the fault, the remedy is about it. Its password is not told."""
    async with serves(Collector()) as collector:
        proxy = Proxy("http", collector.port)
        async with proxy.serving() as address:
            _, one = await tried(agent(tmp_path, collector.url, proxy=address))
        assert one.finding is None
        assert set(proxy.asked) == {f"{NAME}:{collector.port}"}
        async with proxy.serving("wrong") as address:
            file = agent(tmp_path, collector.url, proxy=address)
            problem = "does not answer: the proxy would not connect"
            await found(file, What.COLLECTOR_BEHIND_PROXY, problem, "`agent.proxy`")
        file = agent(tmp_path, collector.url, proxy=f"http://khi:{PASSWORD}@127.0.0.1:1")
        await found(file, What.COLLECTOR_BEHIND_PROXY, "no connection", "See whether the proxy")
        assert PASSWORD not in str(await tried(file))


@pytest.mark.parametrize("how", ["stranger", "name", "expired"])
async def test_a_certificate_that_is_not_trusted(tmp_path: Path, how: str) -> None:
    """An expired one is let pass until the time is known, as the agent does, and no longer."""
    now = datetime.now(UTC)
    certificate = {
        "stranger": lambda: stranger().issue_cert(NAME),
        "name": lambda: authority().issue_cert("gateway.isp.example"),
        "expired": lambda: authority().issue_cert(
            NAME, not_before=now - timedelta(days=90), not_after=now - timedelta(days=7)
        ),
    }[how]()
    async with serves(Collector(), certificate) as collector:
        file = agent(tmp_path, collector.url)
        problem = "shows an untrusted certificate"
        await found(file, What.COLLECTOR_CERTIFICATE, problem, "`agent.trust_anchors`")


async def test_a_collector_with_another_key(tmp_path: Path) -> None:
    """Its answers are signed by another, or it cannot open what is sealed for it."""
    compare = "Compare what `shutwatch agent key` prints"
    async with serves(Collector()) as collector:
        collector.forge = True
        file = agent(tmp_path, collector.url)
        await found(file, What.COLLECTOR_KEY, "without the collectors' signature", compare)
    async with serves(Refusing(Reason.UNKNOWN_KEY, signs=False)) as collector:
        file = agent(tmp_path, collector.url)
        await found(file, What.COLLECTOR_KEY, "as the test says", compare)


@pytest.mark.parametrize(("behind", "way"), [(7200.0, "behind"), (-7200.0, "ahead of")])
async def test_how_far_off_the_clock_is(tmp_path: Path, behind: float, way: str) -> None:
    """A warning: the agent works, since times are corrected by the collector's."""
    async with serves(Collector()) as collector:
        file = agent(tmp_path, collector.url)
        _, one = await tried(file, lambda: Time(behind=behind).machine)
    assert one.finding is not None
    assert (one.finding.what, one.finding.level) == (What.COLLECTOR_CLOCK, Level.WARNING)
    assert f"The clock of this machine is 7,200 seconds {way} that of collector" in told(one)[0]
    assert "timedatectl set-ntp true" in told(one)[1]
