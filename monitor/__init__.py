"""Judge, detect and show: everything around the probes and the database."""

__version__ = "0.1.0"
