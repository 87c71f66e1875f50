"""Judges the speed of platforms from transfers of objects.

throttling.py          one case → verdict; verdicts of a cycle combined with those on speed
rules_table.py         the ordered table of rules
transfer_facts.py      the case, reduced to what the rules ask about
transfer_round.py      one round: target, innocuous name and reference compared
transfer_speed.py      the rate of one transfer, or that it stalled
transfer_pauses.py     how the machine's own pauses change a transfer
history.py             what is remembered of an object between cycles
"""
