"""Write what is stored in the formats reports need."""
