"""The centre: what is wanted, what is there, what has to change. Standard library only."""
