"""Types of columns that differ between databases."""

from sqlalchemy import TEXT as COLLATED
from sqlalchemy import Text

TEXT = Text().with_variant(COLLATED(collation="C"), "postgresql")
"""Text that sorts by code points, as in Python and SQLite, whatever the language of a PostgreSQL
database. Listings, keys and partitions depend on this order."""
