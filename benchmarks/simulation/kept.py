"""Results that outlive their run, so that a simulation of many hours can go on after a break."""

from collections.abc import Callable
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import TypeVar

import msgspec

T = TypeVar("T")
R = TypeVar("R")
ROOT = Path(__file__).resolve().parents[2]
PROGRAM = ("monitor/analysis", "benchmarks/simulation", "benchmarks/detection.py")
"""What the results follow from. They are simulated anew once any of it changes."""


def kept(folder: Path | None, kind: type[R], work: Callable[[T], R], task: T) -> R:
    """The result of `work(task)`: from the folder if this program left it there, else left there
    now. Nothing is kept without a folder."""
    if folder is None:
        return work(task)
    key = sha256(_program() + msgspec.msgpack.encode((kind.__name__, task))).hexdigest()
    path = folder / f"{key[:32]}.msgpack"
    if path.exists():
        return msgspec.msgpack.decode(path.read_bytes(), type=kind)
    result = work(task)
    half = path.with_suffix(".half")
    half.write_bytes(msgspec.msgpack.encode(result))
    half.replace(path)
    return result


@cache
def _program() -> bytes:
    """Digest of all that is in `PROGRAM`."""
    files = [
        file
        for name in PROGRAM
        for file in ((ROOT / name).rglob("*.py") if (ROOT / name).is_dir() else [ROOT / name])
    ]
    return sha256(b"".join(file.read_bytes() for file in sorted(files))).digest()
