"""A report that can be handed on: what was found, how it is known, and everything it rests on."""
