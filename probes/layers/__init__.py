"""The layers of a measurement: one protocol or one question about addresses in each module.

    dns, dns_message               lookups over UDP and TCP; the wire format
    http, http_exchange            one request; it and its answer as a value
     └─ http_answer                what the answer proves, offers and redirects to
    quic                           one request over HTTP/3
    socks5_and_http_connect        proxies
    stun, ntp, telegram, whatsapp  applications' own protocols
     └─ app_answer                 a question in one, and what it came to
    bogon, nat64                   addresses no service can have; made-up IPv6 addresses
    scrub                          removes addresses from what peers send
     ├─ shown_text                 a text as its reader sees it
     ├─ address_search             what looks like anybody's address
     └─ address_spellings          how a known address is written
    machine_pauses                 pauses of this machine

probes.measure composes them. They import probes.sockets and the values of probes.
"""
