"""What is wrong with a set-up and what to do about it: for `check`, `doctor` and the page.

A finding is a value: what was found, and the names that its sentences need. Everybody who finds
something, in the settings or by trying, makes one of these, so all surfaces say it alike.

Sentences marked by `N_` can appear on the page, in every language; the others only where a command
prints them.
"""

from collections.abc import Mapping
from enum import StrEnum

import msgspec

from monitor.wording.languages import N_
from monitor.wording.words import Words


class Level(StrEnum):
    """How much a finding matters."""

    NOTE = "note"
    """All that is needed is to wait."""
    WARNING = "warning"
    """It works, and sees less than it could."""
    PROBLEM = "problem"
    """It does not work."""


LEVELS: Mapping[Level, str] = {
    Level.NOTE: N_("wait"),
    Level.WARNING: N_("advisable"),
    Level.PROBLEM: N_("to do"),
}
DONE = N_("done")
KNOWN = N_("acknowledged")
"""Somebody knows of it, and leaves it so."""
WORKS = N_("Vantage %(vantage)s works.")


class What(StrEnum):
    """What can be found. Of a vantage that does not work it is the id of the health's rule."""

    # In the settings.
    NO_CONFIGURATION = "no_configuration"
    NO_CONTROL = "no_control"
    NO_OWN_CONTROL = "no_own_control"
    ONE_CONTROL = "one_control"
    ONE_OWN_CONTROL = "one_own_control"
    CONTROLS_HIDE_FAMILY = "controls_hide_family"
    CONTROLS_TOGETHER = "controls_together"
    CONTROL_INSIDE = "control_inside"
    CONTROL_SAME_WAY = "control_same_way"
    ONE_VANTAGE = "one_vantage"
    SAME_LINE = "same_line"
    NO_ASN = "no_asn"
    ONLY_PROXIED = "only_proxied"
    ONLY_STUB = "only_stub"
    QUIET_CONTROL = "quiet_control"
    QUIET_SHORT = "quiet_short"
    NO_UPLINK = "no_uplink"
    NO_INTERNATIONAL = "no_international"
    NO_POPULAR = "no_popular"
    NO_UDP = "no_udp"
    NO_DOMESTIC = "no_domestic"
    NO_FOLDER = "no_folder"
    PLACEHOLDER = "placeholder"
    PLAIN_PASSWORDS = "plain_passwords"
    PLAIN_PROXY_PASSWORD = "plain_proxy_password"  # noqa: S105 # a finding
    CYCLE_TOO_LONG = "cycle_too_long"
    FEW_BYTES = "few_bytes"
    # In what runs.
    VANTAGE_WAITING = "vantage_waiting"
    VANTAGE_SILENT = "vantage_silent"
    NO_MESSAGES = "no_messages"
    MESSAGES_WAIT = "messages_wait"
    NOT_STORED = "not_stored"
    CONFIG_REFUSED = "config_refused"
    WRONG_CLOCK = "wrong_clock"
    # By trying.
    NO_RESOLVER = "no_resolver"
    RESOLVER_SILENT = "resolver_silent"
    RESOLVER_FAILS = "resolver_fails"
    NO_INTERFACE = "no_interface"
    NO_ADDRESS = "no_address"
    PROXY_SILENT = "proxy_silent"
    PROXY_PASSWORD = "proxy_password"  # noqa: S105 # a finding
    PROXY_FAILS = "proxy_fails"
    REFERENCES_FAIL = "references_fail"
    CANNOT_WRITE = "cannot_write"
    DISK_FULL = "disk_full"
    DISK_LOW = "disk_low"
    PORT_IN_USE = "port_in_use"
    CANNOT_LISTEN = "cannot_listen"
    DATABASE = "database"
    DATABASE_OLD = "database_old"
    TARGET_SILENT = "target_silent"
    TARGET_UNTRIED = "target_untried"
    TARGET_FAILS = "target_fails"
    PING_SILENT = "ping_silent"
    SOURCE_SILENT = "source_silent"
    PROMETHEUS_SILENT = "prometheus_silent"
    PROMETHEUS_UNAWARE = "prometheus_unaware"
    PROMETHEUS_FAILS = "prometheus_fails"
    STAMPS_SILENT = "stamps_silent"
    ARCHIVE = "archive"
    AGENT_KEY = "agent_key"
    AGENT_REVOKED = "agent_revoked"
    COLLECTOR_SILENT = "collector_silent"
    COLLECTOR_BEHIND_PROXY = "collector_behind_proxy"
    COLLECTOR_REFUSES = "collector_refuses"
    COLLECTOR_CERTIFICATE = "collector_certificate"
    COLLECTOR_KEY = "collector_key"
    COLLECTOR_CLOCK = "collector_clock"
    TOO_SLOW = "too_slow"
    OUR_FAULT = "our_fault"


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that was found."""

    what: str
    """A `What`, or the id of a rule of vantages' health."""
    values: Mapping[str, str] = {}
    """Names and numbers in its sentences; never a password."""

    @property
    def key(self) -> str:
        """The same for the same finding: what was found, and its names."""
        return " ".join([self.what, *(f"{name}={self.values[name]}" for name in self.values)])

    @property
    def level(self) -> Level:
        """How much it matters."""
        return _LEVELS.get(self.what, Level.PROBLEM)


