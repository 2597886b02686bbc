"""Machines: how they are created, found, checked, started, shut down and removed."""
