"""Keys and passwords: `keys` makes, reads and uses Ed25519 keys, `sealing` seals to one, and
`passwords` hashes passwords.

Everything in `monitor` above `storage` may import it; it imports only `storage.url`.
"""
