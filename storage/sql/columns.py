"""Types of columns that databases would otherwise understand differently."""

from sqlalchemy import Text
from sqlalchemy.dialects import postgresql

TEXT = Text().with_variant(postgresql.TEXT(collation="C"), "postgresql")
"""Text that sorts by its characters' numbers, as Python and SQLite sort it, whatever language a
PostgreSQL database was set up for: listings, keys and the months of partitions rest on that."""
