"""What `import` and `export` share: the report on every key."""