class _Said(msgspec.Struct, frozen=True):
    problem: str
    remedy: str


_ASK = N_("Ask people there: where others reach every site, the line is at fault.")
_WRITE_IT = N_("List some under [references].")

SENTENCES: Mapping[str, _Said] = {
    What.NO_CONFIGURATION: _Said(
        N_(
            "No configuration is in use: the line of this machine is tested as if it were in an"
            " unknown country."
        ),
        N_("Type “%(command)s”. It asks, writes a file, and says how to start with it."),
    ),
    What.NO_CONTROL: _Said(
        N_(
            "No control vantage: failures alone will be insufficient. Only evidence that is"
            " conclusive by itself, such as a block page, can say blocked."
        ),
        N_('Add a vantage with role = "control" outside the country.'),
    ),
    What.NO_OWN_CONTROL: _Said(
        N_(
            "No control vantage of the collector's own: nobody tests at once what an agent"
            " suspects, and unless an enrolled agent is a control (vantage invite --role control)"
            " failures alone will be insufficient."
        ),
        N_('Add a vantage with role = "control" outside the measured countries.'),
    ),
    What.ONE_CONTROL: _Said(
        N_("One control vantage only (%(vantage)s): while it does not work nothing can be judged."),
        N_("Add a second in another network."),
    ),
    What.ONE_OWN_CONTROL: _Said(
        N_(
            "One control vantage only (%(vantage)s): while it does not work nothing can be judged,"
            " unless an enrolled agent is a control too."
        ),
        N_("Add a second in another network."),
    ),
    What.CONTROLS_HIDE_FAMILY: _Said(
        N_(
            "Every control of the collector's own is behind a proxy that resolves names, so none"
            " shows agents over which of IPv4 and IPv6 it reached a platform: a block of one of"
            " them alone goes unseen there."
        ),
        N_("Give a control no proxy, or a resolver of its own."),
    ),
    What.CONTROLS_TOGETHER: _Said(
        N_("Controls %(one)s and %(other)s are in the same network, so they fail together."),
        N_("Put them in different networks."),
    ),
    What.CONTROL_INSIDE: _Said(
        N_(
            "Control %(vantage)s is in %(country)s, where you test for blocks: a platform blocked"
            " there looks like one that is down."
        ),
        N_("Put the control elsewhere."),
    ),
    What.CONTROL_SAME_WAY: _Said(
        N_(
            "Control %(vantage)s leaves this machine as %(other)s does: a platform blocked there"
            " looks like one that is down."
        ),
        N_("Put the control elsewhere."),
    ),
    What.ONE_VANTAGE: _Said(
        N_(
            "One vantage only in %(country)s: a block cannot be told apart from a fault of that"
            " one network."
        ),
        N_("Add vantages in other networks."),
    ),
    What.SAME_LINE: _Said(
        N_(
            "%(one)s and %(other)s leave this machine by the same way: they test one network, not"
            " two."
        ),
        N_("Give each its own egress, or delete one."),
    ),
    What.NO_ASN: _Said(
        N_(
            "No asn for %(vantages)s: it tells networks apart, so without it all of one country"
            " count as one."
        ),
        N_("Write the AS number of each network, as in asn = 17557."),
    ),
    What.ONLY_PROXIED: _Said(
        N_(
            "Seen only through a proxy: %(vantages)s. A proxy hides forged DNS answers and which"
            " connections are refused, and its line may be filtered unlike those of people."
        ),
        N_("Test that network from a line on this machine too, or by an agent on the spot."),
    ),
    What.ONLY_STUB: _Said(
        N_(
            "Only a stub resolver (%(address)s) for %(vantages)s: it is a forwarder on its own"
            " machine, which hides forged answers."
        ),
        N_('Set its resolver to the network\'s own, as in resolver = "192.0.2.53".'),
    ),
    What.QUIET_CONTROL: _Said(
        N_(
            "Control %(vantage)s is quiet, which changes nothing: a control tests at once when a"
            " field vantage has a failure."
        ),
        N_("Delete its profile."),
    ),
    What.QUIET_SHORT: _Said(
        N_(
            "Quiet, at an interval under ten minutes: %(vantages)s. When much is blocked a cycle"
            " may take longer, with its tests close together."
        ),
        N_('Set interval = "10m" or more.'),
    ),
    What.NO_UPLINK: _Said(
        N_("No uplink references: a captive portal cannot be detected."), _WRITE_IT
    ),
    What.NO_INTERNATIONAL: _Said(
        N_("No international references: an offline vantage looks like a block."), _WRITE_IT
    ),
    What.NO_POPULAR: _Said(
        N_("No popular references: a network cut down to a list of sites looks like a bad line."),
        _WRITE_IT,
    ),
    What.NO_UDP: _Said(
        N_("No udp references: blocked calls look like a network without UDP."), _WRITE_IT
    ),
    What.NO_DOMESTIC: _Said(
        N_(
            "No domestic references for %(country)s: an international cut looks like a vantage"
            " that is offline."
        ),
        N_("List some under [references] as domestic.%(country)s."),
    ),
    What.NO_FOLDER: _Said(
        N_("The folder of the database, %(folder)s, does not exist on this machine."),
        N_("Create it, or set database to another file."),
    ),
    What.PLACEHOLDER: _Said(
        N_("%(key)s still has the value of an example: %(value)s."),
        N_("Write your own, or delete that part."),
    ),
    What.PLAIN_PASSWORDS: _Said(
        N_("Passwords for the page cross the network in plain text: it is served at %(address)s."),
        N_("Put a proxy that speaks TLS in front, and set public_url to its https address."),
    ),
    What.PLAIN_PROXY_PASSWORD: _Said(
        N_(
            "The password for the proxy of %(vantages)s crosses the network in plain text, so who"
            " reads it can use the proxy."
        ),
        N_("Have the proxy admit the address of this machine alone, or reach it by a tunnel."),
    ),
    What.CYCLE_TOO_LONG: _Said(
        N_(
            "When every platform is met with silence, a cycle takes up to %(length)s. That does not"
            " fit the interval of %(interval)s: cycles would be missed."
        ),
        N_("Set interval to %(needed)s or more, or test fewer platforms, or from fewer vantages."),
    ),
    What.FEW_BYTES: _Said(
        N_(
            "A day has %(wanted)s cycles at the interval of %(interval)s. daily_bytes of %(bytes)s"
            " suffices for about %(fit)s of them; the others are skipped."
        ),
        N_("Set daily_bytes to %(needed)s or more, or test fewer platforms or less often."),
    ),
    What.VANTAGE_WAITING: _Said(
        N_("Vantage %(vantage)s has not finished its first cycle."),
        N_("Wait a few minutes."),
    ),
    What.VANTAGE_SILENT: _Said(
        N_("Vantage %(vantage)s has no current results."),
        N_("See whether its machine or agent runs, and what its log says."),
    ),
    What.NO_MESSAGES: _Said(
        N_("No message about an event reaches anybody: no [[notify.route]] is configured."),
        N_("Add one, or take the alerts of Prometheus."),
    ),
    What.MESSAGES_WAIT: _Said(
        N_("Messages of route %(route)s are overdue."),
        N_("Type “shutwatch notify list”: it says why."),
    ),
    What.NOT_STORED: _Said(
        N_("Results could not be stored."),
        N_("Type “shutwatch doctor”: it tries the database and the disk."),
    ),
    What.CONFIG_REFUSED: _Said(
        N_("The changed configuration has a mistake, so the earlier settings stay in use."),
        N_("Type “shutwatch check” with that file."),
    ),
    What.WRONG_CLOCK: _Said(
        N_("The clock of this machine is wrong by %(seconds)s seconds."),
        N_("Have it set over the network, as with “timedatectl set-ntp true”."),
    ),
    What.NO_RESOLVER: _Said(
        "This machine has no resolver, so no name can be asked for: %(vantages)s.",
        'Write one into /etc/resolv.conf, or set resolver = "ADDRESS" for the vantage.',
    ),
    What.RESOLVER_SILENT: _Said(
        "Resolver %(resolver)s does not answer: %(vantages)s.",
        "Set `resolver` to the network's own, or let UDP port 53 pass.",
    ),
    What.RESOLVER_FAILS: _Said(
        "Resolver %(resolver)s answers with %(failure)s: %(vantages)s.",
        "Set `resolver` to one that answers this machine.",
    ),
    What.NO_INTERFACE: _Said(
        "Vantage %(vantage)s: this machine has no network device %(interface)s.",
        "Plug it in, or correct `egress`: `ip link` lists what there is.",
    ),
    What.NO_ADDRESS: _Said(
        "Vantage %(vantage)s: this machine does not have the address that `egress` names.",
        "Correct `egress`: `ip address` lists what there is.",
    ),
    What.PROXY_SILENT: _Said(
        "Vantage %(vantage)s: its proxy %(proxy)s cannot be reached (%(failure)s).",
        "Start the proxy, or correct host and port in `egress`.",
    ),
    What.PROXY_PASSWORD: _Said(
        "Vantage %(vantage)s: its proxy %(proxy)s refused user name and password.",
        "Correct both in `egress`, where @ : / %% are written %%40 %%3A %%2F %%25.",
    ),
    What.PROXY_FAILS: _Said(
        "Vantage %(vantage)s: its proxy %(proxy)s does not do what is asked (%(failure)s).",
        "See whether `egress` names the right kind, socks5:// or connect://, and the proxy's log.",
    ),
    What.REFERENCES_FAIL: _Said(
        "Vantage %(vantage)s works, but these references failed: %(references)s.",
        "Try again. If they stay dead, list others under [references].",
    ),
    What.CANNOT_WRITE: _Said(
        "Cannot write in %(folder)s: %(why)s.",
        "Let the user that runs shutwatch own that folder, or set `%(key)s` to another place.",
    ),
    What.DISK_FULL: _Said(
        "The disk of %(folder)s is full: %(free)s MB are free.",
        "Free some space, keep measurements for a shorter time ([retention] raw), or set"
        " `%(key)s` to another disk.",
    ),
    What.DISK_LOW: _Said(
        "The disk of %(folder)s is nearly full: %(free)s MB are free, about %(days)s days.",
        "Free some space, or keep measurements for a shorter time ([retention] raw).",
    ),
    What.PORT_IN_USE: _Said(
        "Another program listens at %(address)s already.",
        "End it, or set `%(key)s` to another port.",
    ),
    What.CANNOT_LISTEN: _Said(
        "Cannot listen at %(address)s: %(why)s.",
        "Set `%(key)s` to an address of this machine and a port from 1024 on.",
    ),
    What.DATABASE: _Said("%(why)s.", "%(remedy)s."),
    What.DATABASE_OLD: _Said(
        "The tables of the database are of version %(found)s, and this program's of %(newest)s.",
        "Make a copy with `shutwatch db backup FILE`, then type `shutwatch db upgrade`.",
    ),
    What.TARGET_SILENT: _Said(
        "Route %(route)s: the service of address %(target)s cannot be reached (%(why)s).",
        "Correct the address, or let it pass; then type `shutwatch notify test`.",
    ),
    What.TARGET_UNTRIED: _Said(
        "Route %(route)s: whether address %(target)s works, only a message can tell.",
        "Type `shutwatch doctor --send`.",
    ),
    What.TARGET_FAILS: _Said(
        "Route %(route)s: no message reaches address %(target)s (%(why)s).",
        "Correct the address in [[notify.route]]: docs/notifications.md.",
    ),
    What.PING_SILENT: _Said(
        "The server of notify.ping_url cannot be reached (%(why)s).",
        "Correct ping_url, or let it pass.",
    ),
    What.SOURCE_SILENT: _Said(
        "The server of source %(source)s cannot be reached (%(why)s).",
        "Let https to it pass, or take another way: docs/sources.md.",
    ),
    What.PROMETHEUS_SILENT: _Said(
        "Prometheus does not answer at %(address)s (%(why)s).",
        "Start it, or name its address: --prometheus http://HOST:9090.",
    ),
    What.PROMETHEUS_UNAWARE: _Said(
        "Prometheus at %(address)s reads no metrics from port %(port)s.",
        "Add the job of docs/alerts.md to its scrape_configs, and reload it.",
    ),
    What.PROMETHEUS_FAILS: _Said(
        "Prometheus at %(address)s cannot read the metrics: %(why)s.",
        "Start shutwatch; where it asks for a token, give Prometheus one (docs/config.md).",
    ),
    What.STAMPS_SILENT: _Said(
        "The time authority or calendar %(source)s cannot be reached (%(why)s).",
        "Correct it under [timestamps], or let it pass: without it others do not date reports.",
    ),
    What.ARCHIVE: _Said(
        "The archive cannot be used: %(why)s.",
        "Correct [archive], or let it pass: docs/archive.md.",
    ),
    What.AGENT_KEY: _Said(
        "The agent's key cannot be used: %(why)s.",
        "Put it back, for the user that runs the agent alone to read. Where it is lost, type"
        " `shutwatch agent wipe`, then `shutwatch agent join` with a new invitation.",
    ),
    What.AGENT_REVOKED: _Said(
        "The operator revoked this agent's key, so it measures and sends nothing any more.",
        "Type `shutwatch agent wipe`, then `shutwatch agent join` with a new invitation.",
    ),
    What.COLLECTOR_SILENT: _Said(
        "Collector %(collector)s does not answer: %(why)s.",
        "Ask its operator whether it runs; let https to it pass, or set `agent.proxy`.",
    ),
    What.COLLECTOR_BEHIND_PROXY: _Said(
        "Through the proxy, collector %(collector)s does not answer: %(why)s.",
        "See whether the proxy runs and lets it pass; correct `agent.proxy`, or delete it.",
    ),
    What.COLLECTOR_REFUSES: _Said(
        "Collector %(collector)s refused: %(why)s.",
        "Try again in a minute. If it goes on refusing, ask its operator.",
    ),
    What.COLLECTOR_CERTIFICATE: _Said(
        "Collector %(collector)s shows %(why)s.",
        "Somebody on the way may answer in its place: try another line, or `agent.proxy`. Where"
        " its operator changed it, set `agent.trust_anchors` to the new one.",
    ),
    What.COLLECTOR_KEY: _Said(
        "What answers as collector %(collector)s has other keys than this agent was given:"
        " %(why)s.",
        "Compare what `shutwatch agent key` prints with the operator. Where that differs, type"
        " `shutwatch agent wipe`, then `shutwatch agent join` with a new invitation.",
    ),
    What.COLLECTOR_CLOCK: _Said(
        "The clock of this machine is %(seconds)s seconds %(way)s that of collector %(collector)s,"
        " which answers.",
        "Have it set over the network, as with “timedatectl set-ntp true”. Times of results are"
        " corrected until then.",
    ),
    What.TOO_SLOW: _Said(
        "Not finished within %(seconds)s s.",
        "Something on the way stays silent: try again, and read the other lines first.",
    ),
    What.OUR_FAULT: _Said(
        "The check itself failed: %(why)s.",
        "That is our fault: please report it with this line.",
    ),
}
"""Of each finding: what is wrong, and what to do. Values are written as `%(name)s`."""

