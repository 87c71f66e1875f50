"""One duty of a leader, which is not given up for a fault of its own.

A duty reads what others wrote: answers of sources, webhooks, old rows. What makes one fail makes it
fail again, so if that ended the leading, nobody would judge for long. A database that fails is
something else: then the lead may be another's.
"""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from monitor.logs import logger
from storage.store import StorageError

log = logger(__name__)

Duty = Callable[[], Coroutine[Any, Any, None]]

AGAIN = 60.0
"""Seconds until a duty that failed is tried again."""


async def do(duty: Duty, again: float = AGAIN) -> None:
    """Until the duty ends by itself, or cancelled. Raises what it does about the database."""
    while True:
        try:
            return await duty()
        except Exception as error:
            if _of_the_database(error):
                raise
            log.exception("a duty failed, our own fault", duty=_name_of(duty))
        await asyncio.sleep(again)


def _of_the_database(error: Exception) -> bool:
    if isinstance(error, ExceptionGroup):
        return error.subgroup(StorageError) is not None
    return isinstance(error, StorageError)


def _name_of(duty: Duty) -> str:
    """Such as `Retention.run`."""
    return getattr(duty, "__qualname__", type(duty).__name__)
