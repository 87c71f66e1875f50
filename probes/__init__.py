"""Look and record. Probes never judge: what they see goes into a Measurement as it was."""
