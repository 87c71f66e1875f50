"""Every change of the tables ever released, for Alembic. `storage.sql.migrate` runs them."""
