"""What must accuse nobody, drawn at random: bad lines, slow resolvers, and hosts in trouble.

A run is one vantage's cycle. Ten vantages, each on a line drawn for itself, look in one cycle at
the same dozen hosts, whose troubles, and those of the controls, are drawn for the cycle. Nobody
censors anything.
"""

import random
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from tests.lab.hosts import LabHost, Page, web_page
from tests.lab.lab import Lab
from tests.lab.network import LabNetwork, Network
from tests.scenarios.matrix import catalogue
from tests.scenarios.soak import PATIENT, Said, counted, look, said, table

LINES = 10
"""Vantages, and so runs, in a cycle."""
DARK = ("blocked", "throttled", "partial", "degraded")


Event = tuple[float, Callable[[], object]]
"""Seconds after the first look, and what happens then."""


class Host(msgspec.Struct, frozen=True, kw_only=True):
    """One kind of trouble that a host may have, the same for everybody."""

    name: str
    story: str
    url: str = ""
    site: LabHost | None = None
    trouble: Callable[[Lab, random.Random], Sequence[Event] | None] = lambda _, __: None
    """Begins now, and gives what is to happen while the cycle is under way."""

    @property
    def host(self) -> str:
        """Its name in the lab."""
        return f"{self.name}.example"


def _page(name: str) -> dict[str, Page]:
    return {"": Page(body=web_page(f"Bulletin of {name}"))}


def _overloaded(lab: Lab, dice: random.Random) -> None:
    lab.internet.overload(
        "overloaded.example",
        reset=dice.uniform(0, 0.25),
        eof=dice.uniform(0, 0.1),
        silence=dice.uniform(0, 0.15),
        late=dice.uniform(0, 0.5),
        most=dice.uniform(2, 12),
        seed=dice.getrandbits(30),
    )


def _closing(lab: Lab, dice: random.Random) -> None:
    lab.internet.overload(
        "closing.example",
        closed=dice.uniform(0.5, 4),
        open=dice.uniform(2, 12),
        seed=dice.getrandbits(30),
    )


def _late(lab: Lab, dice: random.Random) -> None:
    lab.internet.overload(
        "late.example",
        late=1.0,
        least=dice.uniform(0.5, 8),
        most=dice.uniform(8, 14),
        seed=dice.getrandbits(30),
    )


def _expired(lab: Lab, _: random.Random) -> None:
    lab.internet.certificate("expired.example", "expired")


def _renewed(lab: Lab, dice: random.Random) -> Sequence[Event]:
    """Expired when the cycle begins; somebody notices while it is under way."""
    lab.internet.certificate("renewed.example", "expired")
    return [(dice.uniform(0.5, 20), lambda: lab.internet.certificate("renewed.example"))]


def _failing(lab: Lab, dice: random.Random) -> Sequence[Event]:
    """Goes down in mid-cycle, and often comes back."""
    how, begins = dice.choice(["refuse", "silence"]), dice.uniform(0, 15)
    ends = begins + dice.uniform(1, 20)
    events: list[Event] = [(begins, lambda: lab.internet.down("failing.example", how=how))]
    if dice.random() < 0.7:
        events.append((ends, lambda: lab.internet.up("failing.example")))
    return events


def _controls(lab: Lab, dice: random.Random) -> None:
    """A host refuses one control or both, as platforms refuse datacentres. Now and then, too, what
    tells controls and vantages their own health is expired, or one control cannot reach that, or is
    gone."""
    hows = ["refused", "unreachable", "silent", "reset"]
    troubles = {control.id: {"turned-away.example": dice.choice(hows)} for control in lab.controls}
    if dice.random() < 0.5:
        troubles[dice.choice(lab.controls).id].clear()
    names = ("www.wikipedia.org", "www.cloudflare.com", "www.gstatic.com")
    ailing, ailment = dice.choice(lab.controls), dice.random()
    if ailment < 0.15:
        for name in names:
            lab.internet.certificate(name, "expired")
    elif ailment < 0.3:
        troubles[ailing.id] |= dict.fromkeys(names, dice.choice(hows))
    elif ailment < 0.45:
        ailing.kill(dice.choice(["refuse", "silence"]))
    for control in lab.controls:
        control.troubles(troubles[control.id])


