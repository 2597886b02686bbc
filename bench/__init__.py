"""Compares envctl with similar tools: whole processes, both measured in the same run, as ratios."""
