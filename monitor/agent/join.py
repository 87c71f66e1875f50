"""From an invitation to an enrolled agent: what its host agrees to, its files, its enrolment."""

import asyncio
import random
import re
from collections.abc import Collection, Iterator, Mapping
from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding

from monitor.agent.collector_client import (
    CollectorClient,
    RefusedError,
    RevokedError,
)
from monitor.agent.collector_clock import AgentClock, Machine, this_machine
from monitor.agent.signed_answer import UnreachableError
from monitor.agent.traces import CONFIG, KEY
from monitor.config.catalog import shipped_catalog
from monitor.config.load import load_config
from monitor.config.settings import Settings
from monitor.keys.keys import grouped, load_or_make, public_text
from monitor.keys.sealing import keys_fingerprint, seal
from monitor.wire.answers import ENROLMENT, Reason
from monitor.wire.invitation import INVITATION, PUBLIC, Token
from probes.vantage import Profile, VantageRole
from storage.values.private_file import write_private

ANCHOR = "collector.pem"
"""File of the certificate that the collectors are trusted by."""
PATIENCE = 30.0
"""Seconds for which a collector that is busy or cannot be reached is tried."""
_PAUSE = 1.0
_MEGABYTE = 1_000_000
_REVOKED = (
    f"this machine's key was revoked: move {KEY} in the agent's folder away, or name another "
    "--folder, and ask for another invitation"
)
_FINAL = frozenset({Reason.INVITATION, Reason.UNKNOWN_KEY, Reason.BAD_SIGNATURE, Reason.MALFORMED})


class JoinError(Exception):
    """Joining failed; the message says why, without an address."""


class RefusedInvitationError(Exception):
    """The invitation is not taken: another one is needed. The message says why."""


class FolderInUseError(Exception):
    """The folder holds another's file; the message names it, and says what to do."""


def terms(token: Token) -> Iterator[str]:
    """What the host agrees to, in lines. Raises RefusedInvitationError."""
    shipped = _shipped(token)
    kind = ", a control" if token.role == VantageRole.CONTROL else ""
    quiet = ", quiet" if token.profile == Profile.QUIET else ""
    yield (
        f"This machine becomes the vantage {token.vantage} "
        f"({token.country}, AS{token.asn} {token.network}{kind}{quiet})."
    )
    yield f"Every {_duration(token.interval)} it tests, from the address of its own line:"
    yield f"  {', '.join(shipped)}"
    if unknown := [name for name in token.platforms if name not in shipped]:
        yield f"Not these, unless you accept them later: {', '.join(unknown)}"
    yield (
        f"That takes {token.daily_bytes / _MEGABYTE:,.0f} MB a day at most. It sends the results, "
        "sealed, to:"
    )
    yield from (f"  {one}" for one in token.collectors)
    yield "The fingerprint of the keys there; compare it with the operator over another channel:"
    yield f"  {grouped(keys_fingerprint(token.collector_key, token.sealing_key))}"
    yield "Whoever has these keys can ask for less, and for nothing else without your consent."
    ends = datetime.fromtimestamp(token.expires, UTC)
    yield f"The invitation can be used once, until {ends:%Y-%m-%d %H:%M} UTC."
    yield (
        "The provider of this line sees the tests. Where it is punished to ask for blocked sites, "
        "do not join. docs/risk.md says what hosting risks."
    )


def prepare(folder: Path, token: Token, proxy: str, environ: Mapping[str, str]) -> Settings:
    """Write the agent's file, under a name of its own until the key is enrolled, and what it names.

    `proxy` is the URL of a proxy to send through; empty: none. A certificate of another invitation
    is left as it is. Raises ConfigError, FolderInUseError, JoinError, RefusedInvitationError or
    OSError.
    """
    _shipped(token)
    try:
        seal(token.sealing_key, b"", b"")
    except ValueError as error:
        raise JoinError("the keys in the invitation are none") from error
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    anchors: tuple[str, ...] = ()
    if token.anchor:
        try:
            pem = x509.load_der_x509_certificate(token.anchor).public_bytes(Encoding.PEM)
        except ValueError as error:
            raise JoinError("the certificate in the invitation is none") from error
        _write_anchor(folder / ANCHOR, pem)
        anchors = (ANCHOR,)
    draft = _draft(folder)
    write_private(draft, _text(token, anchors, proxy).encode())
    return load_config(draft, environ)


def own_key(folder: Path) -> Ed25519PrivateKey:
    """The agent's key, made here and now unless an earlier try made it. Raises KeyFileError."""
    return load_or_make(folder / KEY)


