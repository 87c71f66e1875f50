"""`shutwatch control serve`: a proxy on a rented server that serves as a control, and as no more.

admitted       which hosts a control is asked for: the catalogue's, and nothing else
proxy_requests one client: its login and what it asks for, by SOCKS5 or HTTP CONNECT
exit_server    listens, holds the limits, connects and relays
limits         how much it carries
identity       the certificate, the password, and the lines for the monitor's configuration
"""
