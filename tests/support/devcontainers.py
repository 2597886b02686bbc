"""Dev containers as teams have them: an image with features, a Dockerfile, Compose files; and one with every key."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

_IMAGE = """\
// For format details, see https://aka.ms/devcontainer.json.
{
\t"name": "Python 3",
\t"image": "mcr.microsoft.com/devcontainers/python:1-3.12-bookworm",
\t/* What the
\t   images do not have. */
\t"features": {
\t\t"ghcr.io/devcontainers/features/node:1": {"version": "20"},
\t\t"ghcr.io/devcontainers/features/docker-in-docker:2": {},
\t},
\t"forwardPorts": [5000, "3000"],
\t"portsAttributes": {"5000": {"label": "app // not a comment", "onAutoForward": "notify", "requireLocalPort": true}},
\t"containerEnv": {"PYTHONDONTWRITEBYTECODE": "1", "TOKEN": "${localEnv:APP_TOKEN:none}"},
\t"remoteEnv": {"PATH": "${containerEnv:PATH}:/opt/bin", "KIND": "${containerEnv:TOKEN}"},
\t"mounts": [
\t\t"source=${localEnv:HOME}${localEnv:USERPROFILE}/.ssh,target=/home/vscode/.ssh,type=bind,readonly",
\t\t{"type": "volume", "source": "${localWorkspaceFolderBasename}-cache-${devcontainerId}", "target": "/home/vscode/.cache"},
\t],
\t"postCreateCommand": "pip3 install --user -r requirements.txt",
\t"customizations": {
\t\t"vscode": {"extensions": ["ms-python.python"], "settings": {"editor.rulers": [100]}},
\t},
\t"remoteUser": "vscode",
}
"""
_DOCKERFILE = """\
{
  "name": "Tools",
  "build": {
    "dockerfile": "Dockerfile",
    "context": "..",
    "args": { "VARIANT": "${localEnv:VARIANT:bookworm}" },
    "target": "dev",
    "options": ["--network=host"],
    "cacheFrom": "example.com/cache"
  },
  "workspaceMount": "source=${localWorkspaceFolder},target=/workspace,type=bind,consistency=cached",
  "workspaceFolder": "/workspace",
  "runArgs": ["--cap-add=SYS_PTRACE", "--security-opt", "seccomp=unconfined", "--shm-size=64m", "-e", "MODE=dev"],
  "onCreateCommand": ["sh", "-c", "echo created > /tmp/created"],
  "postStartCommand": {"note": "echo ${containerWorkspaceFolder} > /tmp/started", "two": ["touch", "/tmp/two"]},
  "postAttachCommand": "echo attached",
  "containerUser": "root",
  "hostRequirements": {"cpus": 2, "memory": "4gb"},
  "shutdownAction": "stopContainer",
  "waitFor": "onCreateCommand"
}
"""
_COMPOSE = """\
{
  "name": "Shop",
  "dockerComposeFile": ["../docker-compose.yml", "docker-compose.yml"],
  "service": "app",
  "runServices": ["db"],
  "workspaceFolder": "/workspaces/${localWorkspaceFolderBasename}",
  "forwardPorts": [3000, "db:5432"],
  "containerEnv": {"RAILS_ENV": "development"},
  "mounts": ["source=bundle,target=/bundle,type=volume"],
  "features": {"ghcr.io/devcontainers/features/github-cli:1": {}},
  "initializeCommand": "git submodule update",
  "updateContentCommand": "bundle install",
  "postCreateCommand": "bin/setup",
  "remoteUser": "vscode"
}
"""
_EVERYTHING = """\
{
  "$schema": "https://example.com/devContainer.schema.json",
  "name": "Everything",
  "image": "debian:bookworm",
  "context": "x",
  "service": "a", "runServices": ["a"],
  "forwardPorts": [80, 80, "localhost:81", "other:82", 0, true, "x"],
  "portsAttributes": {"80": {"protocol": "https"}, "81": null},
  "otherPortsAttributes": {"onAutoForward": "silent"},
  "appPort": ["8080:80", 443],
  "containerEnv": {"A": "${localEnv:A}", "B": null, "C-D": "x", "P": "${localWorkspaceFolder}"},
  "remoteEnv": {"E": "${containerEnv:A}${containerEnv:Z:z}", "F": null},
  "containerUser": "one", "remoteUser": "two", "updateRemoteUserUID": false,
  "mounts": ["type=tmpfs,target=/tmp/x,tmpfs-size=1m", "nonsense", {"target": "/y"}, {"type": "npipe", "target": "/z"}, 1, null,
             "source=${localWorkspaceFolder}/data,target=/data,type=bind"],
  "workspaceFolder": "/w",
  "workspaceMount": "",
  "runArgs": ["--init", "-it", "--name", "n", "--label=a=b", "--gpus", "all", "-p", "1:2", "-v", "./a:/a", "--ulimit", "nofile=1:2",
              "--sysctl=net.core.somaxconn=5", "--add-host=h:10.0.0.1", "--dns", "10.0.0.2", "--dns=10.0.0.3", "--device", "/dev/null",
              "--device=/dev/zero", "--mount", "type=volume,source=m,target=/m", "--memory", "1g", "--wat", "x", "loose", "-m"],
  "privileged": true, "init": false, "capAdd": ["NET_ADMIN", "WAT"], "securityOpt": ["no-new-privileges", "apparmor=x"],
  "features": {"./local": {}, "example.com/f:1": {"a": {"b": 1}}},
  "overrideFeatureInstallOrder": ["a"],
  "initializeCommand": "a", "onCreateCommand": "b", "updateContentCommand": ["c", "${localEnv:HOME}"], "postCreateCommand": {"d": "d", "e": ""},
  "postStartCommand": [], "postAttachCommand": {"f": "f"}, "waitFor": "x", "shutdownAction": "none", "overrideCommand": true,
  "customizations": {"vscode": {}, "codespaces": {"a": 1}},
  "hostRequirements": {"cpus": 1, "gpu": "optional"}, "userEnvProbe": "none", "secrets": {"KEY": {"description": "d"}},
  "extensions": ["x"], "settings": {"a": 1}, "devPort": 1, "cacheFrom": "x", "unknown": {"deep": [1, {"a": 2}]}, "empty": {}
}
"""
_COMPOSE_FILE = """\
services:
  app:
    build: .
    volumes: ["./config:/config"]
    environment: {DATABASE_HOST: db}
    depends_on: [db]
  db:
    image: postgres:16
    volumes: ["data:/var/lib/postgresql/data"]
  mail: {image: mailhog/mailhog}
