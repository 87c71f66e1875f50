"""OONI's raw measurements turned into ours, so that the same rules judge data others took."""
