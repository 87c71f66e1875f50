"""HTTP/3 offers in the Alt-Svc header of an https answer (RFC 7838, RFC 9114). Pure."""

import re

_ALTERNATIVE = re.compile(
    r'\s*(?P<protocol>[^\s=;,"]+)="(?P<host>[^":]*|\[[^"\]]*\]):(?P<port>\d+)"'
)


def offers_http3(value: str, host: str, port: int) -> bool:
    """Whether an Alt-Svc `value` offers HTTP/3 on the host and port that sent it.

    Measurements do not follow offers of other hosts and ports. Drafts of HTTP/3 (h3-29) are other
    protocols.
    """
    for alternative in value.split(","):
        match = _ALTERNATIVE.match(alternative)
        if (
            match is not None
            and match["protocol"] == "h3"
            and match["host"].strip("[]").lower() in ("", host)
            and int(match["port"]) == port
        ):
            return True
    return False
