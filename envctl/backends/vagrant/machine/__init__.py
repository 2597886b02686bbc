"""Machines: how one is made, found, checked, started, shut down and removed."""
