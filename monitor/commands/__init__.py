"""The commands, one module each; every module adds its own by `register(app)`."""
