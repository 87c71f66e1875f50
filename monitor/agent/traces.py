"""Everything that tells of an agent in its folders, whatever state its configuration is in.

A host who wipes in a hurry may have a file that is broken, half written or gone. So nothing here
needs it to be readable: names are sought in its text and in what editors left of it, the usual
names are taken besides, and whatever lies in the same folders is judged by its name and content.
"""

import mmap
import os
import re
import tomllib
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

import msgspec

from monitor.agent.boot_key import boot_key_files
from monitor.agent.paths import AgentFiles

CONFIG, KEY, SPOOL, ENVIRONMENT = "agent.toml", "agent-key.pem", "spool.db", "environment"
"""The usual names."""
_BEFORE = ".#~$"
"""What editors put before a name, for what they keep beside a file."""
_AFTER = ".~-#_ "
"""The first character of what they, SQLite and shutwatch put behind one."""
_NAMED = re.compile(r"""^[\s#]*(key|spool)\s*=\s*["']([^"'\n]+)["']""", re.M)
_QUOTED = re.compile(r"""["']([^"'\n]+)["']""")
_HOST = re.compile(r"""https://([^"'/\s:]+)""")
_SECRET = re.compile(r"[A-Za-z0-9+/]{42,}={0,2}")
"""A key, or the longest line of one, in base64."""
_LARGEST = 1 << 20
"""Bytes of a configuration that are read."""
_EXAMPLES = frozenset({"collector.example.org"})


class Traces(msgspec.Struct, frozen=True, kw_only=True):
    """What there is to wipe, and what there is besides."""

    agents: tuple[AgentFiles, ...]
    """One for each spool that may be an agent's, to stop who uses it."""
    keys: tuple[Path, ...]
    config: tuple[Path, ...]
    """The configuration, and the files of authorities and platforms that it names."""
    others: tuple[Path, ...]
    """Everything else of the agent's: spool, orders, leftovers, environment."""
    left: tuple[Path, ...]
    """Files and folders beside them that are not known to be the agent's."""

    @property
    def found(self) -> bool:
        """Whether there is anything of an agent."""
        return bool(self.keys or self.config or self.others)


def traces_at(config: Path) -> Traces:
    """All that tells of the agent whose configuration is, or was, this file. Raises OSError when
    the folder cannot be read."""
    folder = config.parent
    beside = list(folder.iterdir())
    written = [config, *(one for one in beside if _derives(one.name, (config.name, CONFIG)))]
    text = "\n".join(_text(one) for one in dict.fromkeys(written))
    named: dict[str, dict[Path, None]] = {"key": {}, "spool": {}}
    for kind, name in (*_NAMED.findall(text), ("key", KEY), ("spool", SPOOL)):
        named[kind][folder / name] = None
    quoted = (folder / name for name in _QUOTED.findall(text) if "\0" not in name)
    of_config = dict.fromkeys([config, *(one for one in quoted if one.parent == folder)])
    stems = [one.name for one in (*named["key"], *named["spool"], config)] + [CONFIG, ENVIRONMENT]
    telling = _telling(text, named["key"])
    keys: list[Path] = []
    kept: list[Path] = []
    others: list[Path] = []
    left: list[Path] = []
    for one in _entries(folder, named["key"], named["spool"]):
        if not _is_plain(one):
            pile = left
        elif one in named["key"]:
            pile = keys
        elif one in of_config and one not in named["spool"] and one.name != ENVIRONMENT:
            pile = kept
        elif _derives(one.name, stems) or (one.parent == folder and _tells(one, telling)):
            pile = others
        else:
            pile = left
        pile.append(one)
    # A folder that only others may enter holds none of ours.
    keys += [
        file for spool in named["spool"] for file in boot_key_files(spool) if os.path.lexists(file)
    ]
    agents = (AgentFiles(config=config, key=folder / KEY, spool=spool) for spool in named["spool"])
    return Traces(
        agents=tuple(agents),
        keys=tuple(keys),
        config=tuple(kept),
        others=tuple(others),
        left=tuple(one for one in left if one.parent == folder),
    )


def is_of_another_kind(config: Path) -> bool:
    """Whether a file is whole, and says that it is a monitor's or a collector's."""
    try:
        tables = tomllib.loads(_text(config))
    except tomllib.TOMLDecodeError:
        return False
    return bool(tables) and "agent" not in tables


def _entries(folder: Path, *named: Iterable[Path]) -> Iterator[Path]:
    """What lies in the folder, and in the folders of the other files."""
    folders = dict.fromkeys([folder, *(one.parent for group in named for one in group)])
    for each in folders:
        with suppress(OSError):  # gone, or not ours to read
            yield from sorted(each.iterdir())


def _derives(name: str, stems: Iterable[str]) -> bool:
    """Whether a name is one of these, or what a program made of it."""
    core = name.lstrip(_BEFORE)
    return any(
        core.startswith(stem) and (len(core) == len(stem) or core[len(stem)] in _AFTER)
        for stem in stems
    )


def _telling(text: str, keys: Iterable[Path]) -> frozenset[bytes]:
    """What gives the agent away in a file of any name: collectors, and keys."""
    secrets = "\n".join([text, *map(_text, keys)])
    found = {*_HOST.findall(text), *_SECRET.findall(secrets)} - _EXAMPLES
    return frozenset(one.encode() for one in found)


def _tells(file: Path, telling: frozenset[bytes]) -> bool:
    try:
        with file.open("rb") as opened, mmap.mmap(opened.fileno(), 0, prot=mmap.PROT_READ) as all_:
            return any(all_.find(one) >= 0 for one in telling)
    except (OSError, ValueError):  # unreadable, or empty
        return False


def _text(file: Path) -> str:
    try:
        with file.open("rb") as opened:
            return opened.read(_LARGEST).decode("utf-8", "replace")
    except OSError:
        return ""


def _is_plain(file: Path) -> bool:
    """Whether it is a file or a link; a link is taken away, and what it leads to stays."""
    return file.is_symlink() or file.is_file()
