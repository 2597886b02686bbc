"""Rules for ports, names and networks."""

from __future__ import annotations

import re
from typing import Any, Final

from envctl.conversion.conversion_report import KeyOutcome
from envctl.definition.tree import ListNode, MapNode, Node, NullNode, Position, ScalarNode, describe
from envctl.imports.compose.filled_text import spec_text
from envctl.imports.compose.service_import import Rule, ServiceImport, flag
from envctl.imports.written_text import SpecText

_LOOPBACK: Final = ("127.0.0.1", "localhost", "::1", "[::1]")
_EVERYWHERE: Final = ("", "0.0.0.0", "::", "[::]")  # noqa: S104 — what a source says, not what is bound
_MAX_RANGE: Final = 1000
_SHORT: Final = re.compile(
    r"(?:(?P<ip>\[[0-9a-fA-F:.]*\]|[0-9]+(?:\.[0-9]+){3}|localhost):)?(?:(?P<host>[0-9-]*):)?(?P<container>[0-9-]+)(?:/(?P<protocol>\w+))?\Z"
)


def _ports(service: ServiceImport, key: str) -> None:
    node = service.source[key]
    for index, item in enumerate(node if isinstance(node, ListNode) else [node]):
        path = f"{key}[{index}]"
        if isinstance(item, ScalarNode):
            _short_port(service, path, item)
        elif isinstance(item, MapNode):
            _long_port(service, path, item)
        elif not isinstance(item, NullNode):
            service.drop_item(path, f"a port was expected, got {describe(item)}", item)


def _short_port(service: ServiceImport, path: str, item: ScalarNode) -> None:
    match = _SHORT.match(item)
    if match is None:
        service.drop_item(path, f"{describe(item)} is not a port", item)
        return
    parts = {"host": match["host"] or "", "container": match["container"]}
    texts = _written(item, parts, has_protocol=bool(match["protocol"]))
    _write_ports(
        service,
        path,
        parts,
        texts,
        protocol=match["protocol"] or "tcp",
        address=match["ip"] or "",
        at=item.position,
    )


def _written(item: ScalarNode, parts: dict[str, str], *, has_protocol: bool) -> dict[str, SpecText]:
    """The ports as the spec writes them, with the variables in them."""
    spec = spec_text(item)
    spec = SpecText(spec.rpartition("/")[0]) if has_protocol else spec
    words = spec.split(":")
    if not parts["host"] or len(words) < 2 or words[-1].count("}") != words[-1].count("{"):
        return {}
    return {"host": SpecText(words[-2]), "container": SpecText(words[-1])}


def _long_port(service: ServiceImport, path: str, item: MapNode) -> None:
    def word(key: str) -> str:
        node = item.get(key)
        return str(node) if isinstance(node, ScalarNode) else ""

    at = item.positions.get("target", item.position)
    parts = {"host": word("published"), "container": word("target")}
    if not re.fullmatch("[0-9]+", parts["container"]) or not re.fullmatch("[0-9-]*", parts["host"]):
        service.drop_item(path, "a port needs a target, and numbers", item)
        return
    texts = {
        name: spec_text(node)
        for name, key in (("host", "published"), ("container", "target"))
        if isinstance(node := item.get(key), ScalarNode)
    }
    protocol = word("protocol") or "tcp"
    _write_ports(service, path, parts, texts, protocol=protocol, address=word("host_ip"), at=at)
    for key in item:
        if key in ("published", "host_ip", "protocol"):
            service.translate(
                f"{path}.{key}", "a part of the port", "ports", at=item.positions[key]
            )
        elif key == "mode":
            service.keep(f"{path}.{key}", note="there is one engine", at=item.positions[key])
        elif key != "target":
            service.drop(
                f"{path}.{key}", "it says nothing that an engine does", at=item.positions[key]
            )


def _write_ports(
    service: ServiceImport,
    path: str,
    parts: dict[str, str],
    texts: dict[str, SpecText],
    *,
    protocol: str,
    address: str,
    at: Position,
) -> None:
    if protocol not in ("tcp", "udp"):
        service.drop(path, f"ports are tcp or udp, not {protocol}", at=at)
        return
    containers, hosts = _range(parts["container"]), _range(parts["host"])
    if parts["host"] and hosts and containers and len(containers) == 1 and len(hosts) > 1:
        service.drop(
            path,
            "a range of the host for one port; remedy: write one, or none for a free one",
            at=at,
        )
        return
    if not containers or (parts["host"] and len(hosts) != len(containers)):
        service.drop(path, "it is not between 1 and 65535, or the ranges differ in length", at=at)
        return
    is_public = address not in _LOOPBACK and service.project.choices.keep_exposure
    ports = service.spec.setdefault("ports", [])
    first = len(ports)
    for index, container in enumerate(containers):
        port: dict[str, Any] = {"container": container}
        if parts["host"]:
            port["host"] = hosts[index]
        if len(containers) == 1 and texts:
            port |= {name: text for name, text in texts.items() if "${" in text and name in port}
        if is_public:
            port["public"] = True
        if protocol == "udp":
            port["protocol"] = "udp"
        if (written := _short_form(port)) not in ports:
            ports.append(written)
    _report(service, path, address, at, first, is_public=is_public)


