"""A target of a spec as other tools take it: one module or folder for each format."""
