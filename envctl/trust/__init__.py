"""What a project may use on this host, and whether the user has allowed it."""
