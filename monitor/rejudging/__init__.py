"""Verdicts and events recomputed from what is stored, beside those there are."""
