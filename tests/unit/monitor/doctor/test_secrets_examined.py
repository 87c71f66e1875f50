"""`doctor` names the files of secrets that other users of the machine can read."""

import asyncio
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from monitor.config.load import load_config
from monitor.doctor.secrets import try_secrets
from monitor.doctor.trial import Trial
from monitor.measuring.probers import Probers
from monitor.wording.findings import Level, What
from storage.values.steady_clock import utc_now
from tests.worlds.doctor_world import told

VANTAGE = '[[vantage]]\nid = "a"\ncountry = "PK"\n'
PROXIED = f'{VANTAGE}egress = "socks5://user:hush7@10.1.2.3:1080"\n'


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that others may enter, as those of tests are not."""
    with tempfile.TemporaryDirectory(dir="/tmp") as name:
        Path(name).chmod(0o755)
        yield Path(name)


def opened(file: Path, text: str, mode: int) -> list[str]:
    """The setting for which each file is named."""
    file.write_text(text)
    file.chmod(mode)
    settings = load_config(file, {"PASSWORD": "hush7"})
    probers = Probers(settings, now=utc_now)
    checked = asyncio.run(try_secrets(Trial(settings=settings, probers=probers)))
    assert "hush7" not in str(checked) + str(told(checked))
    named = [one.finding for one in checked if one.finding is not None]
    assert {one.level for one in named} <= {Level.WARNING}
    assert all(one.what is What.OPEN_SECRETS for one in named)
    return [one.values["key"] for one in named]


@pytest.mark.parametrize(
    ("text", "mode", "keys"),
    [
        (PROXIED, 0o644, ["vantage.egress"]),
        (PROXIED, 0o666, ["vantage.egress"]),
        (PROXIED, 0o600, []),
        (PROXIED, 0o640, []),
        (PROXIED.replace("hush7", "${PASSWORD}"), 0o644, []),
        (VANTAGE, 0o644, []),
        (
            f'{VANTAGE}[notify]\nping_url = "https://ping.example.net/hush7"\n',
            0o644,
            ["notify.ping_url"],
        ),
        (
            f'{VANTAGE}[[notify.route]]\nname = "ops"\nurls = ["json://10.1.2.3/hush7"]\n',
            0o644,
            ["notify.route.urls"],
        ),
    ],
)
def test_a_configuration_with_secrets_is_for_its_owner_and_group(
    folder: Path, text: str, mode: int, keys: list[str]
) -> None:
    """Not one that has them from the environment."""
    assert opened(folder / "shutwatch.toml", text, mode) == keys


def test_the_files_that_it_names_are_too(folder: Path) -> None:
    """Each by its own mode."""
    for name, text, mode in (
        ("urls", "json://10.1.2.3/hush7", 0o644),
        ("tokens", "a" * 64, 0o666),
    ):
        (folder / name).write_text(text)
        (folder / name).chmod(mode)
    text = '[[notify.route]]\nname = "ops"\nurl_file = "urls"\n[server]\ntokens = "tokens"\n'
    assert opened(folder / "shutwatch.toml", VANTAGE + text, 0o644) == [
        "notify.route.url_file",
        "server.tokens",
    ]
    (folder / "urls").chmod(0o600)
    (folder / "tokens").chmod(0o640)
    assert opened(folder / "shutwatch.toml", VANTAGE + text, 0o644) == []


def test_what_is_in_a_private_folder_is_private(folder: Path) -> None:
    """Nobody else gets there."""
    folder.chmod(0o700)
    assert opened(folder / "shutwatch.toml", PROXIED, 0o644) == []
