"""Imports a dev container: devcontainer.json, with the Dockerfile or the Compose files that it names."""
