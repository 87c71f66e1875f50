"""Receives the demonstration's notifications: what Apprise posts to a `json://` address."""

from collections.abc import Callable

import h11
import msgspec

from monitor.demo.connection import Connection

OnMessage = Callable[[str, str], None]
"""Called with title and text of each message."""

PATH = "/messages"
_LONGEST = 1024 * 1024


class Message(msgspec.Struct, frozen=True):
    """The fields of a posted message that the demonstration shows."""

    title: str
    message: str


class Receiver(Connection):
    """One connection that brings a message."""

    def __init__(self, on_message: OnMessage) -> None:
        self._on_message = on_message
        self._http = h11.Connection(h11.SERVER)
        self._body = b""

    def data_received(self, data: bytes) -> None:
        """A part of a request."""
        try:
            self._http.receive_data(data)
            done = self._take()
        except h11.ProtocolError:
            done = True
        if done:
            self.transport.close()

    def _take(self) -> bool:
        """Whether the connection is over."""
        while True:
            event = self._http.next_event()
            if isinstance(event, h11.Data):
                self._body += event.data
                if len(self._body) > _LONGEST:
                    return True
            elif isinstance(event, h11.EndOfMessage):
                self._answer(204 if self._deliver() else 400)
                return True
            elif not isinstance(event, h11.Request):
                return event is not h11.NEED_DATA

    def _deliver(self) -> bool:
        try:
            posted = msgspec.json.decode(self._body, type=Message)
        except msgspec.DecodeError:
            return False
        self._on_message(posted.title, posted.message)
        return True

    def _answer(self, status: int) -> None:
        head = h11.Response(status_code=status, headers=[("Connection", "close")], reason=b"")
        for event in (head, h11.EndOfMessage()):
            self.transport.write(self._http.send(event) or b"")
