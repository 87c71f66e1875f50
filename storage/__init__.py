"""Remember measurements, verdicts and events in SQL."""
