"""A Dockerfile becomes a spec: kept as it is, or translated."""
