"""What this machine lacks for envctl to work, how to fix it here, and fixing it.

What a backend's engine needs is checked by the backend: see `HostChecks` in `envctl/backends/base.py`.
"""
