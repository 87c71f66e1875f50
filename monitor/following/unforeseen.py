"""What no line of ours foresaw of a source: a fault of that source alone.

Others choose what a source answers, so what one brings must not stop the others. The log says what
failed and where, and nothing of the answer: an address of somebody may stand in it.
"""

import traceback
from collections.abc import Awaitable
from pathlib import PurePath

from monitor.logs import logger
from monitor.sources.fault import SourceFault
from storage.store import StorageError

log = logger(__name__)

_FRAMES = 5
"""Innermost lines of code that are named."""


async def fault_in(work: Awaitable[object], source: str) -> SourceFault | None:
    """What went wrong with a source while we read it, if anything did. Raises StorageError."""
    try:
        await work
    except SourceFault as fault:
        return fault
    except StorageError:
        raise
    except Exception as error:  # noqa: BLE001 - noted without its text
        return unforeseen(error, source)
    return None


def unforeseen(error: Exception, source: str) -> SourceFault:
    """An error as a fault of its source; logged."""
    frames = traceback.extract_tb(error.__traceback__)[-_FRAMES:]
    where = " ".join(f"{PurePath(one.filename).name}:{one.lineno}" for one in frames)
    name = type(error).__name__
    log.error("nobody foresaw what a source did", source=source, error=name, where=where)
    return SourceFault("malformed", f"{name} at {where}")
