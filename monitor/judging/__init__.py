"""From what was seen to verdicts: one judge for live, late and stored cycles.

judge_cycle ── what one cycle saw → its verdicts; pure
from_stored, stored_controls ── a stored cycle → what it saw
from_ooni ── an imported OONI measurement → what it saw
stored_history ── all stored cycles, in the order they ended
rejudge, differences ── stored cycles judged again, and what differs
quarantine ── vantages whose results do not count in events
key_periods ── the keys of agents, as their weight needs them
"""
