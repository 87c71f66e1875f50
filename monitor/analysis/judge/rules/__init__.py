"""The rules of the judge: one module for each question they answer.

rule.py              what a rule is, and its usual forms
table.py             all rules, in the order in which they are tried:
not_measured.py      was it measured, and from the right place?
answered.py          did it answer?
part_fails.py        does it answer, while a part of it fails?
vantage_explains.py  could we have seen it?
needs_no_control.py  does the sign need no control, like a forged DNS reply?
fails_elsewhere.py   does it fail at the control too? Then it is down.
packet_loss.py       can packet loss, or refusals at random, explain it?
no_control.py        is there a control?
interference.py      what acted?
accuses_nobody.py    anything else is insufficient
"""
