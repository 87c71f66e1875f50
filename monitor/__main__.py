"""`python -m monitor` is `shutwatch`."""

from monitor.cli import main

main()
