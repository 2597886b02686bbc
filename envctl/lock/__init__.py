"""What was resolved: the versions that builds came to, kept in envctl.lock beside the spec."""
