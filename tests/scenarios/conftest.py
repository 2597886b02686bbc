"""The root example as a user would have it, a checkout of its own on free ports; and a mirror of a test's own."""

from __future__ import annotations

import io
import shutil
from ipaddress import ip_network

import pytest

from tests.support.http import Guestbook, free_port
from tests.support.machines import remove_base_box
from tests.support.project import TREE, unique
from tests.support.repository import Repository


@pytest.fixture
def make_guestbook(engine, make_project):
    """Make checkouts of the root example; the name is the test's own, so nothing of others is met."""

    def make(folder="guestbook", name=""):
        project = make_project(folder, name=name or unique("guestbook"))
        for part in ("envctl.yaml", "environments", "examples"):
            source = TREE / part
            if source.is_dir():
                shutil.copytree(
                    source, project.root / part, ignore=shutil.ignore_patterns("__pycache__")
                )
            else:
                shutil.copy(source, project.root / part)
        spec = project.root / "envctl.yaml"
        text = spec.read_text()
        assert "project: guestbook" in text
        spec.write_text(text.replace("project: guestbook", f"project: {project.name}"))
        return Guestbook(project, free_port())

    return make


@pytest.fixture
def guestbook(make_guestbook):
    return make_guestbook()


@pytest.fixture
def repository(engine, tmp_path):
    (network,) = engine.api.inspect_network("bridge")["IPAM"]["Config"]
    # An engine that has just made the network does not tell its own address in it.
    address = network.get("Gateway") or str(ip_network(network["Subnet"])[1])
    made = Repository(tmp_path / "repository", address)
    yield made
    made.close()


@pytest.fixture
def base(engine, repository):
    """An image like the base, with this repository among its sources, in place of or beside the others."""
    names = []

    def make(*, alone: bool) -> str:
        name = f"{unique('base')}:1"
        names.append(name)
        target = "sources.list" if alone else "sources.list.d/probe.list"
        recipe = f"FROM debian:bookworm\nRUN echo '{repository.source}' >/etc/apt/{target}\n"
        if alone:
            recipe += "RUN rm -f /etc/apt/sources.list.d/*\n"
        engine.images.build(
            fileobj=io.BytesIO(recipe.encode()), tag=name, network_mode="none", rm=True
        )
        return name

    yield make
    for name in names:
        remove_base_box(name)
        engine.api.remove_image(name, force=True)
