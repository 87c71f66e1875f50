"""A module of tests may choose its event loop, by a `LOOP` of its own."""

import asyncio
from collections.abc import Callable, Mapping

import pytest


def pytest_asyncio_loop_factories(
    item: pytest.Item,
) -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """The module's `LOOP`, or the usual one."""
    module = getattr(item, "module", None)
    return {"loop": getattr(module, "LOOP", asyncio.new_event_loop)}
