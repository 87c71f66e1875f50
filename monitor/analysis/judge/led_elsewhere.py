"""What a host can be accused of to which the platform itself led, and no control.

Sites send visitors to a host of their region. When that one is broken it is so for everybody, and a
control that was led elsewhere does not notice. Nobody on the path can make a redirect over a
verified connection. One in cleartext is another matter (`monitor.analysis.judge.cleartext_pages`).
"""

from collections.abc import Mapping

from monitor.analysis.judge.block_pages import Medium, best_match, national
from monitor.analysis.judge.case import Case
from monitor.analysis.judge.controls import Controls
from monitor.analysis.judge.grade_by_follow_ups import honest_over
from monitor.analysis.judge.grade_by_sign import WEIGHTS, Sign, signs
from monitor.analysis.measurement_summary import Outcome, Summary, hops, host_of, redirect_target
from probes.measurement import TlsObservation

LED_ELSEWHERE = "led_elsewhere"
_BY_ITSELF = frozenset(signs("dns.injection http.known_blockpage http.withheld"))
"""Signs that no broken host shows, and what the platform itself says."""
_CERTIFICATES = frozenset(signs("tls.certificate"))


def comparable(
    case: Case, summary: Summary, controls: Controls, found: Mapping[Sign, Outcome]
) -> Mapping[Sign, Outcome]:
    """The signs `found` in a failed attempt; where nothing shows that the host works, those that
    its own fault may look like become one that accuses nobody."""
    if not _led_elsewhere(case, summary, controls):
        return found
    match = best_match(case, summary, Medium.CERTIFICATE)
    known = _CERTIFICATES if match is not None and national(case, match) else frozenset()
    return {
        sign if sign in _BY_ITSELF | known or sign not in WEIGHTS else (sign[0], LED_ELSEWHERE): at
        for sign, at in found.items()
    }


def _led_elsewhere(case: Case, summary: Summary, controls: Controls) -> bool:
    """Whether verified redirects alone led to the last host, and nothing shows that it works.

    A control shows it by a request there. Where none was made here, a handshake suffices: a control
    tries the addresses that failed here, and a follow-up those from another source.
    """
    host = summary.last_hop.host
    if host == host_of(case.endpoint) or controls.down:
        return False
    forgeable = any(
        hop.url.startswith("http:") and host_of(redirect_target(hop)) not in ("", host_of(hop.url))
        for hop in hops(summary.measurement)
    )
    asked = (*controls.working, *controls.failing)
    met = {host_of(hop.url) for one in asked for hop in hops(one.measurement)}
    if summary.last_hop.http is None:
        met |= {
            o.server_name
            for one in asked
            for o in one.measurement.observations
            if isinstance(o, TlsObservation) and not o.failure
        }
        if any(honest_over(case, host, family) for family in ("ipv4", "ipv6")):
            return False
    return not forgeable and host not in met
