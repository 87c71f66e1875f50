"""One request of HTTP and its answer, as a value: who reads stored answers needs no client."""

import re

import msgspec

_TITLE_START = re.compile(rb"<title(?:\s[^<>]{0,200})?>", re.IGNORECASE)
_TITLE_END = re.compile(rb"</title", re.IGNORECASE)
_TITLE_LIMIT = 4096
"""Bytes of a title element that are read."""
_USUAL_HEAD, _READ_ON = 4096, 16 * 1024
"""Bytes of the longest ordinary head, and those that come with the last of a long body."""


class Exchange(msgspec.Struct, frozen=True, kw_only=True):
    """One request and its answer, unscrubbed: it must not leave the probes as it is."""

    duration: float
    """Seconds."""
    failure: str | None
    status: int = 0
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    """Decoded, as far as it was read."""
    truncated: bool = False
    """The body goes on after what was read."""
    received: int = 0
    """Bytes that came, as they came: head, framing and packed body."""

    def header(self, name: str) -> str:
        """The first value of a header, or empty."""
        return next((value for key, value in self.headers if key == name), "")

    @property
    def besides(self) -> int:
        """Bytes that came and are not in the body; 0 where an ordinary head explains them."""
        besides = self.received - len(self.body)
        usual = _USUAL_HEAD + (_READ_ON if self.truncated else 0)
        return besides if besides > usual else 0

    @property
    def lasts(self) -> bool:
        """Whether the connection can carry another request: the answer has an end of its own."""
        whole = self.failure is None and self.status >= 200 and not self.truncated
        framed = self.header("content-length") or self.header("transfer-encoding")
        return whole and bool(framed) and self.header("connection").lower() != "close"

    @property
    def title(self) -> str:
        """The text of the first title element, white space folded."""
        start = _TITLE_START.search(self.body)
        if start is None:
            return ""
        inside = self.body[start.end() : start.end() + _TITLE_LIMIT]
        end = _TITLE_END.search(inside)
        words = (inside if end is None else inside[: end.start()]).decode("utf-8", "replace")
        return " ".join(words.split())
