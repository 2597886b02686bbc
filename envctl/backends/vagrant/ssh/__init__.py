"""The way into a machine: one shared SSH connection, and what uses it (commands, ports, systemd, HTTP probes)."""
