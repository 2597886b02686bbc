"""envctl against its peers: whole processes, both in the same run, as ratios."""
