"""Test messages: for the command line and the page."""

import asyncio
from collections.abc import Sequence
from datetime import datetime

from monitor.notify.message import trial_message
from monitor.notify.names_without_markup import message_words
from monitor.notify.ports import MessageService
from monitor.notify.settings import Route, Target


async def try_all(
    service: MessageService, routes: Sequence[Route], within: float, now: datetime
) -> list[tuple[str, str, str]]:
    """Send a test message to every target, each within so many seconds. For each: the route, the
    target, and why the service did not take the message, empty when it did."""

    async def one(route: Route, target: Target) -> tuple[str, str, str]:
        message = trial_message(message_words(route.language), route.name, now)
        return route.name, target.name, await service.deliver(target, message, within)

    return await asyncio.gather(*(one(route, target) for route in routes for target in route.urls))
