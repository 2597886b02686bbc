"""Makes an environment match its plan: compares, applies changes, waits until units are ready."""
