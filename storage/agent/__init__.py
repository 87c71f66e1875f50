"""What an agent keeps on disk until a collector has it.

`monitor.agent` and `monitor.cli` import it.
"""
