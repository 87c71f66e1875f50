"""Why an HTTP request had no answer, in words for people."""

import ssl

from probes.sockets.http_client import httpx

_WORDS: dict[type[Exception], str] = {
    httpx.ConnectTimeout: "no connection in time",
    httpx.ConnectError: "no connection",
    httpx.ProxyError: "the proxy would not connect",
    httpx.WriteTimeout: "nothing can be sent",
    httpx.TimeoutException: "no answer in time",
    httpx.UnsupportedProtocol: "no web address",
    httpx.InvalidURL: "no web address",
    httpx.DecodingError: "an answer that cannot be decoded",
}


def why_no_answer(error: Exception) -> str:
    """What went wrong, without an address."""
    untrusted = untrusted_certificate(error)
    if untrusted is not None:
        return f"an untrusted certificate ({untrusted.verify_message})"
    known = (text for kind, text in _WORDS.items() if isinstance(error, kind))
    return next(known, "the connection broke")


def untrusted_certificate(error: BaseException | None) -> ssl.SSLCertVerificationError | None:
    """The failed verification of a certificate that caused an error."""
    while error is not None and not isinstance(error, ssl.SSLCertVerificationError):
        error = error.__cause__ or error.__context__
    return error
