"""Measurements of others, followed live: asked for in time, kept apart, and turned into events.

Nothing here judges our own vantages, and nothing of it becomes evidence for our own events: a
source agrees or is silent, and never acquits.
"""
