"""Builds in a machine instead of a container engine: what Vagrant calls provisioning."""
