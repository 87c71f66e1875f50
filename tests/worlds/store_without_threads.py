"""A store that works in the thread that asks: to wait for another one's turn takes longer than the
work, most of all on a busy machine."""

import asyncio
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

from storage.sql.store import SqlStore

R = TypeVar("R")


class AtOnce(ThreadPoolExecutor):
    """Work for threads that are never started."""

    def submit(self, work: Callable[..., R], /, *arguments: Any, **named: Any) -> Future[R]:
        done = Future[R]()
        try:
            done.set_result(work(*arguments, **named))
        except Exception as error:  # noqa: BLE001 # whoever waits gets it
            done.set_exception(error)
        return done


def use_no_threads(store: SqlStore) -> None:
    """Let an open store work at once from now on, and the running loop with it. For the properties
    of single calls alone: everybody else waits meanwhile."""
    session = store._opened()
    session.readers = session.writers = session.makers = threads = AtOnce()
    asyncio.get_running_loop().set_default_executor(threads)
