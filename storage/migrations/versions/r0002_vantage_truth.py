"""What a vantage's health says about its clock and its resolver."""

from storage.migrations.tables import clock_and_resolver, health, remake_health

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Both tables of health. Rows that are there do not know the clock skew."""
    remake_health(health, clock_and_resolver, {"stub_resolver": "false"})
