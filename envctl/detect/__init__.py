"""Recognizes which application is in a folder, without executing any of its files."""
