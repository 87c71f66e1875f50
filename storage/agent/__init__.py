"""What an agent keeps on disk until a collector has it. Only `monitor.agent` imports it."""