HOSTS = (
    Host(name="steady", story="nothing ails it"),
    Host(name="plain", story="nothing ails it; without encryption", url="http://plain.example/"),
    Host(
        name="rotating",
        story="each DNS answer gives other edges of twelve",
        site=LabHost(name="rotating.example", https=_page("rotating"), addresses=12, rotate=3),
    ),
    Host(name="overloaded", story="resets, hangs up, stays silent or is late", trouble=_overloaded),
    Host(name="closing", story="accepts nobody now and then", trouble=_closing),
    Host(name="late", story="answers after seconds", trouble=_late),
    Host(name="expired", story="its certificate has expired", trouble=_expired),
    Host(name="renewed", story="its expired certificate is renewed meanwhile", trouble=_renewed),
    Host(name="failing", story="goes down meanwhile, may come back", trouble=_failing),
    Host(name="turned-away", story="turns one control or both away"),
    Host(
        name="old",
        story="has IPv4 alone",
        site=LabHost(name="old.example", https=_page("old"), families=(4,)),
    ),
)


def _happen(events: Sequence[Event]) -> threading.Thread:
    """Let things happen while the command looks, which takes it about a second to begin."""

    def run() -> None:
        begun = time.monotonic() + 1.0
        for after, do in sorted(events, key=lambda event: event[0]):
            time.sleep(max(0.0, begun + after - time.monotonic()))
            do()

    thread = threading.Thread(target=run)
    thread.start()
    return thread


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """How one network carries packets."""

    kind: str
    loss: float = 0.0
    rtt: float = 0.0
    jitter: float = 0.0
    resolver: bool = False
    """Its resolver has too much to do."""


KINDS = ("lossy", "slow", "jittery", "lossy and slow", "slow resolver", "all of these")


def draw_line(dice: random.Random) -> Line:
    """Loss 5–40 % each way, round trips of 50–1500 ms, jitter up to half of that."""
    kind = dice.choice(KINDS)
    loss, rtt = dice.uniform(0.05, 0.4), dice.uniform(0.05, 1.5)
    jitter = dice.uniform(0.1, 0.5) * rtt / 2
    return {
        "lossy": Line(kind=kind, loss=loss),
        "slow": Line(kind=kind, rtt=rtt),
        "jittery": Line(kind=kind, rtt=rtt, jitter=jitter),
        "lossy and slow": Line(kind=kind, loss=loss, rtt=rtt),
        "slow resolver": Line(kind=kind, rtt=0.05, resolver=True),
        "all of these": Line(kind=kind, loss=loss, rtt=rtt, jitter=jitter, resolver=True),
    }[kind]


def impair(lab: Lab, network: Network, line: Line, dice: random.Random) -> None:
    """Make a network such a line."""
    network.impair(
        loss=line.loss, rtt=line.rtt, jitter=line.jitter, near=True, seed=dice.getrandbits(30)
    )
    if line.resolver:
        lab.internet.overload(
            network.resolver,
            silence=dice.uniform(0, 0.3),
            late=dice.uniform(0.3, 1),
            least=0.1,
            most=dice.uniform(1, 6),
            seed=dice.getrandbits(30),
        )


class Run(msgspec.Struct, frozen=True):
    """What one vantage's cycle said."""

    line: Line
    vantage: str
    endpoints: dict[str, Said]
    platforms: dict[str, Said]


Runs = dict[int, dict[str, Run]]
"""Seed → network → what was said."""


