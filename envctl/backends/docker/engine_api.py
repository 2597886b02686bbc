"""The calls of the engine's API that envctl uses: https://docs.docker.com/reference/api/engine/."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, TypeAlias
from urllib.parse import quote

from envctl.backends.docker.engine_connection import Patience
from envctl.backends.docker.engine_errors import NotFoundError
from envctl.backends.docker.engine_http import Response
from envctl.backends.docker.engine_requests import LONGEST, Body, Requests, events

Filters: TypeAlias = Mapping[str, str | Iterable[str]]


class EngineApi(Requests):
    """The API of one engine. Safe to use from threads."""

    def info(self) -> Mapping[str, Any]:
        """The engine's system information (`docker info`)."""
        return self._object("/info")

    # --- containers

    def containers(
        self,
        *,
        all: bool = False,  # noqa: A002 - the API's name
        filters: Filters | None = None,
    ) -> list[Mapping[str, Any]]:
        """The running containers, or all of them, as the engine lists them."""
        params = {"all": "1" if all else None, "filters": _filters(filters)}
        return list(self.json("GET", "/containers/json", params=params))

    def inspect_container(self, container: str) -> Mapping[str, Any]:
        """The details of a container (`docker inspect`)."""
        return self._object(f"/containers/{_word(container)}/json")

    def create_container(
        self, body: Mapping[str, Any], name: str | None = None, platform: str | None = None
    ) -> str:
        """Create a container; return its id."""
        params = {"name": name, "platform": platform}
        return str(self.json("POST", "/containers/create", params=params, data=body)["Id"])

    def start(self, container: str) -> None:
        """Start a container."""
        self.do("POST", f"/containers/{_word(container)}/start")

    def stop(self, container: str, *, timeout: float) -> None:
        """Send a container's stop signal, and SIGKILL after its own timeout. Answers after the process has ended."""
        self.do("POST", f"/containers/{_word(container)}/stop", timeout=timeout)

    def unpause(self, container: str) -> None:
        """Resume a paused container."""
        self.do("POST", f"/containers/{_word(container)}/unpause")

    def wait(self, container: str, *, timeout: float | None = None) -> int:
        """Wait until a container has ended; return its exit code."""
        path = f"/containers/{_word(container)}/wait"
        return int(self.json("POST", path, timeout=timeout)["StatusCode"])

    def wait_until_removed(self, container: str, *, timeout: float) -> None:
        """Wait until a container that is being removed is gone. NotFoundError if it is gone already."""
        path = f"/containers/{_word(container)}/wait"
        self.do("POST", path, params={"condition": "removed"}, timeout=timeout)

    def top(self, container: str, columns: str) -> Mapping[str, Any]:
        """The processes of a container, as `ps` on the engine's host lists them with these columns."""
        params = {"ps_args": f"-eo {columns}"}
        listing: Mapping[str, Any] = self.json(
            "GET", f"/containers/{_word(container)}/top", params=params
        )
        return listing

    def remove_container(self, container: str, *, force: bool = False, v: bool = False) -> None:
        """Remove a container; with `v` also its anonymous volumes."""
        params = {"force": "1" if force else None, "v": "1" if v else None}
        self.do("DELETE", f"/containers/{_word(container)}", params=params)

    def logs(self, container: str, params: Mapping[str, str], *, follow: bool = False) -> Response:
        """The output of a container, in frames; with `follow`, as it is written."""
        return self.request(
            "GET",
            f"/containers/{_word(container)}/logs",
            params={**params, "follow": "1" if follow else "0"},
            after_head=Patience() if follow else Patience.of(LONGEST),
        )

    def path_stat(self, container: str, path: str) -> str | None:
        """The engine's description of a path in a container, encoded; None if the path does not exist."""
        target = f"/containers/{_word(container)}/archive"
        try:
            answer = self.request("HEAD", target, params={"path": path})
        except NotFoundError:
            return None
        return answer.headers.get("x-docker-container-path-stat", "")

    def get_archive(self, container: str, path: str) -> Response:
        """A file or folder of a container as a tar."""
        return self.stream(f"/containers/{_word(container)}/archive", {"path": path})

    def put_archive(self, container: str, path: str, data: Body) -> None:
        """Unpack a tar into a folder of a container."""
        target = f"/containers/{_word(container)}/archive"
        with self.request("PUT", target, params={"path": path}, body=data) as answer:
            answer.content()

    def export(self, container: str) -> Response:
        """All files of a container as a tar."""
        return self.stream(f"/containers/{_word(container)}/export")

    def attach(self, container: str, *, stdin: bool, detach_keys: str | None) -> Response:
        """Attach to the streams of a container, which may not have started yet. The caller takes over the connection."""
        return self.request(
            "POST",
            f"/containers/{_word(container)}/attach",
            params={
                "stream": "1",
                "stdout": "1",
                "stderr": "1",
                "stdin": "1" if stdin else None,
                "detachKeys": detach_keys,
            },
            headers={"Connection": "Upgrade", "Upgrade": "tcp"},
            after_head=Patience(),
        )

    def resize(self, container: str, *, height: int, width: int) -> None:
        """Tell a container's process the size of its terminal."""
        params = {"h": height, "w": width}
        self.do("POST", f"/containers/{_word(container)}/resize", params=params)

    # --- commands in containers

    def exec_create(
        self,
        container: str,
        argv: Iterable[str],
        *,
        user: str = "",
        privileged: bool = False,
        environment: Mapping[str, str] | None = None,
        workdir: str | None = None,
        stdin: bool = False,
        tty: bool = False,
        detach_keys: str | None = None,
    ) -> str:
        """Create a command without starting it; return its id."""
        body = {
            "Cmd": list(argv),
            "User": user,
            "Privileged": privileged,
            "Tty": tty,
            "AttachStdin": stdin,
            "AttachStdout": True,
            "AttachStderr": True,
            "Env": [f"{name}={value}" for name, value in (environment or {}).items()],
            **({} if workdir is None else {"WorkingDir": workdir}),
            **({} if detach_keys is None else {"DetachKeys": detach_keys}),
        }
        return str(self.json("POST", f"/containers/{_word(container)}/exec", data=body)["Id"])

    def exec_start(self, identity: str, *, tty: bool = False) -> Response:
        """Start a command. Its streams use the connection, which the caller takes over."""
        return self.request(
            "POST",
            f"/exec/{_word(identity)}/start",
            headers={
                "Content-Type": "application/json",
                "Connection": "Upgrade",
                "Upgrade": "tcp",
            },
            body=json.dumps({"Tty": tty, "Detach": False}).encode(),
            after_head=Patience(),
        )

    def exec_inspect(self, identity: str) -> Mapping[str, Any]:
        """The state of a command."""
        return self._object(f"/exec/{_word(identity)}/json")

    def exec_resize(self, identity: str, *, height: int, width: int) -> None:
        """Tell a command the size of its terminal."""
        params = {"h": height, "w": width}
        self.do("POST", f"/exec/{_word(identity)}/resize", params=params)

    # --- images

    def images(self, *, filters: Filters | None = None) -> list[Mapping[str, Any]]:
        """The images, as the engine lists them."""
        params = {"filters": _filters(filters)}
        listing: list[Mapping[str, Any]] = self.json("GET", "/images/json", params=params)
        return listing

    def inspect_image(self, image: str) -> Mapping[str, Any]:
        """The details of an image."""
        return self._object(f"/images/{_word(image)}/json")

    def tag(self, image: str, repository: str, tag: str | None = None) -> None:
        """Add a name to an image."""
        params = {"repo": repository, "tag": tag}
        self.do("POST", f"/images/{_word(image)}/tag", params=params)

    def remove_image(self, image: str, *, noprune: bool = False) -> None:
        """Remove an image, or only this name if it has others."""
        params = {"noprune": "1" if noprune else None}
        self.do("DELETE", f"/images/{_word(image)}", params=params)

    def load_image(self, data: Body, *, quiet: bool = False) -> Iterator[dict[str, Any]]:
        """Load images from an archive; the engine's progress messages."""
        with self.request(
            "POST",
            "/images/load",
            params={"quiet": "1" if quiet else None},
            headers={"Content-Type": "application/x-tar"},
            body=data,
            after_head=Patience.of(LONGEST),
        ) as answer:
            yield from events(answer)

    def get_image(self, image: str) -> Response:
        """An image as an archive."""
        return self.stream(f"/images/{_word(image)}/get")

    # --- volumes and networks

    def volumes(self, *, filters: Filters | None = None) -> list[Mapping[str, Any]]:
        """The volumes, as the engine lists them."""
        listing = self.json("GET", "/volumes", params={"filters": _filters(filters)})
        return list(listing["Volumes"] or ())

    def create_volume(self, name: str, *, labels: Mapping[str, str]) -> None:
        """Create a volume, unless it exists."""
        data = {"Name": name, "Driver": "local", "Labels": dict(labels)}
        self.do("POST", "/volumes/create", data=data)

    def inspect_volume(self, name: str) -> Mapping[str, Any]:
        """The details of a volume."""
        return self._object(f"/volumes/{_word(name)}")

    def remove_volume(self, name: str) -> None:
        """Remove a volume."""
        self.do("DELETE", f"/volumes/{_word(name)}")

    def volume_sizes(self, *, timeout: float) -> list[Mapping[str, Any]]:
        """The volumes with their sizes. Slow: the engine reads all files to measure them."""
        return list(self.json("GET", "/system/df", timeout=timeout).get("Volumes") or ())

    def networks(self, *, filters: Filters | None = None) -> list[Mapping[str, Any]]:
        """The networks, as the engine lists them."""
        return list(self.json("GET", "/networks", params={"filters": _filters(filters)}))

    def create_network(self, name: str, *, labels: Mapping[str, str]) -> None:
        """Create a bridge network. ApiError (conflict) if the name is taken."""
        data = {"Name": name, "Driver": "bridge", "CheckDuplicate": True, "Labels": dict(labels)}
        self.do("POST", "/networks/create", data=data)

    def inspect_network(self, network: str) -> Mapping[str, Any]:
        """The details of a network."""
        return self._object(f"/networks/{_word(network)}")

    def disconnect(self, container: str, network: str, *, force: bool = False) -> None:
        """Disconnect a container from a network."""
        data = {"Container": container, "Force": force}
        self.do("POST", f"/networks/{_word(network)}/disconnect", data=data)

    def remove_network(self, network: str) -> None:
        """Remove a network."""
        self.do("DELETE", f"/networks/{_word(network)}")


def _filters(filters: Filters | None) -> str | None:
    if filters is None:
        return None
    return json.dumps({k: [v] if isinstance(v, str) else list(v) for k, v in filters.items()})


def _word(text: str) -> str:
    return quote(text, safe="/:@")
