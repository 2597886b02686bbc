"""The steps of each command, one short module per command."""
