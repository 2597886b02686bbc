"""What of this host a project may reach, and whether the user has allowed it."""
