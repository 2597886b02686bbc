"""Evidence: what is true inside running units, compared with the spec, or with what is true elsewhere."""
