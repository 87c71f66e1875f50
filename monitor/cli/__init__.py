"""The command line: `main` has the table of commands and the entry point.

Each command is a module of its own name and is imported when it is called (`lazy_group`). Commands
read options, call one package that does the work, and print. Commands share `options` (--config,
--json), `selection` (--since, --country …), `exits` (errors), `store_options` (the open store) and
`output` (tables, JSON, files). Nothing imports `cli`.
"""
