"""Types of columns that differ between databases."""

from sqlalchemy import Text
from sqlalchemy.dialects import postgresql

TEXT = Text().with_variant(postgresql.TEXT(collation="C"), "postgresql")
"""Text that sorts by code points, as in Python and SQLite, whatever the language of a PostgreSQL
database. Listings, keys and partitions depend on this order."""
