"""`devcontainer`: the folder .devcontainer, with a Compose file and the service to work in."""