def _short_form(port: dict[str, Any]) -> Any:
    """The short form of a port, where there is one."""
    if port.get("public"):
        return port
    words = [str(port[name]) for name in ("host", "container") if name in port]
    suffix = "/udp" if port.get("protocol") == "udp" else ""
    return SpecText(":".join(words) + suffix)


def _report(
    service: ServiceImport, path: str, address: str, at: Position, first: int, *, is_public: bool
) -> None:
    if address in _LOOPBACK:
        service.keep(path, "ports", first, at=at)
    elif is_public:
        note = "" if address in _EVERYWHERE else f" on all addresses, not only {address}"
        service.translate(path, f"public: true{note}", "ports", first, at=at)
    else:
        note = "the port on 127.0.0.1 only; --keep-exposure leaves it open to other machines"
        service.translate(path, note, "ports", first, at=at)


def _range(text: str) -> list[int]:
    """The ports of `3000-3005`; [] for what are none."""
    low, dash, high = text.partition("-")
    if not low.isdigit() or (dash and not high.isdigit()) or len(text) > 11:
        return []
    last = int(high) if dash else int(low)
    if not 1 <= int(low) <= last <= 65_535 or last - int(low) >= _MAX_RANGE:
        return []
    return list(range(int(low), last + 1))


def _expose(service: ServiceImport, key: str) -> None:
    service.translate(key, "nothing: services of an environment reach each other on every port")


def _networks(service: ServiceImport, key: str) -> None:
    """Each environment has one network. What a service says of its place in another is lost."""
    network_names = {
        name
        for other in service.project.model.get("services", {}).values()  # type: ignore[union-attr]
        if isinstance(other, MapNode)
        for name in _names(other)
    }
    for name, node, at in service.entries(key, service.source[key]):
        path = f"{key}.{name}"
        if len(network_names) == 1:
            service.translate(path, "the network of the environment", at=at)
        else:
            reason = (
                "each environment has one network, in which all services reach each other;"
                " remedy: let what must not be reached listen on 127.0.0.1 only"
            )
            service.drop(path, reason, at=at)
        for word, _, position in service.entries(path, node):
            what = "other names than a service's" if word == "aliases" else f"setting {word}"
            reason = f"the network of an environment has no {what}; remedy: use the service's name"
            service.drop(f"{path}.{word}", reason, at=position)


def _names(service: MapNode) -> set[str]:
    networks = service.get("networks")
    if isinstance(networks, MapNode) and networks:
        return set(networks)
    return set() if "network_mode" in service else {"default"}


def _network_mode(service: ServiceImport, key: str) -> None:
    mode = str(service.source[key])
    if mode == "none":
        service.option(key, "network_mode", "none")
    else:
        reason = (
            "services are in the network of the environment; remedy: reach the others by name,"
            " and publish with `ports` what the host must reach"
        )
        service.drop(key, reason)


def _hostname(service: ServiceImport, key: str) -> None:
    service.text_option(key, "hostname")


def _option_list(service: ServiceImport, key: str) -> None:
    texts: list[str] = []
    for index, item in enumerate(service.items(key, service.source[key])):
        texts.append(spec_text(item))
        service.option(f"{key}[{index}]", key, [*texts], at=item.position)


def _domain_name(service: ServiceImport, key: str) -> None:
    service.text_option(key, "domainname")


def _extra_hosts(service: ServiceImport, key: str) -> None:
    for name, node, at in service.entries(key, service.source[key]):
        if isinstance(node, ListNode) and len(node) > 1:
            for item in node[1:]:
                reason = "a name has one address; remedy: another name for the other one"
                service.drop_item(f"{key}.{name}", reason, item)
        address = node[0] if isinstance(node, ListNode) and node else node
        where = address.position if isinstance(node, ListNode) else at
        if not isinstance(address, ScalarNode):
            service.drop(f"{key}.{name}", "it has no address", at=at)
            continue
        text = address[1:-1] if address[:1] == "[" and address[-1:] == "]" else str(address)
        service.option(f"{key}.{name}", "extra_hosts", {name: text}, at=where)


