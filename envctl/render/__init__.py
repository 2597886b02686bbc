"""Plan and templates to files: the only package that knows Jinja. Templates are data, not code."""
