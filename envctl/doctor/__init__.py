"""Checks what envctl needs on this machine, shows how to fix what is missing, and fixes it.

Backends check the requirements of their engines: see `HostChecks` in `envctl/backends/base/`.
"""
