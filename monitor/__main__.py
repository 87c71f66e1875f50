"""`python -m monitor` is `shutwatch`."""

from monitor.cli.main import main

main()
