"""What people do: each act in one place, for the page and for the command line.

acts ─────────── a line of the audit log, and why an act is refused
reviewing ────── a person's mark on an event
quarantining ─── a vantage's results leave events, and come back
muting ───────── no messages about an event or a country for a time
acknowledging ── somebody knows of a line of the checklist

An act changes nothing that was detected: verdicts and events stay as they are, but for those that a
quarantined vantage made.
"""
