"""The collector's certificate; a new one is used without a restart.

Other programs renew certificates every few weeks. Every handshake uses the newest context. When
certificate and key do not match, because only one of them was written yet, the old pair stays in
use, and the files are read again soon.
"""

import asyncio
import ssl
from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509

from monitor.config.collector import server_context
from monitor.config.settings import CollectorSettings
from monitor.logs import logger
from monitor.server.serve import ListenError

log = logger(__name__)

EVERY = 5.0
"""Seconds between two checks of the files."""

_Mark = tuple[tuple[int, int, int], ...]


class Certificate:
    """A pair of files, and the TLS context made of them when they last matched."""

    def __init__(self, certificate: str, key: str) -> None:
        """Raises OSError (ssl.SSLError among them) when they cannot be used."""
        self._files = (certificate, key)
        self._mark = self._marked()
        self._current = server_context(certificate, key)
        self.expires_at = expiry(certificate)
        """UTC; when the certificate in use ends."""
        self.context = server_context(certificate, key)
        """For the listener: every handshake goes to the newest context."""
        self.context.sni_callback = self._use_newest

    def _use_newest(self, handshake: ssl.SSLObject, _: str | None, __: ssl.SSLContext) -> None:
        handshake.context = self._current

    def renew(self) -> bool:
        """Use the files as they are now, if they changed and match; whether they are in use now."""
        try:
            mark = self._marked()
            if mark == self._mark:
                return True
            current, expires_at = server_context(*self._files), expiry(self._files[0])
        except (OSError, ValueError) as error:
            log.warning("the new certificate cannot be used, keeping the old", error=str(error))
            return False
        self._mark, self._current, self.expires_at = mark, current, expires_at
        log.info("new certificate in use", expires=expires_at.isoformat())
        return True

    async def watch(self, every: float = EVERY) -> None:
        """Renew whenever the files change, until cancelled."""
        while True:
            await asyncio.sleep(every)
            await asyncio.to_thread(self.renew)

    def _marked(self) -> _Mark:
        stats = [Path(file).stat() for file in self._files]
        return tuple((one.st_ino, one.st_mtime_ns, one.st_size) for one in stats)


def certificate_of(settings: CollectorSettings) -> Certificate | None:
    """The certificate to serve with; None: no TLS. Raises ListenError when it cannot be used."""
    if not settings.certificate:
        return None
    try:
        return Certificate(settings.certificate, settings.certificate_key)
    except (OSError, ValueError) as error:
        raise ListenError(
            f"the certificate {settings.certificate} cannot be used with its key: {error}"
        ) from error


def expiry(certificate: str) -> datetime:
    """UTC; when the first certificate in the file ends. Raises OSError and ValueError."""
    first = x509.load_pem_x509_certificates(Path(certificate).read_bytes())[0]
    return first.not_valid_after_utc.astimezone(UTC)
