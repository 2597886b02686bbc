"""One spec for dev, test and prod; containers or VMs; proof that they agree."""

__version__ = "0.1.0"
