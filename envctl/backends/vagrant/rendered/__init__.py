"""The folder from `render`: a Vagrantfile and scripts that work without envctl. Pure."""
