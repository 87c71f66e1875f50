"""Released revisions. They are never edited: each repeats what the tables looked like then."""
