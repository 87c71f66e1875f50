"""The kinds of endpoints, and the protocols in which a tcp endpoint may have to answer."""

from enum import StrEnum


class EndpointKind(StrEnum):
    """How an endpoint is reached."""

    HTTPS = "https"
    HTTP = "http"
    TLS = "tls"
    TCP = "tcp"
    DNS = "dns"
    STUN = "stun"
    """Over UDP: calls ask it how to pass a NAT."""
    NTP = "ntp"
    """Over UDP: every machine asks such a server for the time. For references alone."""


class Protocol(StrEnum):
    """The protocol in which a tcp endpoint must answer, beyond the handshake."""

    MTPROTO = "mtproto"
    """Telegram's protocol."""
    WHATSAPP = "whatsapp"
    """WhatsApp's handshake in Noise, up to the server's hello."""


DEFAULT_PORTS = {
    EndpointKind.HTTPS: 443,
    EndpointKind.HTTP: 80,
    EndpointKind.TLS: 443,
    EndpointKind.STUN: 3478,
    EndpointKind.NTP: 123,
}
DATAGRAM_KINDS = (EndpointKind.STUN, EndpointKind.NTP)
"""Kinds that are asked over UDP, written without slashes, and never seen through a proxy."""
