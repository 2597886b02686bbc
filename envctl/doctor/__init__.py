"""Checks what envctl needs on this machine, shows how to fix what is missing, and fixes it.

What a backend's engine needs is checked by the backend: see `HostChecks` in `envctl/backends/base/`.
"""
