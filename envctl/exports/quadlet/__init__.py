"""`quadlet`: units that Podman's generator turns into services of systemd."""
