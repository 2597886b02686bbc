"""Drift: compares what the spec declares about units with the running units. Each module covers one subject.

The rules are pure. Their principle: what the spec itself may have caused is not drift, such as a file that a later
build step may have changed, or a variable that the command's own script sets. No finding is reported for these.
"""