volumes: {data: }
"""
_SECOND_COMPOSE_FILE = """\
services:
  app:
    build: {context: ., dockerfile: .devcontainer/Dockerfile}
    volumes: [".:/workspaces/compose:cached"]
    command: sleep infinity
"""
FILE = ".devcontainer/devcontainer.json"
DEV_CONTAINERS: Mapping[str, Mapping[str, str]] = {
    "image": {FILE: _IMAGE, "requirements.txt": ""},
    "dockerfile": {
        FILE: _DOCKERFILE,
        ".devcontainer/Dockerfile": 'ARG VARIANT=bookworm\nFROM debian:${VARIANT} AS dev\nCMD ["true"]\n',
    },
    "compose": {
        FILE: _COMPOSE,
        "docker-compose.yml": _COMPOSE_FILE,
        ".devcontainer/docker-compose.yml": _SECOND_COMPOSE_FILE,
        ".devcontainer/Dockerfile": "FROM debian:bookworm\n",
        "config/settings.yml": "",
    },
    "everything": {FILE: _EVERYTHING, "data/x": "", "a/x": ""},
}
"""The files of each project, by path."""


def write_dev_container(name: str, folder: Path) -> Path:
    """Write a project; its folder."""
    for path, text in DEV_CONTAINERS[name].items():
        file = folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return folder


def without_comments(text: str) -> str:
    """The text with comments and tabs blanked, so that a reader of YAML sees the same places."""
    result: list[str] = []
    index = 0
    while index < len(text):
        char = text[index]
        end = index + 1
        if char == '"':
            while end < len(text) and text[end] != '"':
                end += 2 if text[end] == "\\" else 1
            result.append(text[index : end + 1])
            end += 1
        elif text.startswith("//", index) or text.startswith("/*", index):
            stop = "\n" if text[index + 1] == "/" else "*/"
            end = text.find(stop, index + 2)
            end = len(text) if end < 0 else end + (len(stop) if stop == "*/" else 0)
            result.append("".join(c if c == "\n" else " " for c in text[index:end]))
        else:
            result.append(" " if char == "\t" else char)
        index = end
    return "".join(result)
