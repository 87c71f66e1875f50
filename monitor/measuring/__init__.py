"""One cycle of one vantage: what to measure, how often, and how thoroughly. It judges nothing.

cycle ── the steps of a cycle, from the references to what was seen (`monitor.analysis.seen`)
 ├─ endpoints ── every endpoint: the attempts, the controls, the follow-ups
 ├─ transfers ── when to measure transfer speed, and of which objects
 ├─ controls, scheduled_controls ── the same endpoints from control vantages
 └─ probers ── one prober for each vantage; each measurement is paid from the day's bytes
effort, pace, http3, exits ── what a cycle leaves out, spreads, tests over QUIC, and its exit
fast_lane ── which platforms to measure again soon
"""
