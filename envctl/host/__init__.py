"""Access to this host: files, locks, private folders, certificates."""
