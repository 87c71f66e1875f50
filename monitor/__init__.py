"""Judge, detect and show: everything between the probes and the database.

Imports run downwards only: cli → demo, agent, collector → app → server → report, recording →
replay, measuring, metrics → judging, budget → config → export, notify, wire → keys, wording, ooni,
logs → storage → analysis → probes. Each room's `__init__` says what it holds and who may import it.
`logs` sets up logging; every room that does I/O may use it.
"""

__version__ = "0.1.0"
