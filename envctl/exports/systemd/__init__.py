"""`systemd`: services of a Debian host, with scripts that install and remove them."""
