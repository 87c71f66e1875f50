"""Whether agents connect to a collector with its certificate: until when, and by which name.

A name fits where it does in a handshake of an agent that trusts this certificate: wildcards,
addresses and old certificates need no rules of our own. Whether an agent trusts it is the agent's
to try.
"""

import asyncio
import ssl
from collections.abc import Iterator
from contextlib import suppress
from datetime import timedelta
from urllib.parse import urlsplit

from monitor.agent.collector_client import agents_context
from monitor.collector.certificate import expiry
from monitor.config.collector import server_context
from monitor.config.settings import CollectorSettings
from monitor.doctor.trial import Checked, Trial, found
from monitor.wording.findings import What

_SOON = timedelta(days=14)
"""As of the alert ShutwatchCertificateExpiring."""
_NO_DATES = 0x200000
"""OpenSSL's X509_V_FLAG_NO_CHECK_TIME."""
_OTHER_HOST = (62, 64)
"""OpenSSL's codes for a certificate of another name, and of another address."""
_FLIGHTS = 3
"""Turns in which each side of a handshake has read and sent everything."""


async def try_certificate(trial: Trial) -> list[Checked]:
    """One, or one for each fault; none where agents see no certificate of this process."""
    collector = trial.settings.collector
    if not collector.listen[0] or not collector.certificate or collector.behind_proxy:
        return []
    return await asyncio.to_thread(lambda: list(_try(trial, collector)))


def _try(trial: Trial, collector: CollectorSettings) -> Iterator[Checked]:
    file, hosts = collector.certificate, [urlsplit(url).hostname or "" for url in collector.urls]
    # Those of other collectors are listed too, and have certificates of their own.
    ours = [host for host in hosts if _is_for(collector, host)]
    ends = expiry(file)
    left, values = ends - trial.now(), {"file": file, "date": f"{ends:%Y-%m-%d}"}
    if left <= timedelta():
        yield found("certificate", file, What.CERTIFICATE_EXPIRED, **values)
    elif left < _SOON:
        yield found("certificate", file, What.CERTIFICATE_EXPIRES, **values)
    if hosts and not ours:
        named = ", ".join(hosts)
        yield found("certificate", file, What.CERTIFICATE_OTHER_HOST, file=file, address=named)
    elif left >= _SOON:
        about = ", ".join([file, *(f"for {host}" for host in ours), f"until {values['date']}"])
        yield Checked(check="certificate", about=about)


def _is_for(collector: CollectorSettings, host: str) -> bool:
    """Whether an agent that trusts the certificate takes it for this host, whatever its dates."""
    to_agent, to_collector = ssl.MemoryBIO(), ssl.MemoryBIO()
    agent = agents_context((collector.certificate,))
    agent.verify_flags |= ssl.VerifyFlags(_NO_DATES)
    served = server_context(collector.certificate, collector.certificate_key)
    ends = (
        agent.wrap_bio(to_agent, to_collector, server_hostname=host),
        served.wrap_bio(to_collector, to_agent, server_side=True),
    )
    try:
        for end in ends * _FLIGHTS:
            with suppress(ssl.SSLWantReadError):
                end.do_handshake()
    except ssl.SSLCertVerificationError as error:
        return error.verify_code not in _OTHER_HOST
    return True
