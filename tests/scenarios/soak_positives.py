"""Every technique on a bad line: which is told apart, how often, and what is said otherwise.

One network per technique, each with its own dice: ten frames in a hundred are lost each way
between the client and the censor, whose forgeries suffer like everything else, and a round trip
takes 300 ms. One cycle is one run of every technique.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from tests.lab.hosts import BLOCK_PAGE, LabHost, Page, web_page
from tests.lab.lab import Lab
from tests.lab.network import LabNetwork, Network
from tests.scenarios.matrix import catalogue
from tests.scenarios.soak import PATIENT, Said, counted, look, said, table
from tests.scenarios.test_applications import CENTRE, DATA_CENTRES
from tests.scenarios.test_techniques import PLAIN, TECHNIQUES, Technique, X

LOSS, RTT = 0.1, 0.3
WANTED = 95
"""Of a hundred runs so many must be right for each technique."""

ROWS = {"target": X, "plain": PLAIN, "bystander": "https://bystander.example/"}
CHAT = f"""
[platform.chat]
title = "A data centre that speaks its own protocol"
owner = "Nobody"

[platform.chat.function.chat]
core = true
protocol = "mtproto"
endpoints = ["{CENTRE}"]
"""
OPEN = "open"
"""The network on which the line is as bad and nobody interferes."""

_MORE = (
    Technique(
        name="dns-hijack",
        apply=lambda network: network.block(dns=["x.com"], how="address", answer=BLOCK_PAGE),
        method="dns",
        sub_method="hijack",
        failures={},
    ),
    Technique(
        name="certificate-self-signed",
        apply=lambda network: network.forge(["x.com"], "self-signed"),
        method="tls",
        sub_method="certificate",
        failures={},
    ),
    Technique(
        name="hello-reset-ipv4-only",
        apply=lambda network: network.block(sni=["x.com"], how="reset", family=4),
        state="partial",
        method="tls",
        sub_method="reset",
        failures={},
    ),
    Technique(
        name="hello-reset-residual",
        apply=lambda network: network.block(
            sni=["x.com"], how="reset", residual=60.0, residual_how="drop"
        ),
        method="tls",
        sub_method="reset",
        failures={},
    ),
    Technique(
        name="telegram-middlebox",
        apply=lambda network: network.middlebox(DATA_CENTRES, answer="http"),
        endpoint=CENTRE,
        method="tcp",
        sub_method="middlebox",
        failures={},
    ),
)
ALL = {technique.name: technique for technique in (*TECHNIQUES, *_MORE)}


class Run(msgspec.Struct, frozen=True):
    """What one cycle said of one technique."""

    endpoint: Said
    platform: Said
    sub_method: str
    bystanders: tuple[Said, ...]
    """Verdicts above weak against what nobody interfered with."""
    vantage: str


Runs = dict[int, dict[str, Run]]
"""Seed → network → what was said."""


def make(techniques: Iterable[str] = ALL) -> Lab:
    """A lab with a network per technique, and one that is only bad."""
    names = [*techniques, OPEN]
    networks = [LabNetwork(name, asn=64500 + i, country="PK") for i, name in enumerate(names)]
    plain = Page(body=web_page("Evening bulletin from the mountains"))
    return Lab(
        networks,
        controls=1,
        more_hosts=[
            LabHost(name="plain.example", http={"": plain}),
            LabHost(name="bystander.example", https={"": Page(body=web_page("Bystander"))}),
        ],
    )


def cycle(lab: Lab, seed: int, probe: Mapping[str, Any] = PATIENT) -> dict[str, Run]:
    """One run of every technique that the lab has a network for; name → what was said."""
    for number, network in enumerate(lab.networks):
        network.impair(loss=LOSS, rtt=RTT, near=True, seed=1000 * seed + number)
        if network.name in ALL:
            ALL[network.name].apply(network)
    (lab.directory / "rows.toml").write_text(catalogue(ROWS) + CHAT, encoding="utf-8")
    listed = ", ".join(f'"{name}"' for name in (*ROWS, "chat"))
    story = look(
        lab,
        probe,
        control_resolver="8.8.8.8",
        extra=f'[catalog]\nfile = "rows.toml"\nplatforms = [{listed}]',
    )
    return {network.name: _run(network, story.lines) for network in lab.networks}


def _run(network: Network, lines: Sequence[dict[str, object]]) -> Run:
    mine = [line for line in lines if line["vantage"] == network.name]
    technique = ALL.get(network.name)
    (health,) = (line for line in mine if line["kind"] == "vantage")
    verdicts = [line for line in mine if line["kind"] in ("endpoint", "platform")]
    meant = technique.endpoint if technique else X
    platform = {X: "target", PLAIN: "plain", CENTRE: "chat"}[meant]
    about = [line for line in verdicts if line["platform"] == platform]
    (whole,) = (line for line in about if line["kind"] == "platform")
    (endpoint,) = (line for line in about if line["kind"] == "endpoint")
    innocent = [line for line in verdicts if not technique or line["platform"] != platform]
    return Run(
        endpoint=said(endpoint),
        platform=said(whole),
        sub_method=str(endpoint["sub_method"]),
        bystanders=tuple(
            said(line)
            for line in innocent
            if line["state"] != "ok" and line["evidence"] not in ("none", "weak")
        ),
        vantage=str(health["state"]),
    )


def right(technique: Technique, run: Run) -> bool:
    """State and method are those of the technique, for endpoint and platform."""
    return all(
        (one.state, one.method) == (technique.state, technique.method)
        for one in (run.endpoint, run.platform)
    )


def missed(runs: Runs) -> dict[str, list[int]]:
    """Technique → the seeds for which the answer was not right."""
    return {
        name: [
            seed
            for seed, found in runs.items()
            if name in found and not right(technique, found[name])
        ]
        for name, technique in ALL.items()
    }


def report(runs: Runs) -> str:
    """A row per technique."""
    rows = []
    for name, technique in ALL.items():
        mine = {seed: found[name] for seed, found in runs.items() if name in found}
        good = [run for run in mine.values() if right(technique, run)]
        kind = [run for run in good if run.sub_method == technique.sub_method]
        strong = [run for run in good if run.endpoint.evidence != "weak"]
        wrong: dict[str, list[int]] = {}
        for seed, run in mine.items():
            if not right(technique, run):
                where = "" if run.vantage == "ok" else f", vantage {run.vantage}"
                wrong.setdefault(f"{run.endpoint}{where}", []).append(seed)
        rows.append(
            (
                name,
                f"{technique.method}.{technique.sub_method}",
                f"{len(good)} of {len(mine)}",
                len(kind),
                len(strong),
                counted(wrong),
            )
        )
    return table(
        ("technique", "answer", "state and method right", "kind too", "not weak", "otherwise"), rows
    )


def accused(runs: Runs) -> dict[int, list[str]]:
    """Seed → what was said above weak evidence against whom nobody interfered with."""
    found = {
        seed: [f"{name}: {one}" for name, run in cycle.items() for one in run.bystanders]
        for seed, cycle in runs.items()
    }
    return {seed: words for seed, words in found.items() if words}
