"""Boxes: how each is made, what it boots with, where it is stored and when it is removed."""
