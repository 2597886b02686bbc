"""What a project may use of this host, and whether the user has allowed it."""
