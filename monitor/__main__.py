"""`python -m monitor` is `shutwatch`."""

from monitor.entry import main

main()