def _links(service: ServiceImport, key: str) -> None:
    names = service.project.names
    for index, item in enumerate(service.items(key, service.source[key])):
        name, _, alias = item.partition(":")
        path = f"{key}[{index}]"
        if name not in names:
            service.drop_item(path, "that service does not exist", item)
            continue
        needed = service.spec.setdefault("depends_on", {})
        needed.setdefault(names[name], "started")
        service.translate(path, "depends_on", "depends_on", names[name], at=item.position)
        if alias and alias != names[name]:
            reason = (
                f"a service is reached by its own name, not as {alias}; remedy: use {names[name]}"
            )
            service.drop_item(path, reason, item)


_CONDITIONS: Final = {
    "service_started": "started",
    "service_healthy": "healthy",
    "service_completed_successfully": "completed",
}


def _depends_on(service: ServiceImport, key: str) -> None:
    names = service.project.names
    for name, node, at in service.entries(key, service.source[key]):
        path = f"{key}.{name}"
        table = node if isinstance(node, MapNode) else MapNode(at)
        word = str(table.get("condition", "service_started"))
        if name not in names:
            reason = "that service does not exist"
            service.drop(path, reason, at=at)
            continue
        condition = _CONDITIONS.get(word)
        if condition is None:
            service.drop(f"{path}.condition", f"{word} is not a condition", at=at)
            continue
        if condition == "healthy" and not _is_probed(service, name):
            reason = "only the image may say how it is healthy, so it is `started`; remedy: a healthcheck in the spec"
            service.drop(f"{path}.condition", reason, at=at)
            condition = "started"
        if condition == "started" and name in service.project.tasks:
            condition = "completed"
        service.spec.setdefault("depends_on", {})[names[name]] = condition
        service.keep(path, "depends_on", names[name], note=f"as {condition}", at=at)
        for other in table:
            if other == "required" and flag(table[other]) is False:
                reason = (
                    "what a service depends on always starts with it; remedy: a profile for both"
                )
                service.drop(f"{path}.{other}", reason, at=table.positions[other])
            elif other == "restart" and flag(table[other]):
                reason = "a service is not restarted with another; remedy: let it reconnect"
                service.drop(f"{path}.{other}", reason, at=table.positions[other])
            elif other not in ("condition", "required", "restart"):
                service.drop(
                    f"{path}.{other}", "Compose has no such key", at=table.positions[other]
                )


def is_none(test: Node | None) -> bool:
    """Whether the test of a healthcheck is [NONE]."""
    return isinstance(test, ListNode) and [*map(str, test)] == ["NONE"]


def _is_probed(service: ServiceImport, name: str) -> bool:
    other = service.project.model["services"][name]  # type: ignore[index, call-overload]
    probe = other.get("healthcheck") if isinstance(other, MapNode) else None
    test = probe.get("test") if isinstance(probe, MapNode) else None
    is_off = isinstance(probe, MapNode) and flag(probe.get("disable"))
    return bool(test) and not is_off and not is_none(test) and name not in service.project.tasks


NETWORK_RULES: Final = (
    Rule(
        "ports",
        "`ports`, on 127.0.0.1; with `--keep-exposure` and without an address of this machine's own, `public: true`",
        KeyOutcome.TRANSLATED,
        _ports,
    ),
    Rule(
        "expose",
        "nothing: services of an environment reach each other on every port",
        KeyOutcome.TRANSLATED,
        _expose,
    ),
    Rule(
        "networks",
        "the network of the environment if all services share one; otherwise dropped, with `aliases` and addresses",
        KeyOutcome.TRANSLATED,
        _networks,
    ),
    Rule(
        "network_mode",
        "`options.docker.network_mode` for `none`; others are dropped",
        KeyOutcome.OPTION,
        _network_mode,
    ),
    Rule("hostname", "`options.docker.hostname`", KeyOutcome.OPTION, _hostname),
    Rule("dns", "`options.docker.dns`", KeyOutcome.OPTION, _option_list),
    Rule("dns_opt", "`options.docker.dns_opt`", KeyOutcome.OPTION, _option_list),
    Rule("dns_search", "`options.docker.dns_search`", KeyOutcome.OPTION, _option_list),
    Rule("domainname", "`options.docker.domainname`", KeyOutcome.OPTION, _domain_name),
    Rule(
        "extra_hosts",
        "`options.docker.extra_hosts`; a name's second address is dropped",
        KeyOutcome.OPTION,
        _extra_hosts,
    ),
    Rule(
        "links",
        "`depends_on`; another name for the service is dropped",
        KeyOutcome.TRANSLATED,
        _links,
    ),
    Rule(
        "depends_on",
        "`depends_on` with the same condition; a service that others wait to complete is `kind: task`."
        " `required: false` and `restart` are dropped",
        KeyOutcome.SAME,
        _depends_on,
    ),
)
