"""Gives each endpoint its verdict, and each platform.

case.py                the input: the measurements of one endpoint, its controls and follow-ups
judge_case.py          the verdict on one case, by the first rule that matches
rules/                 the ordered table of rules: what a failure means (tls.reset: blocked)
grade_by_sign.py       the evidence grade of each kind of failure: weak, strong, or by loss
facts.py               reduces a case to what the rules ask about, with:
    some_addresses.py      some addresses blocked while others work
    some_flows.py          a share of connections cut off; counted_flows.py counts them
    cut_by_chance.py       connections cut off whatever name they send
    refused_by_chance.py   refusals at random, whatever is asked for
    hello_forms.py         one form of TLS greeting cut off while another works
    silent_addresses.py    silence that no ordinary fault explains
    common_addresses.py    silent addresses to which names of different owners lead
    private_addresses.py   private addresses at which a platform proved itself
    lossy_paths.py         paths to one platform that lose packets
    protocols_of_apps.py   lines that carry no app's own protocol
    slow_line.py           lines on which everything takes long
    interception.py        devices at the vantage's own site that open TLS
    server_errors.py       errors that a platform itself answers with
    siblings.py            endpoints that time out alike, of which some stand for the others
grade_by_attempts.py   why the attempts failed, and which sign has the best support
grade_by_follow_ups.py what follow-ups add: conclusive evidence, hijacks, blocked addresses
genuine_chains.py      certificates that are the platform's own, though they do not verify here
led_elsewhere.py       hosts to which the platform itself led, and no control
controls.py            which control measurements count
address_family.py      one of IPv4 and IPv6 blocked
one_family.py          what one of them shows by itself
quic_blocked.py        QUIC blocked while TCP works
cleartext_pages.py     is a cleartext page the control's page
block_pages.py         recognises known block pages
fingerprint.py         what a block page's fingerprint is
second_attempt.py      whether an endpoint needs another attempt in the cycle
platform.py            endpoint verdicts → functions → platform
"""
