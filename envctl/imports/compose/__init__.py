"""Compose files to specs, with a report that says of every key what became of it. Runs nothing from them."""
