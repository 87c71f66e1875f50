"""Set-up: from a few answers to a configuration that can run.

answers.py        what an operator answers, and the file that is written from it
local_lines.py    the lines of this machine: its routes and devices
located_lines.py  the network of each, by the operator's own files

`shutwatch init` asks, in `monitor.cli.init`.
"""
