"""The types of the catalogue: what is measured.

    catalog        Platform → Function → Endpoint, and References
    endpoint_text  text → Endpoint
    host           what counts as a host name or an address
    countries      country codes

Every package may import it. It imports nothing of the project.
"""
