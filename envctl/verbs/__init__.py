"""The verbs of the command line, a short module each."""
