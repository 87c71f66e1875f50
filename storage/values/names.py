"""What is known by name: to a configuration, or from stored rows."""

import msgspec


class Names(msgspec.Struct, frozen=True, kw_only=True):
    """Names that a reader may select by."""

    countries: frozenset[str] = frozenset()
    """Codes of ISO 3166-1."""
    platforms: frozenset[str] = frozenset()
    networks: frozenset[tuple[int, str]] = frozenset()
    """AS number and name of each."""
    vantages: frozenset[str] = frozenset()

    def __or__(self, other: "Names") -> "Names":
        """The names of both."""
        return Names(
            countries=self.countries | other.countries,
            platforms=self.platforms | other.platforms,
            networks=self.networks | other.networks,
            vantages=self.vantages | other.vantages,
        )
