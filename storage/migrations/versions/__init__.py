"""Released revisions. What one does never changes. Revisions up to 0008 are older than the support
of PostgreSQL; what they do there was added with it."""
