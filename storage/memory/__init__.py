"""The store in memory, for tests and trials. `open_store` imports it; `sql` is not needed."""
