"""Recorded and imported data, run through the analysis by their own clock."""
