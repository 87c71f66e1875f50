"""The bytes of a vantage's day: how many, for what, and how many are used.

budget ── how a day's bytes are shared out; pure
bytes_used ── the bytes that a measurement took, estimated from what it recorded
ledger ── what each vantage has spent today, and what it may still do
"""
