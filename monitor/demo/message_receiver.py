"""Receives the demonstration's notifications: what Apprise posts to a `json://` address."""

from collections.abc import Callable

import h11
import msgspec

from monitor.demo.origin import Page

OnMessage = Callable[[str, str], None]
"""Called with title and text of each message."""

PATH = "/messages"


class Message(msgspec.Struct, frozen=True):
    """The fields of a posted message that the demonstration shows."""

    title: str
    message: str


def receive(on_message: OnMessage, _: h11.Request, body: bytes) -> Page:
    """The answer to a posted message: 204, or 400 for a body that is none."""
    try:
        posted = msgspec.json.decode(body, type=Message)
    except msgspec.DecodeError:
        return Page(status=400, title="Bad request", text="This is not a message.", last=True)
    on_message(posted.title, posted.message)
    return Page(status=204, title="", text="", last=True)
