"""Every scenario of the matrix on real packets, through the command a person would use."""

import ssl
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest

from monitor.analysis.judge.rules.table import RULES
from monitor.analysis.throttling.rules_table import THROTTLING_RULES
from tests.lab.lab import Lab
from tests.lab.network import LabNetwork
from tests.scenarios.matrix import OPEN, Scenario, catalogue
from tests.scenarios.matrix_table import SCENARIOS
from tests.scenarios.story import UNHURRIED, Line, Seen, seen, write_config

pytestmark = pytest.mark.lab

LIVE = {row.name: row for row in SCENARIOS if not row.proved_in}
FOLLOW_UPS = 16
"""So many failures of a vantage are followed up in one cycle; no network may have more."""


def _look(run: str) -> Seen:
    rows = [row for row in LIVE.values() if row.look == run]
    names = [OPEN, *dict.fromkeys(row.network for row in rows if row.network)]
    networks = [LabNetwork(name, asn=64500 + i) for i, name in enumerate(names)]
    hosts = [host for row in rows for host in row.sites]
    with Lab(networks, controls=2, direct=run == "forms", more_hosts=hosts) as lab:
        for row in rows:
            if row.build:
                row.build(lab, lab.network(row.network or OPEN))
        if run == "no-control":
            for control in lab.controls:
                control.kill()
        (lab.directory / "rows.toml").write_text(
            catalogue({row.name: row.endpoint for row in rows}), encoding="utf-8"
        )
        listed = ", ".join(f'"{row.name}"' for row in rows)
        path = write_config(
            lab,
            # A bound device finds its neighbours without any route.
            egress="source" if run == "families" else "interface",
            probe=UNHURRIED,
            extra=f'[catalog]\nfile = "rows.toml"\nplatforms = [{listed}]',
        )
        if run == "families":
            text = path.read_text()
            for network in lab.networks:
                text = text.replace(f'"{network.resolver}"', f'"{network.resolver6}"')
                if network.name == "half":
                    text = text.replace(f'"{network.resolver6}"', f'"{network.resolver}"')
            path.write_text(text)
        argv = ["shutwatch", "once", "--config", str(path), "--json"]
        return seen(lab.run(argv, timeout=300))


LOOKS = 3
_ACCUSED = ("blocked", "throttled", "partial", "degraded")
_BY_FORM = (
    {}
    if ssl.OPENSSL_VERSION_INFO >= (3, 5)
    else {"tls.short_hello": "conclusive", "tls.large_hello": "strong"}
)
"""Rule → evidence, where it is not the matrix's: only when its own greeting is cut off does a
vantage look into it, and that of older versions of OpenSSL comes in one packet."""
_KEYS = ("state", "rule_id", "method", "sub_method", "evidence")


@pytest.fixture(scope="module")
def stories() -> Callable[..., Seen]:
    """The look of each run, taken when first asked for; one with another number is another look."""

    @cache
    def look(run: str, number: int = 1) -> Seen:
        assert number <= LOOKS, "patience has an end"
        return _look(run)

    return look


def _verdict(story: Seen, network: str, row: Scenario) -> Line:
    (line,) = (
        one
        for one in story.lines
        if one["kind"] == "endpoint" and one["vantage"] == network and one["platform"] == row.name
    )
    return line


@pytest.mark.parametrize("name", LIVE)
def test_scenario(request: pytest.FixtureRequest, stories: Callable[..., Seen], name: str) -> None:
    """The answer is the matrix's, and where nobody censors nobody is accused."""
    row = LIVE[name]
    if row.wrong:
        # Strict: once the answer is right, the row may no longer say otherwise.
        request.applymarker(pytest.mark.xfail(reason=row.wrong, strict=True))
    wanted = _wanted(row)
    for number in range(1, LOOKS + 1):
        answer = _answers(stories(row.look, number), row)
        # On a machine that others keep busy tests and controls fail, which rightly tells little.
        if answer == wanted or _accuses_wrongly(answer, wanted):
            break
    assert answer == wanted


def _accuses_wrongly(answer: dict[str, object], wanted: dict[str, object]) -> bool:
    """Whether it says more than too little."""
    elsewhere = answer["elsewhere"] != wanted["elsewhere"] and answer["elsewhere"] in _ACCUSED
    here = any(answer[key] != wanted[key] for key in _KEYS) and answer["state"] in _ACCUSED
    return elsewhere or (here and answer["evidence"] not in ("none", "weak"))


def _wanted(row: Scenario) -> dict[str, object]:
    """The verdict on the row's endpoint, the state of its platform, and that where nobody
    censors."""
    return {
        **{key: getattr(row.answer, key) for key in _KEYS},
        "evidence": _BY_FORM.get(row.answer.rule_id, row.answer.evidence),
        "platform": row.platform or row.answer.state,
        "elsewhere": row.elsewhere or ("ok" if row.network else row.answer.state),
    }


def _answers(story: Seen, row: Scenario) -> dict[str, object]:
    """The same as they were seen."""
    network = row.network or OPEN
    line = _verdict(story, network, row)
    return {
        **{key: line[key] for key in _KEYS},
        "platform": story.platform(network, row.name)["state"],
        "elsewhere": _verdict(story, OPEN, row)["state"],
    }


def test_every_failure_can_be_followed_up() -> None:
    """No network holds more blocked rows than one cycle asks further about."""
    for run in {row.look for row in LIVE.values()}:
        for network in {row.network for row in LIVE.values()}:
            failing = [
                row
                for row in LIVE.values()
                if (row.look, row.network, row.answer.state) == (run, network, "blocked")
            ]
            assert len(failing) <= FOLLOW_UPS


def test_names_are_unique_and_rules_exist() -> None:
    """Every row has a name of its own, and its answer a rule that there is."""
    assert len({row.name for row in SCENARIOS}) == len(SCENARIOS)
    rules = {rule.id for rule in RULES} | {rule.id for rule in THROTTLING_RULES}
    assert {row.answer.rule_id for row in SCENARIOS} <= rules


@pytest.mark.parametrize("row", [row for row in SCENARIOS if row.proved_in], ids=lambda r: r.name)
def test_proofs_exist(row: Scenario) -> None:
    """A row proved by another test names one that there is."""
    file, _, test = row.proved_in.partition("::")
    assert f"def {test.partition('[')[0]}(" in (Path(__file__).parent / file).read_text()
