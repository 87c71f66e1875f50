"""Whether other users of this machine can read what holds secrets: the configuration, and files
that it names."""

import os
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from monitor.config.environ import expander
from monitor.config.toml_source import read_source
from monitor.doctor.trial import Checked, Trial, found
from monitor.wording.findings import What

_FILES = ("notify.route.url_file", "server.users", "server.tokens", "collector.certificate_key")
"""Settings that name a file of secrets."""
_SECRET: Mapping[str, str] = {
    "database": "@",
    "vantage.egress": "@",
    "agent.proxy": "@",
    "notify.ping_url": "",
    "notify.route.urls": "",
    "source.token": "",
}
"""Settings that are secret, and what they then have in them."""
_OTHERS_READ, _OTHERS_ENTER = 0o004, 0o001


async def try_secrets(trial: Trial) -> list[Checked]:
    """One for each file that others can read, or one for all."""
    source = trial.settings.source
    held = _held(Path(source)) if source else {}
    return [
        found("secrets", str(file), What.OPEN_SECRETS, file=str(file), key=key)
        for file, key in held.items()
        if _others_read(file)
    ] or [Checked(check="secrets")]


def _held(source: Path) -> dict[Path, str]:
    """The files with secrets, each with the setting that it has them for. A value from the
    environment is in none."""
    held: dict[Path, str] = {}
    expand = expander(os.environ)
    for key, text in _texts(read_source(source).data):
        if key in _FILES and text:
            with suppress(ValueError):
                held.setdefault(source.parent / expand(text), key)
        elif "${" not in text and text and key in _SECRET and _SECRET[key] in text:
            held.setdefault(source, key)
    return held


def _texts(value: Any, key: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from _texts(inner, f"{key}.{name}".lstrip("."))
    elif isinstance(value, list):
        for inner in value:
            yield from _texts(inner, key)
    elif isinstance(value, str):
        yield key, value


def _others_read(file: Path) -> bool:
    """A file whose group alone may read it is as a person wanted it."""
    with suppress(OSError):
        real = file.resolve(strict=True)
        entered = all(one.stat().st_mode & _OTHERS_ENTER for one in real.parents)
        return entered and bool(real.stat().st_mode & _OTHERS_READ)
    return False
