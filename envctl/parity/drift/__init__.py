"""Drift: what the spec declares of units, held against what is so. Each module has the rules of one subject.

The rules are pure, and go by one principle: what the spec itself can have caused is no drift. A file that a later
step of the build may have changed, a variable that the command's own script sets: nothing is said of them.
"""
