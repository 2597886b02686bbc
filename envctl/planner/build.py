"""What a unit is made from: an image as it is, the project's Dockerfile, or a base and steps."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import replace

from envctl import files
from envctl.errors import Place, Problem, SpecError
from envctl.plan.digest import base_image, build_digest, digest
from envctl.plan.model import (
    Base,
    Build,
    CopyFiles,
    CreateUser,
    DockerfileBuild,
    InstallPackages,
    MakeDirectories,
    NpmInstall,
    PipInstall,
    ReadyImage,
    RunCommand,
    Source,
    Step,
    WriteFile,
)
from envctl.planner.given import Given
from envctl.planner.layers import install_order
from envctl.spec.canonical import (
    CanonicalBase,
    CanonicalDockerfile,
    CanonicalStep,
    Resolved,
    TemplateStep,
)

_SYSTEM_USERS = ("root",)
_FIRST_UID = 20_000
_UIDS = 30_000


def source(given: Given) -> Source:
    """What the service's units are made from. SpecError if files it copies are missing or unsafe."""
    service = given.service
    if service["image"] is not None:
        return ReadyImage(service["image"], given.where("image"))
    if service["dockerfile"] is not None:
        return _dockerfile(given, service["dockerfile"])
    base = _base(service["base"])
    steps = (*_package_steps(given, base), *_build_steps(given))
    return Build(base, steps, build_digest(base, steps), given.where("build"))


def _dockerfile(given: Given, own: CanonicalDockerfile) -> DockerfileBuild:
    where = given.where("dockerfile")
    context = files.tree(given.root, own["context"], exclude=(), where=where)
    recipe = files.tree(given.root, own["file"], exclude=(), where=where)
    build = DockerfileBuild(
        own["file"],
        own["context"],
        own["target"],
        own["args"],
        context.content,
        files=context.paths,
        where=where,
    )
    return replace(build, digest=digest([build, recipe.content]))


def _base(base: CanonicalBase | None) -> Base:
    assert base is not None  # the spec says what every service is made from
    image = base["image"] or base_image(base["name"], base["snapshot"])
    return Base(base["name"], image, base["box"], base["snapshot"])


def _package_steps(given: Given, base: Base) -> Iterator[InstallPackages]:
    wanted = frozenset(given.service["packages"])
    known = {packages for image, packages in given.package_sets if image == base.image}
    for names in install_order(wanted, known | {wanted}):
        yield InstallPackages(names, given.where("packages"))


def _uid(name: str) -> int:
    """A user's number, the same wherever the user is made."""
    return _FIRST_UID + zlib.crc32(name.encode()) % _UIDS


def _build_steps(given: Given) -> Iterator[Step]:
    """The spec's steps, with the user made just before the first step that may refer to it."""
    user = given.user
    made = user is None or user in _SYSTEM_USERS or user.isdigit()
    for step in _own_steps(given):
        if not made and user is not None and _may_name_user(step, user):
            yield _create_user(given, user)
            made = True
        yield step
    if not made and user is not None:
        yield _create_user(given, user)
    folders = {
        *([given.service["workdir"]] if given.service["workdir"] else []),
        *(volume["target"] for volume in given.service["volumes"].values()),
    } - {"/"}
    if folders and user is not None:
        yield MakeDirectories(tuple(sorted(folders)), user, given.where())


def _own_steps(given: Given) -> list[Step]:
    problems: list[Problem] = []
    steps: list[Step] = []
    for index, item in enumerate(given.service["build"]):
        try:
            steps.append(_step(item, given.resolved, given.where("build", index)))
        except SpecError as error:
            problems += error.problems
    if problems:
        raise SpecError(tuple(problems))
    return steps


def _may_name_user(step: Step, user: str) -> bool:
    return isinstance(step, RunCommand) or user in getattr(step, "owner", "").split(":")


def _create_user(given: Given, user: str) -> CreateUser:
    fixed = given.service["user"]
    uid = fixed["uid"] if fixed is not None else None
    number = _uid(user) if uid is None else uid
    return CreateUser(user, number, f"/home/{user}", given.where("user"))


def _step(item: CanonicalStep, resolved: Resolved, where: Place | None) -> Step:
    match item["step"]:
        case "copy":
            tree = files.tree(resolved.root, item["source"], exclude=item["exclude"], where=where)
            return CopyFiles(
                item["source"],
                item["target"],
                tree.content,
                item["owner"],
                item["mode"],
                files=tree.paths,
                where=where,
            )
        case "run":
            user, workdir = item["user"] or "root", item["workdir"] or "/"
            return RunCommand(tuple(item["command"]), user, workdir, item["env"], where)
        case "pip":
            return PipInstall(item["venv"], item["requirements"], tuple(item["packages"]), where)
        case "npm":
            return NpmInstall(item["directory"], tuple(item["packages"]), item["production"], where)
        case "template":
            return _template(item, resolved, where)


def _template(item: TemplateStep, resolved: Resolved, where: Place | None) -> WriteFile:
    from envctl.render import render_text

    source = files.read_text(resolved.root, item["source"], where=where)
    values = {**resolved.data["vars"], **item["values"]}
    text = render_text(source, values, name=item["source"])
    return WriteFile(item["target"], text, item["owner"], item["mode"] or "0644", where)
