"""Other tools' files become a spec: a folder or module for each source."""
