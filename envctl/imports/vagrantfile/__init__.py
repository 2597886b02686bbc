"""Vagrantfiles to specs. Vagrant itself reads them, and executes them while it does."""
