"""Access to a machine: one shared SSH connection, and its uses (commands, ports, systemd, HTTP health checks)."""
