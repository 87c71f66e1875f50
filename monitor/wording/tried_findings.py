"""What is wrong and what to do about it, of what only trying can find: for `doctor` alone.

Only a command prints these sentences, so they are not translated.
"""

from collections.abc import Mapping

from monitor.wording.finding_kinds import Said, What

TRIED: Mapping[str, Said] = {
    What.NO_RESOLVER: Said(
        "This machine has no resolver, so no name can be asked for: %(vantages)s.",
        'Write one into /etc/resolv.conf, or set resolver = "ADDRESS" for the vantage.',
    ),
    What.RESOLVER_SILENT: Said(
        "Resolver %(resolver)s does not answer: %(vantages)s.",
        "Set `resolver` to the network's own, or let UDP port 53 pass.",
    ),
    What.RESOLVER_FAILS: Said(
        "Resolver %(resolver)s answers, but not the question (%(failure)s): %(vantages)s.",
        "Set `resolver` to one that answers this machine.",
    ),
    What.NO_INTERFACE: Said(
        "Vantage %(vantage)s: this machine has no network device %(interface)s.",
        "Plug it in, or correct `egress`: `ip link` lists what there is.",
    ),
    What.NO_ADDRESS: Said(
        "Vantage %(vantage)s: this machine does not have the address that `egress` names.",
        "Correct `egress`: `ip address` lists what there is.",
    ),
    What.PROXY_SILENT: Said(
        "Vantage %(vantage)s: its proxy %(proxy)s cannot be reached (%(failure)s).",
        "Start the proxy, or correct host and port in `egress`.",
    ),
    What.PROXY_LOGIN: Said(
        "Vantage %(vantage)s: its proxy %(proxy)s asks for a user name and password, and `egress`"
        " has none (%(failure)s).",
        "Write them in `egress`, as in %(kind)s://USER:PASSWORD@%(proxy)s, or have the proxy admit"
        " this machine by its address.",
    ),
    What.PROXY_PASSWORD: Said(
        "Vantage %(vantage)s: its proxy %(proxy)s refused user name and password.",
        "Correct both in `egress`, where @ : / %% are written %%40 %%3A %%2F %%25.",
    ),
    What.PROXY_REFUSES: Said(
        "Vantage %(vantage)s: its proxy %(proxy)s does not let this machine through (%(failure)s).",
        "Have the proxy's rules admit this machine, and connections to ports 80 and 443. The"
        " proxy's log says which rule refuses.",
    ),
    What.PROXY_TLS: Said(
        "Vantage %(vantage)s: its proxy %(proxy)s makes no TLS connection (%(failure)s).",
        "Where the proxy speaks no TLS, write %(kind)s:// in `egress`. Where its certificate is"
        " its own, write the certificate's SHA-256 after # (docs/config.md).",
    ),
    What.PROXY_FAILS: Said(
        "Vantage %(vantage)s: its proxy %(proxy)s does not do what is asked (%(failure)s).",
        "See whether `egress` names the right kind, socks5:// or connect://, and the proxy's log.",
    ),
    What.PROXY_LEADS_NOWHERE: Said(
        "Vantage %(vantage)s: its proxy %(proxy)s can be reached, but connects to nothing"
        " (%(failure)s).",
        "See the proxy's log, whether it has a connection itself, and whether its rules let this"
        " machine connect to every address.",
    ),
    What.REFERENCES_FAIL: Said(
        "Vantage %(vantage)s works, but these references failed: %(references)s.",
        "Try again. If they stay dead, list others under [references].",
    ),
    What.CANNOT_WRITE: Said(
        "Cannot write in %(folder)s: %(why)s.",
        "Let the user that runs shutwatch own that folder, or set `%(key)s` to another place.",
    ),
    What.OPEN_SECRETS: Said(
        "Other users of this machine can read %(file)s, which holds secrets (%(key)s).",
        "Type `chmod 600 %(file)s`. Where another user than its owner runs shutwatch, give it the"
        " group of that user, and type `chmod 640 %(file)s`.",
    ),
    What.DISK_FULL: Said(
        "The disk of %(folder)s is full: %(free)s MB are free.",
        "Free some space, keep measurements for a shorter time ([retention] raw), or set"
        " `%(key)s` to another disk.",
    ),
    What.DISK_LOW: Said(
        "The disk of %(folder)s is nearly full: %(free)s MB are free, about %(days)s days.",
        "Free some space, or keep measurements for a shorter time ([retention] raw).",
    ),
    What.PORT_IN_USE: Said(
        "Another program listens at %(address)s already.",
        "End it, or set `%(key)s` to another port.",
    ),
    What.CANNOT_LISTEN: Said(
        "Cannot listen at %(address)s: %(why)s.",
        "Set `%(key)s` to an address of this machine and a port from 1024 on.",
    ),
    What.DATABASE: Said("%(why)s.", "%(remedy)s."),
    What.DATABASE_OLD: Said(
        "The tables of the database are of version %(found)s, and this program's of %(newest)s.",
        "Make a copy with `shutwatch db backup FILE`, then type `shutwatch db upgrade`.",
    ),
    What.TARGET_SILENT: Said(
        "Route %(route)s: the service of address %(target)s cannot be reached (%(why)s).",
        "Correct the address, or let it pass; then type `shutwatch notify test`.",
    ),
    What.TARGET_UNTRIED: Said(
        "Route %(route)s: whether address %(target)s works, only a message can tell.",
        "Type `shutwatch doctor --send`.",
    ),
    What.TARGET_REACHED: Said(
        "Route %(route)s: the server of address %(target)s was reached, but nothing was sent.",
        "Type `shutwatch doctor --send`, which sends a test message.",
    ),
    What.TARGET_LATER: Said(
        "Route %(route)s: address %(target)s takes no message at present (%(why)s).",
        "Try again later. shutwatch repeats each message by itself, for as long as"
        " `notify.give_up` says. Where it stays so, correct the address.",
    ),
    What.TARGET_FAILS: Said(
        "Route %(route)s: no message reaches address %(target)s (%(why)s).",
        "Correct the address in [[notify.route]]: docs/notifications.md.",
    ),
    What.TARGET_SHORT: Said(
        "Route %(route)s: address %(target)s takes %(fit)s characters, and a long message has up"
        " to %(length)s. There it arrives in a short form, without the names of networks.",
        "Where people need all of it, add an address that takes more, such as e-mail.",
    ),
    What.PING_SILENT: Said(
        "The server of notify.ping_url cannot be reached (%(why)s).",
        "Correct ping_url, or let it pass.",
    ),
    What.PING_REACHED: Said(
        "The server of notify.ping_url was reached, but not pinged.",
        "Type `shutwatch doctor --send`, which pings it once.",
    ),
    What.PING_FAILS: Said(
        "The ping to notify.ping_url fails: %(why)s.",
        "Correct ping_url. After an HTTP status of 500 or more its service has a fault: try again"
        " later.",
    ),
    What.SOURCE_SILENT: Said(
        "The server of source %(source)s cannot be reached (%(why)s).",
        "Let https to it pass, or take another way: docs/sources.md.",
    ),
    What.PROMETHEUS_SILENT: Said(
        "Prometheus does not answer at %(address)s (%(why)s).",
        "Start it, or name its address: --prometheus http://HOST:9090.",
    ),
    What.PROMETHEUS_UNAWARE: Said(
        "Prometheus at %(address)s reads no metrics from port %(port)s.",
        "Add the job of docs/alerts.md to its scrape_configs, and reload it.",
    ),
    What.PROMETHEUS_FAILS: Said(
        "Prometheus at %(address)s cannot read the metrics: %(why)s.",
        "Start shutwatch; where it asks for a token, give Prometheus one (docs/config.md).",
    ),
    What.STAMPS_SILENT: Said(
        "The time authority or calendar %(source)s cannot be reached (%(why)s).",
        "Correct it under [timestamps], or let it pass: without it others do not date reports.",
    ),
    What.ARCHIVE: Said(
        "The archive cannot be used: %(why)s.",
        "Correct [archive], or let it pass: docs/archive.md.",
    ),
    What.CERTIFICATE_EXPIRED: Said(
        "The certificate %(file)s expired on %(date)s: agents do not connect.",
        "Renew it; a new one is used within seconds. Where `shutwatch init` made it, agents trust"
        " no other: invite them again.",
    ),
    What.CERTIFICATE_EXPIRES: Said(
        "The certificate %(file)s expires on %(date)s: then agents no longer connect.",
        "Renew it, or see why its renewal does not work:"
        " docs/runbooks/ShutwatchCertificateExpiring.md.",
    ),
    What.CERTIFICATE_OTHER_HOST: Said(
        "The certificate %(file)s is for another host than %(address)s, which [collector] urls"
        " names: agents do not connect.",
        "Correct `collector.urls`, or use a certificate for that host.",
    ),
    What.PAUSED_UNKNOWN: Said(
        "[collector] paused names %(vantage)s, and no vantage has that name, so it pauses nobody.",
        "Correct it (%(remedy)s).",
    ),
    What.AGENT_KEY: Said(
        "The agent's key cannot be used: %(why)s.",
        "Put it back, for the user that runs the agent alone to read. Where it is lost, type"
        " `shutwatch agent wipe`, then `shutwatch agent join` with a new invitation.",
    ),
    What.AGENT_REVOKED: Said(
        "The operator revoked this agent's key, so it measures and sends nothing any more.",
        "Type `shutwatch agent wipe`, then `shutwatch agent join` with a new invitation.",
    ),
    What.AGENT_UNKNOWN: Said(
        "Collector %(collector)s knows no agent %(vantage)s with this key.",
        "Join with an invitation: `shutwatch agent join`. Where that was done, let the operator"
        " compare `shutwatch vantage list` with what `shutwatch agent key` prints.",
    ),
    What.COLLECTOR_SILENT: Said(
        "Collector %(collector)s does not answer: %(why)s.",
        "Ask its operator whether it runs; let https to it pass, or set `agent.proxy`.",
    ),
    What.COLLECTOR_BEHIND_PROXY: Said(
        "Through the proxy, collector %(collector)s does not answer: %(why)s.",
        "See whether the proxy runs and lets it pass; correct `agent.proxy`, or delete it.",
    ),
    What.COLLECTOR_REFUSES: Said(
        "Collector %(collector)s refused: %(why)s.",
        "Try again in a minute. If it goes on refusing, ask its operator.",
    ),
    What.COLLECTOR_CERTIFICATE: Said(
        "Collector %(collector)s shows %(why)s.",
        "Somebody on the way may answer in its place: try another line, or `agent.proxy`. Where"
        " its operator changed it, set `agent.trust_anchors` to the new one.",
    ),
    What.COLLECTOR_KEY: Said(
        "What answers as collector %(collector)s has other keys than this agent was given:"
        " %(why)s.",
        "Compare what `shutwatch agent key` prints with the operator. Where that differs, type"
        " `shutwatch agent wipe`, then `shutwatch agent join` with a new invitation.",
    ),
    What.COLLECTOR_CLOCK: Said(
        "The clock of this machine is %(seconds)s seconds %(way)s that of collector %(collector)s,"
        " which answers.",
        "Have it set over the network, as with “timedatectl set-ntp true”. Times of results are"
        " corrected until then.",
    ),
    What.TOO_SLOW: Said(
        "Not finished within %(seconds)s s.",
        "Something on the way stays silent: try again, and read the other lines first.",
    ),
    What.OUR_FAULT: Said(
        "The check itself failed: %(why)s.",
        "That is our fault: please report it with this line.",
    ),
}
