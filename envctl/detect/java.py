"""Java, built by Maven or Gradle."""

from __future__ import annotations

import re
from typing import Final

from envctl.detect.application_findings import HOME, Findings, copy_all, served
from envctl.detect.folder_view import FolderView

PORT: Final = 8080
_ARTIFACT = re.compile(r"<artifactId>\s*([\w.-]+)\s*</artifactId>")
_COORDINATE = re.compile(r"""["'][\w.-]+:([\w.-]+)(?::[\w.-]+)?["']""")
_PORT = re.compile(r"^(?:server\.)?\s*port\s*[=:]\s*(\d{2,5})\s*$", re.MULTILINE)
_BUILDS: Final = {
    "pom.xml": ("maven", "mvn --batch-mode --quiet -DskipTests package", "target"),
    "build.gradle": ("gradle", "gradle --no-daemon assemble", "build/libs"),
    "build.gradle.kts": ("gradle", "gradle --no-daemon assemble", "build/libs"),
}


def detect_java(folder: FolderView) -> Findings | None:
    """Find an application in Java."""
    file = folder.first(*_BUILDS)
    if file is None:
        return None
    tool, build, output = _BUILDS[file]
    if tool == "gradle" and folder.has("gradlew"):
        build = f"sh ./gradlew{build.removeprefix('gradle')}"
    # The largest jar contains all dependencies.
    pick = f'set -- $(ls -S {output}/*.jar)\ncp "$1" /usr/local/lib/web.jar'
    port = _port(folder)
    return Findings(
        "an application in Java",
        (file,),
        {
            "packages": ["default-jdk-headless", tool],
            "build": [copy_all(f"/{output.partition('/')[0]}/"), {"run": {"command": f"{build}\n{pick}", "workdir": HOME}}],
            "workdir": HOME,
            "env": {"SERVER_PORT": str(port)},
            "command": ["java", "-jar", "/usr/local/lib/web.jar"],
            **served(port),
        },
        guesses=(
            f"{output} has a jar that java -jar can run",
            f"it listens on port {port}",
            "a change needs a new build: `envctl up dev`",
        ),
        dependencies=dependencies(folder),
    )  # fmt: skip


def dependencies(folder: FolderView) -> frozenset[str]:
    """Return the artifacts that the build file names."""
    gradle = folder.text("build.gradle") + folder.text("build.gradle.kts")
    return frozenset((*_ARTIFACT.findall(folder.text("pom.xml")), *_COORDINATE.findall(gradle)))


def _port(folder: FolderView) -> int:
    resources = "src/main/resources/application"
    match = _PORT.search(folder.text(f"{resources}.properties").replace("server.port", "port"))
    return int(match[1]) if match and 0 < int(match[1]) < 65536 else PORT
