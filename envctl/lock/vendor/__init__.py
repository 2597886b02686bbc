"""Package files kept in envctl.vendor, and builds that use only those."""
