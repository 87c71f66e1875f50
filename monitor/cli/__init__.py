"""The command line: `main` has the table of commands and the entry point.

Each command is a module of its own name and is imported when it is called (`lazy_group`). Commands
read options, call one package that does the work, and print. Commands share `options` (--config,
--json), `selection` (--since, --country …), `exits` (errors), `store_options` (the open store),
`output` (tables, JSON, files), `counts` (numbers of things) and `bars` (progress). Nothing imports
`cli`.

A command's module imports at its top what help needs. A library that takes 20 ms or more to load
(SQLAlchemy, httpx, cryptography, rich, Babel, the server) is loaded by the function that uses it,
with the reason beside it; `typed_values` keeps out pydantic, which typer would load.
`tests/unit/monitor/cli/test_lazy_commands.py` names the libraries of each command.
"""
