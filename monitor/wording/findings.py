"""What is wrong with a set-up and what to do about it: for `check`, `doctor` and the page.

A finding is a value: what was found, and the names that its sentences need. Everybody who finds
something, in the settings or by trying, makes one of these, so all surfaces say it alike.

Sentences marked by `N_` can appear on the page, in every language; the others only where a command
prints them.
"""

from collections.abc import Mapping

import msgspec

from monitor.wording.finding_kinds import Level as Level
from monitor.wording.finding_kinds import Said
from monitor.wording.finding_kinds import What as What
from monitor.wording.languages import N_
from monitor.wording.tried_findings import TRIED
from monitor.wording.words import Words

LEVELS: Mapping[Level, str] = {
    Level.NOTE: N_("wait"),
    Level.WARNING: N_("advisable"),
    Level.PROBLEM: N_("to do"),
}
DONE = N_("done")
KNOWN = N_("acknowledged")
"""Somebody knows of it, and leaves it so."""
WORKS = N_("Vantage %(vantage)s works.")


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


_ASK = N_("Ask people there: where others reach every site, the line is at fault.")
_WRITE_IT = N_("List some under [references].")

SENTENCES: Mapping[str, Said] = {
    What.NO_CONFIGURATION: Said(
        N_(
            "No configuration is in use: the line of this machine is tested as if it were in an"
            " unknown country."
        ),
        N_("Type “%(command)s”. It asks, writes a file, and says how to start with it."),
    ),
    What.NO_CONTROL: Said(
        N_(
            "No control vantage: failures alone are not enough to tell. Only evidence that is"
            " conclusive by itself, such as a block page, can say blocked."
        ),
        N_('Add a vantage with role = "control" outside the country.'),
    ),
    What.NO_OWN_CONTROL: Said(
        N_(
            "No control vantage of the collector's own: nobody tests at once what an agent"
            " suspects, and unless an enrolled agent is a control (vantage invite --role control)"
            " failures alone are not enough to tell."
        ),
        N_('Add a vantage with role = "control" outside the measured countries.'),
    ),
    What.ONE_CONTROL: Said(
        N_("One control vantage only (%(vantage)s): while it does not work nothing can be judged."),
        N_("Add a second in another network."),
    ),
    What.ONE_OWN_CONTROL: Said(
        N_(
            "One control vantage only (%(vantage)s): while it does not work nothing can be judged,"
            " unless an enrolled agent is a control too."
        ),
        N_("Add a second in another network."),
    ),
    What.CONTROLS_HIDE_FAMILY: Said(
        N_(
            "Every control of the collector's own is behind a proxy that resolves names, so none"
            " shows agents over which of IPv4 and IPv6 it reached a platform: a block of one of"
            " them alone goes unseen there."
        ),
        N_("Give a control no proxy, or a resolver of its own."),
    ),
    What.CONTROLS_TOGETHER: Said(
        N_("Controls %(one)s and %(other)s are in the same network, so they fail together."),
        N_("Put them in different networks."),
    ),
    What.CONTROL_INSIDE: Said(
        N_(
            "Control %(vantage)s is in %(country)s, where you test for blocks: a platform blocked"
            " there looks like one that is down."
        ),
        N_("Put the control elsewhere."),
    ),
    What.CONTROL_SAME_WAY: Said(
        N_(
            "Control %(vantage)s leaves this machine as %(other)s does: a platform blocked there"
            " looks like one that is down."
        ),
        N_("Put the control elsewhere."),
    ),
    What.ONE_VANTAGE: Said(
        N_(
            "One vantage only in %(country)s: a block cannot be told apart from a fault of that"
            " one network."
        ),
        N_("Add vantages in other networks."),
    ),
    What.TOO_FEW_AGREE: Said(
        N_(
            "%(country)s has %(own)s of the collector's own vantages, and %(needed)s must agree to"
            " confirm a block: unless agents there see it too, each of which counts in full after a"
            " week, it stays suspected, and routes for confirmed blocks send nothing."
        ),
        N_(
            "Add a vantage in another network. If you trust what is there alone, set agreement ="
            " %(own)s under [events]."
        ),
    ),
    What.SAME_LINE: Said(
        N_(
            "%(one)s and %(other)s leave this machine by the same way: they test one network, not"
            " two."
        ),
        N_("Give each its own egress, or delete one."),
    ),
    What.NO_ASN: Said(
        N_(
            "No asn for %(vantages)s: it tells networks apart, so without it all of one country"
            " count as one."
        ),
        N_("Write the AS number of each network, as in asn = 17557."),
    ),
    What.ONLY_PROXIED: Said(
        N_(
            "Seen only through a proxy: %(vantages)s. A proxy hides forged DNS answers and which"
            " connections are refused, and its line may be filtered unlike those of people."
        ),
        N_("Test that network from a line on this machine too, or by an agent on the spot."),
    ),
    What.ONLY_STUB: Said(
        N_(
            "Only a stub resolver (%(address)s) for %(vantages)s: it is a forwarder on its own"
            " machine, which hides forged answers."
        ),
        N_('Set its resolver to the network\'s own, as in resolver = "192.0.2.53".'),
    ),
    What.QUIET_CONTROL: Said(
        N_(
            "Control %(vantage)s is quiet, which changes nothing: a control tests at once when a"
            " field vantage has a failure."
        ),
        N_("Delete its profile."),
    ),
    What.QUIET_SHORT: Said(
        N_(
            "Quiet, at an interval under ten minutes: %(vantages)s. When much is blocked a cycle"
            " may take longer, with its tests close together."
        ),
        N_('Set interval = "10m" or more.'),
    ),
    What.NO_UPLINK: Said(
        N_("No uplink references: a captive portal cannot be detected."), _WRITE_IT
    ),
    What.NO_INTERNATIONAL: Said(
        N_("No international references: an offline vantage looks like a block."), _WRITE_IT
    ),
    What.NO_POPULAR: Said(
        N_("No popular references: a network cut down to a list of sites looks like a bad line."),
        _WRITE_IT,
    ),
    What.NO_UDP: Said(
        N_("No udp references: blocked calls look like a network without UDP."), _WRITE_IT
    ),
    What.NO_DOMESTIC: Said(
        N_(
            "No domestic references for %(country)s: an international cut looks like a vantage"
            " that is offline."
        ),
        N_("List some under [references] as domestic.%(country)s."),
    ),
    What.NO_FOLDER: Said(
        N_("The folder of the database, %(folder)s, does not exist on this machine."),
        N_("Create it, or set database to another file."),
    ),
    What.PLACEHOLDER: Said(
        N_("%(key)s still has the value of an example: %(value)s."),
        N_("Write your own, or delete that part."),
    ),
    What.PLAIN_PASSWORDS: Said(
        N_("Passwords for the page cross the network in plain text: it is served at %(address)s."),
        N_("Put a proxy that speaks TLS in front, and set public_url to its https address."),
    ),
    What.PLAIN_PROXY_PASSWORD: Said(
        N_(
            "The password for the proxy of %(vantages)s crosses the network in plain text, so who"
            " reads it can use the proxy."
        ),
        N_("Have the proxy admit the address of this machine alone, or reach it by a tunnel."),
    ),
    What.CYCLE_TOO_LONG: Said(
        N_(
            "When every platform is met with silence, a cycle takes up to %(length)s. That does not"
            " fit the interval of %(interval)s: cycles would be missed."
        ),
        N_("Set interval to %(needed)s or more, or test fewer platforms, or from fewer vantages."),
    ),
    What.FEW_BYTES: Said(
        N_(
            "A day has %(wanted)s cycles at the interval of %(interval)s. daily_bytes of %(bytes)s"
            " suffices for about %(fit)s of them; the others are skipped."
        ),
        N_("Set daily_bytes to %(needed)s or more, or test fewer platforms or less often."),
    ),
    What.VANTAGE_WAITING: Said(
        N_("Vantage %(vantage)s has not finished its first cycle."),
        N_("Wait a few minutes."),
    ),
    What.VANTAGE_SILENT: Said(
        N_("Vantage %(vantage)s has no current results."),
        N_("See whether its machine or agent runs, and what its log says."),
    ),
    What.NO_MESSAGES: Said(
        N_("No message about an event reaches anybody: no [[notify.route]] is configured."),
        N_("Add one, or take the alerts of Prometheus."),
    ),
    What.MESSAGES_WAIT: Said(
        N_("Messages of route %(route)s are overdue."),
        N_("Type “shutwatch notify list”: it says why."),
    ),
    What.NOT_STORED: Said(
        N_("Results could not be stored."),
        N_("Type “shutwatch doctor”: it tries the database and the disk."),
    ),
    What.CONFIG_REFUSED: Said(
        N_("The changed configuration has a mistake, so the earlier settings stay in use."),
        N_("Type “shutwatch check” with that file."),
    ),
    What.WRONG_CLOCK: Said(
        N_("The clock of this machine is wrong by %(seconds)s seconds."),
        N_("Have it set over the network, as with “timedatectl set-ntp true”."),
    ),
    **TRIED,
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
    "vantage.allowlist_by_name": _ASK,
    "vantage.allowlist": _ASK,
    "vantage.large_packets": N_("Ask that line's provider, or use another line."),
    "vantage.no_tls": N_("Turn off what decrypts the traffic of that line, or use another line."),
    "vantage.lossy": N_("Use a cable instead of wireless, or set a lower probe.rate."),
    "vantage.clock_skew": N_("Have it set over the network, as with “timedatectl set-ntp true”."),
}
"""What to do about a vantage whose health a rule finds wanting."""
_UNWELL = N_("Vantage %(vantage)s: %(what)s.")

_LEVELS: Mapping[str, Level] = {
    What.VANTAGE_WAITING: Level.NOTE,
    **dict.fromkeys((What.TARGET_UNTRIED, What.TARGET_REACHED, What.PING_REACHED), Level.NOTE),
    What.TARGET_SHORT: Level.NOTE,
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
            *(What.ONE_VANTAGE, What.TOO_FEW_AGREE, What.SAME_LINE, What.NO_ASN),
            *(What.ONLY_PROXIED, What.ONLY_STUB),
            *(What.QUIET_CONTROL, What.QUIET_SHORT, What.NO_UPLINK, What.NO_INTERNATIONAL),
            *(What.NO_POPULAR, What.NO_UDP, What.NO_DOMESTIC, What.PLAIN_PASSWORDS),
            *(What.PLAIN_PROXY_PASSWORD, What.CYCLE_TOO_LONG, What.FEW_BYTES, What.NO_MESSAGES),
            *(What.DATABASE_OLD, What.DISK_LOW, What.REFERENCES_FAIL, What.COLLECTOR_CLOCK),
            *(What.OPEN_SECRETS, What.CERTIFICATE_EXPIRES),
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
