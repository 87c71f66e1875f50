"""The five dashboards, one module each, and what they share."""
