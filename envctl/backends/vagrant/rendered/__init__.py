"""The folder that `render` writes: a Vagrantfile and scripts that work without envctl. Pure."""
