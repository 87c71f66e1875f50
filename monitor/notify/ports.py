"""What delivery needs of others: a service that takes messages, and somebody who counts."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from typing import Protocol

from monitor.analysis.events.event import Event
from monitor.analysis.second_witness import AnyWitness
from monitor.notify.message_value import Limits, Message
from monitor.notify.settings import Target

Witnesses = Callable[[Event, datetime], Awaitable[tuple[AnyWitness, ...]]]
"""Reads what others measured while an event lasted, as of a moment (UTC). Raises StorageError."""


class MessageService(Protocol):
    """A service that delivers messages."""

    def limits(self, target: Target) -> Limits:
        """How long a message to this target may be. Nothing is sent."""

    async def deliver(self, target: Target, message: Message, within: float) -> str:
        """Deliver a message within this many seconds. Empty when the service accepted it, else the
        reason, without any part of the address or of the service's answer."""


class DeliveryCounter(Protocol):
    """Counters for the metrics."""

    def notified(self, route: str, count: int) -> None:
        """Count events that a target of a route was notified of by one message."""

    def notification_failed(self, route: str) -> None:
        """Count one failed attempt to deliver to a target of a route."""

    def notifications_pending(
        self, pending: Mapping[str, Sequence[datetime]], given_up: Mapping[str, int]
    ) -> None:
        """The notices that wait, by route: for each the UTC time from which it is overdue. And how
        many of a route were given up in the last day."""
