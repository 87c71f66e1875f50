"""Exception → failure string. This is the only such mapping.

It rests on these facts (OpenSSL 3, CPython 3.11–3.13, Linux):

* a FIN during the handshake is `ssl.SSLEOFError`, an RST at any time is `ConnectionResetError`
  with errno 104, so the two stay apart as long as TLS does not read the socket itself;
* `TimeoutError` without errno is our own deadline, with ETIMEDOUT the kernel's;
* ICMP "administratively prohibited" reaches an IPv6 socket as EACCES, an IPv4 one as
  EHOSTUNREACH;
* ICMP "protocol unreachable", "host unknown" and "host isolated" are ENOPROTOOPT, EHOSTDOWN and
  ENONET (icmp(7)), and filters send the first of them if told so.
"""

import errno
import re
import ssl

from probes.failure_strings import Failure, unknown_failure

_BY_ERRNO = {
    errno.EAFNOSUPPORT: Failure.ADDRESS_FAMILY_NOT_SUPPORTED,
    errno.EADDRINUSE: Failure.ADDRESS_IN_USE,
    errno.EADDRNOTAVAIL: Failure.ADDRESS_NOT_AVAILABLE,
    errno.ECONNABORTED: Failure.CONNECTION_ABORTED,
    errno.ECONNREFUSED: Failure.CONNECTION_REFUSED,
    errno.ECONNRESET: Failure.CONNECTION_RESET,
    errno.EPIPE: Failure.CONNECTION_RESET,
    errno.EHOSTUNREACH: Failure.HOST_UNREACHABLE,
    errno.EHOSTDOWN: Failure.HOST_UNREACHABLE,
    errno.ENONET: Failure.HOST_UNREACHABLE,
    errno.ENOPROTOOPT: Failure.HOST_UNREACHABLE,
    errno.EINTR: Failure.INTERRUPTED,
    errno.ENETDOWN: Failure.NETWORK_DOWN,
    errno.ENETRESET: Failure.NETWORK_RESET,
    errno.ENETUNREACH: Failure.NETWORK_UNREACHABLE,
    errno.ENOTCONN: Failure.NOT_CONNECTED,
    errno.EACCES: Failure.PERMISSION_DENIED,
    errno.EPERM: Failure.PERMISSION_DENIED,
    errno.ETIMEDOUT: Failure.TIMED_OUT,
}

_HOSTNAME_MISMATCH = 62
_IP_MISMATCH = 64
_UNTRUSTED = frozenset({2, 18, 19, 20, 21})
"""X509_V_ERR codes for an issuer that is missing, self-signed or unverifiable."""

_ALERT = re.compile(r"\b(?:sslv3 alert|tlsv1|tlsv13 alert) ")
"""OpenSSL uses these words for the alerts it receives and for nothing else."""

_ADDRESS_LIKE = re.compile(r"\d{1,3}(?:\.\d{1,3}){3}|[0-9A-Fa-f]*:[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*")


class PeerClosedError(Exception):
    """The peer ended the stream (FIN) before the end of its message."""


class MalformedReplyError(Exception):
    """The peer's answer does not follow the protocol."""


class ReportedError(Exception):
    """Another program reports that it failed; `failure` is the failure string."""

    def __init__(self, words: str, failure: str) -> None:
        super().__init__(words)
        self.failure = failure


def failure_of(error: BaseException) -> str:
    """The failure string for an exception raised during a measurement.

    Cancellation and programming errors are no network failures: callers let those pass.
    """
    if isinstance(error, ssl.SSLError):
        return _tls_failure(error)
    if isinstance(error, PeerClosedError):
        return Failure.EOF
    if isinstance(error, ReportedError):
        return error.failure
    if isinstance(error, OSError):
        if error.errno in _BY_ERRNO:
            return _BY_ERRNO[error.errno]
        if isinstance(error, TimeoutError):
            return Failure.GENERIC_TIMEOUT
    return unknown_failure(_scrubbed(error))


def _tls_failure(error: ssl.SSLError) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        if error.verify_code in (_HOSTNAME_MISMATCH, _IP_MISMATCH):
            return Failure.SSL_INVALID_HOSTNAME
        if error.verify_code in _UNTRUSTED:
            return Failure.SSL_UNKNOWN_AUTHORITY
        return Failure.SSL_INVALID_CERTIFICATE
    if isinstance(error, ssl.SSLEOFError | ssl.SSLZeroReturnError):
        return Failure.EOF
    return Failure.SSL_FAILED_HANDSHAKE


def is_tls_alert(error: BaseException) -> bool:
    """True when the peer refused the handshake with an alert."""
    # Some alerts lack ALERT in their name, and older Pythons have no name for the newer ones.
    words = str(error).lower().replace("_", " ")
    return isinstance(error, ssl.SSLError) and _ALERT.search(words) is not None


def _scrubbed(error: BaseException) -> str:
    """The error's class and text, without anything that could be an address."""
    words = _ADDRESS_LIKE.sub("[address]", str(error))[:120].strip()
    return f"{type(error).__name__}: {words}" if words else type(error).__name__
