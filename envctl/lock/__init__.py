"""The lock: the versions that builds resulted in, stored in envctl.lock next to the spec."""
