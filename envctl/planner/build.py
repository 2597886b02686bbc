"""The source of a unit: a ready image, the project's Dockerfile, or a base with steps."""

from __future__ import annotations

import zlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from envctl import files
from envctl.errors import Place, Problem, SpecError
from envctl.host.source_tree import NOTHING
from envctl.plan.digest import build_digest, digest
from envctl.plan.image_names import base_image
from envctl.plan.model import (
    Base,
    Build,
    BuildSecret,
    CopyFiles,
    CopyFromStage,
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
from envctl.plan.platforms import image_name
from envctl.planner.mount_shadow import MountShadow
from envctl.planner.package_layers import Chain, install_order
from envctl.planner.service_context import ServiceContext

if TYPE_CHECKING:
    from envctl.definition.keys.build_source import (
        BaseData,
        CopyFromStep,
        CopyStep,
        DockerfileData,
        NpmStep,
        PipStep,
        RunStep,
        StageData,
        StepData,
        TemplateStep,
    )
    from envctl.definition.stage_names import BuildPath

NO_ARGS: Final[Mapping[str, str]] = MappingProxyType({})
_INLINE: Final = "inline Dockerfile"
"""The name of an inline Dockerfile, used instead of a path."""
_SYSTEM_USERS = ("root",)
_FIRST_UID = 20_000
_UIDS = 30_000


def source(context: ServiceContext) -> Source:
    """Return the source of the service's units. SpecError if files that it copies are missing or unsafe."""
    service = context.service
    if service["image"] is not None:
        return ReadyImage(service["image"], context.where("image"), service["platform"] or "")
    if service["dockerfile"] is not None:
        return _dockerfile(context, service["dockerfile"])
    platform_at = context.where("platform") if service["platform"] else None
    base = _base(service["base"], service["platform"] or "")
    base = replace(base, where=context.where("base"), platform_at=platform_at)
    installs_at = context.where("packages")
    packages = (InstallPackages(names, installs_at) for names in package_layers(context))
    steps = (*packages, *_build_steps(context))
    identity = build_digest(base, steps, context.template_digest)
    args = tuple(sorted(service["build_args"].items()))
    return Build(
        base,
        steps,
        identity,
        context.where("build"),
        template_digest=context.template_digest,
        args=args,
    )


def _stage(name: str, context: ServiceContext) -> Build:
    """Return the build of a stage of the service, which is planned once. SpecError if it cannot be."""
    key = (context.name, name)
    if key not in context.stages:
        try:
            context.stages[key] = _planned_stage(name, context)
        except SpecError as error:
            context.stages[key] = error
    planned = context.stages[key]
    if isinstance(planned, SpecError):
        raise planned
    return planned


def _planned_stage(name: str, context: ServiceContext) -> Build:
    stage = context.service["stages"][name]
    path = ("stages", name)
    platform_at = context.where("platform") if context.service["platform"] else None
    base = replace(
        _base(stage["base"] or context.service["base"], context.service["platform"] or ""),
        where=context.where(*path, "base") if stage["base"] else context.where("base"),
        platform_at=platform_at,
    )
    names = tuple(sorted(stage["packages"]))
    installs = [InstallPackages(names, context.where(*path, "packages"))] if names else []
    steps = (*installs, *_stage_steps(stage, (*path, "build"), context))
    return Build(
        base,
        steps,
        build_digest(base, steps, context.template_digest),
        context.where(*path),
        template_digest=context.template_digest,
        args=tuple(sorted({**context.service["build_args"], **stage["build_args"]}.items())),
    )


def _stage_steps(stage: StageData, path: BuildPath, context: ServiceContext) -> Iterator[Step]:
    """Yield the steps of a stage; each user is created just before the first step that names it."""
    steps = _own_steps(stage["build"], path, context, args=stage["build_args"])
    named = {name for step in steps for name in _named_users(step, None)}
    users = {**_other_users(context, named), **_own_user(context)}
    for step in steps:
        for name in _named_users(step, None):
            if name in users:
                yield users.pop(name)
        yield step


def _dockerfile(context: ServiceContext, dockerfile: DockerfileData) -> DockerfileBuild:
    where = context.where("dockerfile")
    text, path = dockerfile["inline"], dockerfile["file"] or _INLINE
    build_context = files.hash_context(
        context.root, dockerfile["context"], dockerfile=path, where=where
    )
    file = None if text else files.hash_file(context.root, path, where=where)
    build = DockerfileBuild(
        path,
        dockerfile["context"],
        dockerfile["target"],
        dockerfile["args"],
        build_context.content,
        tree=build_context.tree,
        own_file=file.tree if file else NOTHING,
        where=where,
        dockerfile_digest=file.content if file else digest(text),
        platform=context.service["platform"] or "",
        platform_at=context.where("platform") if context.service["platform"] else None,
        text=text,
    )
    return replace(build, digest=digest([build, file.content if file else ""]))


def _base(base: BaseData | None, platform: str) -> Base:
    assert base is not None  # the spec says what every service is made from
    image = base["image"] or base_image(base["name"], base["snapshot"])
    name = image_name(image, platform)
    return Base(base["name"], name, base["box"], base["snapshot"], platform=platform)


def package_layers(context: ServiceContext) -> Chain:
    """Return the packages of a service, layer by layer; the lowest first."""
    base, packages = context.service["base"], frozenset(context.service["packages"])
    if base is None or not packages:
        return ()
    image = _base(base, context.service["platform"] or "").image
    return install_order(packages, context.package_sets[image])


def _uid(name: str) -> int:
    """Return a user's number, the same in every image."""
    return _FIRST_UID + zlib.crc32(name.encode()) % _UIDS


def _build_steps(context: ServiceContext) -> Iterator[Step]:
    """Yield the spec's steps; each user is created just before the first step that may refer to it."""
    steps = _own_steps(context.service["build"], ("build",), context)
    named = {name for step in steps for name in _named_users(step, context.user)}
    users = {**_other_users(context, named), **_own_user(context)}
    for step in steps:
        for name in _named_users(step, context.user):
            if name in users:
                yield users.pop(name)
        yield step
    for name in _own_user(context):
        if name in users:
            yield users[name]
    folders = {
        *([context.service["workdir"]] if context.service["workdir"] else []),
        *(volume["target"] for volume in context.service["volumes"].values()),
    } - {"/"}
    if folders and context.user is not None:
        yield MakeDirectories(tuple(sorted(folders)), context.user, context.where())


def _own_user(context: ServiceContext) -> Mapping[str, CreateUser]:
    """Return the step that creates the user that the service runs as, if it may not exist."""
    user, fixed = context.user, context.service["user"]
    if user is None or user in _SYSTEM_USERS or user.isdigit():
        return {}
    uid = fixed["uid"] if fixed is not None else None
    number, group = uid if isinstance(uid, int) else _uid(user), None
    if context.owner is not None and user in context.host_users:
        number, group = context.owner
    return {user: CreateUser(user, number, f"/home/{user}", context.where("user"), group)}


def _other_users(context: ServiceContext, named: Collection[str]) -> Mapping[str, CreateUser]:
    """Return the users of other services among these: an inherited step may give files to one."""
    users: dict[str, CreateUser] = {}
    if {*named} - {context.user, *_SYSTEM_USERS, ""}:
        for name in context.resolved.data["services"]:
            users |= _own_user(replace(context, name=name))
    where = context.where("user")
    return {name: replace(user, where=where) for name, user in users.items() if name in named}


def _own_steps(
    items: Sequence[StepData],
    path: BuildPath,
    context: ServiceContext,
    *,
    args: Mapping[str, str] = NO_ARGS,
) -> list[Step]:
    """Return the steps that stand at a path of the service; `args` are build arguments of its stage."""
    problems: list[Problem] = []
    steps: list[Step] = []
    args = {**context.service["build_args"], **args}
    for index, item in enumerate(items):
        where = context.where(*path, index)
        try:
            if item["step"] == "copy":
                # What is mounted in the service is not mounted in its stages.
                shadow = (
                    MountShadow.of(context, item, items[index + 1 :])
                    if path == ("build",)
                    else MountShadow(item["source"], item["target"], False, ())
                )
                steps.append(_copy(item, context, shadow, where))
            else:
                steps.append(_step(item, context, where, args))
        except SpecError as error:
            problems += error.problems
    if problems:
        # Several steps may copy from the same stage that cannot be planned.
        raise SpecError(tuple(dict.fromkeys(problems)))
    return steps


def _copy(
    item: CopyStep, context: ServiceContext, shadow: MountShadow, where: Place | None
) -> CopyFiles:
    """Return a copy without the files that a mount covers, unless a later step of the build may need them."""
    key = (item["source"], tuple(item["exclude"]))
    hashed = None if shadow.mounts else context.copies.get(key)
    if hashed is None:
        hashed = files.hash_copy(
            context.root,
            item["source"],
            exclude=item["exclude"],
            where=where,
            covered=shadow.hides if shadow.mounts else None,
        )
    if not shadow.mounts:
        context.copies[key] = hashed
    tree = replace(hashed.tree, notes=(*hashed.tree.notes, *shadow.notes()))
    return CopyFiles(
        item["source"],
        shadow.target_of_nothing(item["target"]) if shadow.hides("") else item["target"],
        hashed.content,
        item["owner"],
        item["mode"],
        tree=tree,
        where=where,
    )


def _named_users(step: Step, user: str | None) -> Iterator[str]:
    """Yield the users that a step refers to. A command may always refer to the service's own."""
    if isinstance(step, RunCommand):
        yield step.user
        if user is not None:
            yield user
    elif isinstance(step, CopyFiles | CopyFromStage | WriteFile):
        yield from step.owner.split(":")


def _step(
    item: CopyFromStep | RunStep | PipStep | NpmStep | TemplateStep,
    context: ServiceContext,
    where: Place | None,
    args: Mapping[str, str],
) -> Step:
    match item["step"]:
        case "run":
            user, workdir = item["user"] or "root", item["workdir"] or "/"
            declared = context.resolved.data["secrets"]
            secrets = (
                BuildSecret(secret, declared[secret]["env"] or "") for secret in item["secrets"]
            )
            env = {**args, **item["env"]}
            return RunCommand(tuple(item["command"]), user, workdir, env, where, tuple(secrets))
        case "copy_from":
            build = _stage(item["stage"], context)
            return CopyFromStage(
                item["source"],
                item["target"],
                build.digest,
                stage=item["stage"],
                build=build,
                owner=item["owner"],
                where=where,
            )
        case "pip":
            return PipInstall(item["venv"], item["requirements"], tuple(item["packages"]), where)
        case "npm":
            return NpmInstall(item["directory"], tuple(item["packages"]), item["production"], where)
        case "template":
            return _template(item, context, where)


def _template(item: TemplateStep, context: ServiceContext, where: Place | None) -> WriteFile:
    source = files.read_text(context.root, item["source"], where=where)
    values = {**context.resolved.data["vars"], **item["values"]}
    text = context.render_text(source, values, name=item["source"])
    return WriteFile(item["target"], text, item["owner"], item["mode"] or "0644", where)
