"""PostgreSQL: its connections and errors, partitions by month, bulk writing, and checks.
`tables` says what the tables have there alone.

`open_store` and `monitor.cli` import it, and nothing else: it loads PostgreSQL's driver.
"""