async def enrol(
    settings: Settings,
    token: Token,
    key: Ed25519PrivateKey,
    machine: Machine | None = None,
    patience: float = PATIENCE,
) -> None:
    """Have the collectors enrol the key. Raises RefusedInvitationError or JoinError."""
    setup = settings.agent
    assert setup is not None  # noqa: S101 # the file has that table
    more = {INVITATION: token.proof, PUBLIC: public_text(key)}
    clock = AgentClock(machine or this_machine())
    rng = random.Random()  # noqa: S311 # picks a collector, guards nothing
    async with CollectorClient(setup, token.vantage, key, clock, rng) as client:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + patience
        while True:
            wait = _PAUSE
            for collector in client.collectors():
                try:
                    await client.learn_time(collector)
                    await client.ask(collector, "POST", ENROLMENT, more=more)
                except RevokedError as error:
                    raise RefusedInvitationError(_REVOKED) from error
                except RefusedError as error:
                    failed, advice = error.detail, ""
                    if error.reason in _FINAL:
                        raise RefusedInvitationError(_refused(error)) from error
                    wait = max(wait, error.retry_after or 0.0)
                except UnreachableError as error:
                    failed, advice = str(error), _advice(proxied=bool(setup.proxy))
                else:
                    return
            if loop.time() + wait > deadline:
                raise JoinError(f"no collector enrolled this machine: {failed}{advice}")
            await asyncio.sleep(wait)


def finish(settings: Settings) -> Path:
    """Give the agent's file its name, now that the key is enrolled. Raises OSError."""
    draft = Path(settings.source)
    return draft.replace(draft.with_name(CONFIG))


def kept_in(folder: Path) -> frozenset[Path]:
    """The key and the certificate that lie there before a try, which it never deletes: they are an
    earlier try's, or another agent's. Raises OSError."""
    return frozenset(file for file in (folder / ANCHOR, folder / KEY) if file.exists())


def give_up(folder: Path, kept: Collection[Path], *, refused: bool) -> None:
    """Delete what `prepare` wrote, and the key if it was refused: else it may be enrolled already,
    and another try goes on with it. `kept` stays."""
    made = {_draft(folder), folder / ANCHOR, *([folder / KEY] if refused else ())}
    for file in made.difference(kept):
        file.unlink(missing_ok=True)


def _write_anchor(file: Path, pem: bytes) -> None:
    """Write it where there is none; one of an earlier try is the same. Raises
    FolderInUseError or OSError."""
    if not file.exists():
        write_private(file, pem)
    elif file.read_bytes() != pem:
        raise FolderInUseError(
            f"{file} is there already and is another certificate than the invitation's: "
            "name another --folder, or move the file away"
        )


def _draft(folder: Path) -> Path:
    return folder / f"{CONFIG}.joining"


def _refused(error: RefusedError) -> str:
    if error.reason is Reason.UNKNOWN_KEY:
        return "another collector answers than the one that made this invitation"
    return error.detail


def _advice(*, proxied: bool) -> str:
    """What to do where no collector is reached."""
    first = "check the proxy after --proxy, " if proxied else ""
    return (
        f": {first}check that this machine is online, ask the operator whether the collector runs, "
        "and type it again"
    )


def _shipped(token: Token) -> list[str]:
    """The platforms that this version can test. Raises RefusedInvitationError: an agent's file
    without any would have all tested that are shipped."""
    known = {one.name for one in shipped_catalog().platforms}
    shipped = [name for name in token.platforms if name in known]
    if not shipped:
        raise RefusedInvitationError(
            "this machine's version ships none of the platforms in the invitation "
            f"({', '.join(token.platforms)}): ask the operator to test a shipped one as well, and "
            "to invite you again"
        )
    return shipped


def _text(token: Token, anchors: tuple[str, ...], proxy: str) -> str:
    """The commented example with the values of the token."""
    text = files("monitor.agent").joinpath("example_agent.toml").read_text("utf-8")
    values = {
        "interval": _duration(token.interval),
        "id": token.vantage,
        "country": token.country,
        "asn": token.asn,
        "network": token.network,
        "role": token.role,
        "profile": token.profile,
        "collectors": token.collectors,
        "collector_key": token.collector_key,
        "sealing_key": token.sealing_key,
        "proxy": proxy,
        "trust_anchors": anchors,
        "daily_bytes": f"{token.daily_bytes}B",
    }
    for name, value in values.items():
        line = f"{name} = {msgspec.json.encode(value).decode()}".replace("\\", r"\\")
        text = re.sub(rf"^#?{name} = .*$", line, text, count=1, flags=re.M)
    platforms = msgspec.json.encode(_shipped(token)).decode()
    return (
        f"{text}\n[catalog]\n# The shipped platforms that this machine tests: a collector "
        "can choose among these.\n"
        f"platforms = {platforms}\n"
    )


def _duration(seconds: float) -> str:
    """As a configuration has it."""
    for unit, length in (("h", 3600), ("m", 60), ("s", 1)):
        if seconds >= length and seconds % length == 0:
            return f"{seconds / length:.0f}{unit}"
    return f"{seconds * 1000:.0f}ms"
