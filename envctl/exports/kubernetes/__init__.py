"""`kubernetes`: a kustomize base, and an overlay for each environment."""
