"""Package files in envctl.vendor, and builds that use only those."""
