"""Rules for ports."""

from __future__ import annotations

import re
from typing import Final

from envctl.conversion.conversion_report import KeyOutcome
from envctl.definition.tree import ListNode, MapNode, Node, NullNode, Position, ScalarNode, describe
from envctl.imports.devcontainer.container_import import ContainerImport, ContainerRule

_PORT: Final = re.compile(r"[0-9]{1,5}\Z")
_LOCAL: Final = ("", "localhost", "127.0.0.1")


def _forward_ports(container: ContainerImport, key: str) -> None:
    node = container.source[key]
    if not isinstance(node, ListNode):
        container.drop(key, f"a list was expected, got {describe(node)}")
        container.project.report.claim(node)
        return
    for path, text in container.texts(key):
        host, _, port = text.rpartition(":")
        service = _service(container, host)
        if _PORT.match(port) is None:
            container.drop(path, f"{describe(text)} is not a port", at=text.position)
        elif service is None:
            reason = f"only ports of services can be published, and {host} is none"
            container.drop(path, reason, at=text.position)
        else:
            _publish(container, path, port, service, text.position)


def _service(container: ContainerImport, host: str) -> str | None:
    if host in _LOCAL:
        return container.spec_name
    return container.project.names.get(host) if container.is_compose else None


def _publish(container: ContainerImport, path: str, port: str, service: str, at: Position) -> None:
    """Publish a port under the same number, or a free one if another service has that."""
    is_taken = any(
        _host_port(written) == port
        for name, spec in container.services.items()
        for written in spec.get("ports", ())
        if name != service or str(written) != f"{port}:{port}"
    )
    text = f"127.0.0.1::{port}" if is_taken else f"127.0.0.1:{port}:{port}"
    ports = ListNode(at, [ScalarNode(text, at)])
    container.apply_compose("ports", ports, at, {"ports[0]": path}, service=service)


def _host_port(written: object) -> str:
    if isinstance(written, dict):
        return str(written.get("host", ""))
    return str(written).rpartition(":")[0]


def _app_port(container: ContainerImport, key: str) -> None:
    for path, text in container.texts(key):
        at = text.position
        if _PORT.match(text):
            _publish(container, path, str(text), container.spec_name, at)
        else:
            node: Node = ListNode(at, [text])
            container.apply_compose("ports", node, at, {"ports[0]": path})
        if path == key:
            container.project.report.claim(container.source[key])
    if container.source[key] == []:
        container.keep(key, note="none")


def _attributes(container: ContainerImport, key: str) -> None:
    """Only what an editor does with a port; a port that must be the same is, always."""
    for name, node, at in container.entries(key, container.source[key]):
        if not isinstance(node, MapNode):
            _attribute(container, f"{key}.{name}", name, node, at)
            continue
        for word, value in node.items():
            _attribute(container, f"{key}.{name}.{word}", word, value, node.positions[word])


def _attribute(container: ContainerImport, path: str, word: str, value: Node, at: Position) -> None:
    if word == "requireLocalPort" and not isinstance(value, NullNode):
        container.keep(
            path, note="a port that is taken is an error, unless --free-ports is used", at=at
        )
    else:
        container.drop(path, "only editors show it; `envctl port` lists the addresses", at=at)
    container.project.report.claim(value)


PORT_RULES: Final = (
    ContainerRule(
        "forwardPorts",
        "`ports` on 127.0.0.1, those of other services of a Compose file at these; the application has to listen on"
        " 0.0.0.0",
        KeyOutcome.SAME,
        _forward_ports,
    ),
    ContainerRule(
        "appPort",
        "`ports`, on 127.0.0.1 unless `--keep-exposure` is used",
        KeyOutcome.TRANSLATED,
        _app_port,
    ),
    ContainerRule(
        "portsAttributes",
        "only editors show them; `requireLocalPort` is kept",
        KeyOutcome.DROPPED,
        _attributes,
    ),
    ContainerRule(
        "otherPortsAttributes",
        "only editors show them; `requireLocalPort` is kept",
        KeyOutcome.DROPPED,
        _attributes,
    ),
)
