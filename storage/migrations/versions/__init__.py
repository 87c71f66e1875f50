"""Released revisions. They are never edited: each repeats what the tables looked like then. Those
up to 0008 came before PostgreSQL could be used; what they do there was added with it."""
