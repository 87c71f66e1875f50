"""`python -m monitor` is `shutwatch`."""

from monitor.cli.entry import main

main()
