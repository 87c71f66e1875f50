"""`datapackage.json`: what a set of files holds, for programs, as a Frictionless Data Package.

https://datapackage.org describes the format. The types come from the table of columns that also
makes the files.
"""

import hashlib
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import msgspec

from monitor import __version__
from monitor.export.cells import SEPARATORS
from monitor.export.columns import FRACTIONS
from monitor.export.dictionary import HEADER, plain
from monitor.export.kinds import Kind, columns

DESCRIPTOR = "datapackage.json"
_PROFILES = "https://datapackage.org/profiles/2.0"
_NOT_A_NAME = re.compile("[^a-z0-9._-]+")
_TYPES: dict[str, dict[str, Any]] = {
    "UTC time": {"type": "datetime"},
    "yes or no": {"type": "boolean", "trueValues": ["true"], "falseValues": ["false"]},
    "ms": {"type": "number"},
    "bytes": {"type": "integer"},
    "number": {"type": "integer"},
    **{
        unit: {"type": "list", "delimiter": between, "itemType": "string"}
        for unit, between in SEPARATORS.items()
    },
}
"""By unit; every other one is text."""

Described = tuple[str, str, str]
"""Name, unit and meaning of a column."""


class DataFile(msgspec.Struct, frozen=True, kw_only=True):
    """One file of a set."""

    path: Path
    rows: int
    columns: tuple[Described, ...] = ()
    """Empty for a file of JSON lines."""


def described(kind: Kind) -> tuple[Described, ...]:
    """The columns of a kind of file."""
    return tuple((column.name, column.unit, plain(column.meaning)) for column in columns(kind))


def dictionary_columns() -> tuple[Described, ...]:
    """The columns of the data dictionary itself."""
    meanings = ("File, without its ending.", "Column of it.", "Its unit.", "What it means.")
    return tuple((name, "text", meaning) for name, meaning in zip(HEADER, meanings, strict=True))


def write_data_package(
    folder: Path, files: Iterable[DataFile], title: str, words: Sequence[str]
) -> int:
    """Write the descriptor of files in `folder`, and there; returns how many files it describes.

    `words` make its name, as in `shutwatch-pk-x`. OSError.
    """
    resources = [_resource(file, folder) for file in files]
    package = {
        "$schema": f"{_PROFILES}/datapackage.json",
        "name": _NOT_A_NAME.sub("-", "-".join(("shutwatch", *words)).lower()),
        "title": title,
        "contributors": [{"title": f"shutwatch {__version__}", "roles": ["creator"]}],
        "resources": resources,
    }
    text = msgspec.json.format(msgspec.json.encode(package), indent=1)
    (folder / DESCRIPTOR).write_bytes(text + b"\n")
    return len(resources)


def _resource(file: DataFile, folder: Path) -> dict[str, Any]:
    with file.path.open("rb") as data:
        digest = hashlib.file_digest(data, "sha256").hexdigest()
    table = bool(file.columns)
    ending = file.path.suffix.removeprefix(".")
    return {
        "name": _NOT_A_NAME.sub("-", file.path.stem if table else f"{file.path.stem}-{ending}"),
        "path": file.path.relative_to(folder).as_posix(),
        "format": ending,
        "mediatype": "text/csv" if table else "application/jsonl",
        "encoding": "utf-8",
        "bytes": file.path.stat().st_size,
        "hash": f"sha256:{digest}",
        "rows": file.rows,
        **(_table(file.columns) if table else {}),
    }


def _table(columns: Sequence[Described]) -> dict[str, Any]:
    return {
        "type": "table",
        "dialect": {
            "$schema": f"{_PROFILES}/tabledialect.json",
            "delimiter": ",",
            "lineTerminator": "\r\n",
            "quoteChar": '"',
            "doubleQuote": True,
            "header": True,
        },
        "schema": {
            "$schema": f"{_PROFILES}/tableschema.json",
            "fields": [_field(*column) for column in columns],
            "missingValues": [""],
        },
    }


def _field(name: str, unit: str, meaning: str) -> dict[str, Any]:
    kind = _TYPES.get(unit, {"type": "string"})
    if unit == "number" and name in FRACTIONS:
        kind = {"type": "number"}
    return {"name": name, **kind, "description": meaning, "unit": unit}
