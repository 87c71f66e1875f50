"""Tell people of events: what to say, to whom, when, and again until it arrived."""
