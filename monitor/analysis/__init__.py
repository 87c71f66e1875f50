"""Judge and detect from values alone: no clock, no socket, no database."""
