"""Mutation testing: small faults are put into modules one at a time, and the quick tests have to notice.

Why this is a runner of our own stands in docs/decisions/mutants.md.
"""