HEALTH_REMEDIES: Mapping[str, str] = {
    "vantage.egress_failed": N_("See whether the proxy runs; correct egress."),
    "vantage.elsewhere": N_("Turn off the VPN there, or correct country and asn."),
    "vantage.other_network": N_("Correct asn, or list both networks as siblings."),
    "vantage.no_references": N_("List some under [references]."),
    "vantage.captive_portal": N_("Sign in on that line once with a browser, or use another line."),
    "vantage.resolver_down": N_("Set resolver to one that answers."),
    "vantage.offline": N_("Check cable, modem and credit of that line, and egress."),
    "vantage.resolver_cut_off": N_("Set resolver to another of that network."),
    "vantage.international_cut": N_(
        "Ask people there: where others reach abroad, the line is at fault."
    ),
    "vantage.ipv4_cut": N_(
        "Ask people there: where others reach abroad over IPv4, the line is at fault."
    ),
    "vantage.allowlist_by_name": N_(
        "Ask people there: where others reach every site, the line is at fault."
    ),
    "vantage.allowlist": N_(
        "Ask people there: where others reach every site, the line is at fault."
    ),
    "vantage.no_tls": N_("Turn off what decrypts the traffic of that line, or use another line."),
    "vantage.lossy": N_("Use a cable instead of wireless, or set a lower probe.rate."),
    "vantage.clock_skew": N_("Have it set over the network, as with “timedatectl set-ntp true”."),
}
"""What to do about a vantage whose health a rule finds wanting."""
_UNWELL = N_("Vantage %(vantage)s: %(what)s.")

