"""Looks at a folder and finds out which application is in it; nothing of it is executed."""
