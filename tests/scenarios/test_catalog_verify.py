"""`shutwatch catalog verify` in the lab: what is true, dead, moved or refused, from a control."""

import subprocess
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from tests.lab.hosts import GHOST
from tests.lab.lab import Lab
from tests.lab.network import LabNetwork
from tests.scenarios.story import UNHURRIED, write_config

pytestmark = pytest.mark.lab

OWN = f"""
[platform.old.function.web]
core = true
need = "all"
endpoints = [
  "https://{GHOST}/",
  "tcp://x.com:81",
  "https://twitter.com/",
  {{ endpoint = "https://www.wikipedia.org/gone", status = 404 }},
]
"""


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    """A censored network, and controls with and without a proxy, where nothing is blocked."""
    with Lab([LabNetwork("ptcl", 17557)], controls=1, direct=1) as lab:
        lab.network("ptcl").block(sni=["x.com"], how="drop")
        yield lab


def _verified(lab: Lab, **options: Any) -> tuple[dict[str, dict[str, str]], int]:
    """Endpoint → its line, and the exit code."""
    path = write_config(lab, probe=UNHURRIED, **options)
    done: subprocess.CompletedProcess[str] = lab.run(
        ["shutwatch", "catalog", "verify", "--config", str(path), "--json"], timeout=240
    )
    assert not done.stderr
    lines = [msgspec.json.decode(line) for line in done.stdout.splitlines()]
    return {line["endpoint"]: line for line in lines}, done.returncode


def test_the_shipped_catalogue_is_true_in_the_lab(lab: Lab) -> None:
    """Every endpoint answers from the controls, over a protocol where it speaks one; redirects to
    another domain are named, and the field's censor plays no part."""
    found, code = _verified(lab)
    wrong = {e: line for e, line in found.items() if line["truth"] not in ("ok", "moved")}
    assert (wrong, code) == ({}, 0)
    assert len(found) > 100
    moved = {e: line["detail"] for e, line in found.items() if line["truth"] == "moved"}
    assert moved == {
        "https://twitter.com/": "x.com",
        "https://www.threads.net/": "www.threads.com",
        "https://youtu.be/": "www.youtube.com",
        "https://t.me/": "telegram.org",
    }


def test_what_is_wrong_is_told_apart(lab: Lab) -> None:
    """A name that is gone, a closed port, a host that moved, a status nobody expected: each by its
    own word, and the exit code says that something is wrong."""
    (lab.directory / "own.toml").write_text(OWN)
    found, code = _verified(
        lab, name="own-config.toml", extra='[catalog]\nfile = "own.toml"\nplatforms = ["old"]'
    )
    assert code == 1
    mine = {
        e: (line["truth"], line["detail"]) for e, line in found.items() if line["function"] == "web"
    }
    assert mine == {
        f"https://{GHOST}/": ("dead", "dns: dns_nxdomain_error"),
        "tcp://x.com:81": ("refused", "tcp: connection_refused"),
        "https://twitter.com/": ("moved", "x.com"),
        "https://www.wikipedia.org/gone": ("refused", "http: status 200"),
    }


def test_without_a_control_it_does_not_try(lab: Lab) -> None:
    """From a field vantage a block would look like a mistake of the catalogue."""
    text = write_config(lab, name="whole.toml").read_text()
    path = lab.directory / "field.toml"
    path.write_text(text.replace('role = "control"', 'role = "field"'))
    done = lab.run(["shutwatch", "catalog", "verify", "--config", str(path)], timeout=300)
    assert done.returncode == 2
    assert 'no vantage with role = "control"' in done.stderr