_LEVELS: Mapping[str, Level] = {
    What.VANTAGE_WAITING: Level.NOTE,
    What.TARGET_UNTRIED: Level.NOTE,
    "vantage.lossy": Level.WARNING,
    "vantage.international_cut": Level.WARNING,
    "vantage.ipv4_cut": Level.WARNING,
    "vantage.allowlist": Level.WARNING,
    "vantage.allowlist_by_name": Level.WARNING,
    **dict.fromkeys(
        (
            *(What.NO_CONTROL, What.NO_OWN_CONTROL, What.ONE_CONTROL, What.ONE_OWN_CONTROL),
            *(What.CONTROLS_HIDE_FAMILY, What.CONTROLS_TOGETHER, What.CONTROL_INSIDE),
            What.CONTROL_SAME_WAY,
            *(What.ONE_VANTAGE, What.SAME_LINE, What.NO_ASN, What.ONLY_PROXIED, What.ONLY_STUB),
            *(What.QUIET_CONTROL, What.QUIET_SHORT, What.NO_UPLINK, What.NO_INTERNATIONAL),
            *(What.NO_POPULAR, What.NO_UDP, What.NO_DOMESTIC, What.PLAIN_PASSWORDS),
            *(What.PLAIN_PROXY_PASSWORD, What.CYCLE_TOO_LONG, What.FEW_BYTES, What.NO_MESSAGES),
            *(What.DATABASE_OLD, What.DISK_LOW, What.REFERENCES_FAIL, What.COLLECTOR_CLOCK),
        ),
        Level.WARNING,
    ),
}
"""Of what is less than a problem."""


def finding_sentences(words: Words, finding: Finding) -> tuple[str, str]:
    """What is wrong, and what to do about it."""
    values = {name: words.name(value) for name, value in finding.values.items()}
    if finding.what in HEALTH_REMEDIES:
        from monitor.wording.rules import HEALTH_RULE_MEANINGS, sentence  # loads the judge

        meaning = sentence(words, HEALTH_RULE_MEANINGS[finding.what].rstrip("."))
        problem = words.gettext(_UNWELL, vantage=values["vantage"], what=meaning)
        return problem, words.gettext(HEALTH_REMEDIES[finding.what])
    said = SENTENCES[finding.what]
    return words.gettext(said.problem, **values), words.gettext(said.remedy, **values)


def finding_text(words: Words, finding: Finding) -> str:
    """Both as one text."""
    return " ".join(finding_sentences(words, finding))
