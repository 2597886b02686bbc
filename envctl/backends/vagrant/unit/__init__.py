"""A unit in its machine: its systemd service, process, container, logs, exit codes, and commands beside it."""
