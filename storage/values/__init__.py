"""What callers pass to a store and get from it, and how each value is encoded as cells.

Everything may import it. It imports `probes` and `monitor.analysis`, and no database library.
"""
