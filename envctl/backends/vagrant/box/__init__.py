"""Boxes: how they are built, what they boot with, where they are stored and when they are removed."""