def make(lines: int = LINES) -> Lab:
    """A lab with so many networks and two controls."""
    networks = [LabNetwork(f"line-{i}", asn=64500 + i, country="PK") for i in range(lines)]
    sites = [
        host.site or LabHost(name=host.host, https=_page(host.name), http=_page(host.name))
        for host in HOSTS
    ]
    return Lab(networks, controls=2, more_hosts=sites)


def cycle(
    lab: Lab,
    seed: int,
    probe: Mapping[str, Any] = PATIENT,
    platforms: Sequence[str] = ("telegram",),
) -> dict[str, Run]:
    """One cycle as the seed says, of the hosts and of shipped platforms: a run per network."""
    dice = random.Random(seed)
    lines = {network.name: draw_line(dice) for network in lab.networks}
    for network in lab.networks:
        impair(lab, network, lines[network.name], dice)
    events = [event for host in HOSTS for event in host.trouble(lab, dice) or ()]
    _controls(lab, dice)
    rows = {host.name: host.url or f"https://{host.host}/" for host in HOSTS}
    (lab.directory / "rows.toml").write_text(catalogue(rows), encoding="utf-8")
    listed = ", ".join(f'"{name}"' for name in (*rows, *platforms))
    happening = _happen(events)
    story = look(lab, probe, extra=f'[catalog]\nfile = "rows.toml"\nplatforms = [{listed}]')
    happening.join()
    return {name: _run(line, name, story.lines) for name, line in lines.items()}


def _run(line: Line, name: str, lines: Sequence[dict[str, object]]) -> Run:
    mine = [one for one in lines if one["vantage"] == name]
    (health,) = (one for one in mine if one["kind"] == "vantage")
    return Run(
        line=line,
        vantage=str(health["state"]),
        endpoints={
            f"{one['platform']} {one['endpoint']}": said(one)
            for one in mine
            if one["kind"] == "endpoint"
        },
        platforms={str(one["platform"]): said(one) for one in mine if one["kind"] == "platform"},
    )


def accused(runs: Runs) -> dict[str, list[int]]:
    """What was said above weak evidence, and the seeds it was said for."""
    found: dict[str, list[int]] = {}
    for seed, cycle in runs.items():
        for run in cycle.values():
            for name, one in (*run.endpoints.items(), *run.platforms.items()):
                if one.state in DARK and one.evidence in ("strong", "conclusive"):
                    found.setdefault(f"{name.split()[0]} on a {run.line.kind} line: {one}", [])
                    found[f"{name.split()[0]} on a {run.line.kind} line: {one}"].append(seed)
    return found


def report(runs: Runs) -> str:
    """A table per kind of line, and one per host."""
    every = [run for cycle in runs.values() for run in cycle.values()]
    by_line = [
        (kind, len(mine), *_counts(mine, ""))
        for kind in KINDS
        if (mine := [run for run in every if run.line.kind == kind])
    ]
    by_host = [
        (name, story, *_counts(every, name))
        for name, story in (
            *((host.name, host.story) for host in HOSTS),
            ("telegram", "nothing ails it; data centres known by address, and sites"),
        )
    ]
    columns = ("ok", "insufficient", "down", "blocked, weak", "blocked, above weak")
    return (
        f"{table(('line', 'runs', *columns), by_line)}\n"
        f"{table(('host', 'what ails it', *columns), by_host)}\n"
        f"Said above weak: {counted(accused(runs))}\n"
    )


def _counts(runs: Sequence[Run], platform: str) -> tuple[int, ...]:
    """Endpoint verdicts by what they say."""
    lines = [
        one
        for run in runs
        for name, one in run.endpoints.items()
        if platform in ("", name.split()[0])
    ]
    dark = [one for one in lines if one.state in DARK]
    weak = [one for one in dark if one.evidence == "weak"]
    calm = [sum(one.state == state for one in lines) for state in ("ok", "insufficient", "down")]
    return (*calm, len(weak), len(dark) - len(weak))
