"""Dockerfiles as teams write them, each with the files that it copies."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

SERVER: Final = """\
import http.server
import pathlib


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(pathlib.Path("/srv/app/greeting").read_bytes())


http.server.HTTPServer(("", 8000), Handler).serve_forever()
"""
MULTI_STAGE: Final = """\
ARG SUITE=bookworm
FROM debian:${SUITE} AS build
ARG GREETING=hello
WORKDIR /src
RUN printf '%s from %s\\n' "$GREETING" "$(pwd)" > greeting

FROM debian:${SUITE}
RUN apt-get update \\
    # for the server
    && apt-get install -y --no-install-recommends python3 \\
    && rm -rf /var/lib/apt/lists/*
RUN groupadd --gid 1500 app && useradd --uid 1500 --gid app --create-home app
WORKDIR /srv/app
COPY --from=build --chown=app:app /src/greeting ./
COPY --chown=app:app server.py ./
ENV PYTHONUNBUFFERED=1
USER app
EXPOSE 8000
CMD ["python3", "server.py"]
"""
PYTHON: Final = """\
# syntax=docker/dockerfile:1
FROM debian:12-slim
ENV PATH="/opt/venv/bin:$PATH" PIP_NO_CACHE_DIR=1
RUN apt-get update && apt-get install -qy --no-install-recommends python3 python3-venv && apt-get clean
WORKDIR /app
COPY requirements.txt .
RUN python3 -m venv /opt/venv && pip install -r requirements.txt
COPY . .
RUN adduser --system --group --no-create-home --home /app web
USER web
EXPOSE 8000/tcp
HEALTHCHECK --interval=1m30s --retries=5 CMD python3 -c "print(1)" || exit 1
ENTRYPOINT ["gunicorn"]
CMD ["-b", "0.0.0.0:8000", "app:app"]
"""
NODE: Final = """\
FROM ubuntu:noble AS base
ENV NODE_ENV=production
RUN set -eux; apt-get update; \\
    apt-get install -y --no-install-recommends nodejs npm; \\
    rm -rf /var/lib/apt/lists/*
WORKDIR /srv

FROM base AS deps
COPY package*.json ./
RUN --mount=type=cache,target=/root/.npm npm ci --omit=dev

FROM base
COPY --from=deps /srv/node_modules ./node_modules
COPY --chmod=755 start.sh /usr/local/bin/
COPY <<EOF /etc/app.conf
env = "$NODE_ENV"
EOF
VOLUME /srv/uploads
STOPSIGNAL SIGINT
EXPOSE 3000
CMD start.sh
"""
REPOSITORY: Final = """\
FROM debian:trixie-slim
SHELL ["/bin/bash", "-o", "pipefail", "-c"]
RUN apt-get update && apt-get install -y curl
RUN curl -fsSL https://example.com/key | tee /usr/share/keyrings/example.asc
RUN --mount=type=secret,id=token curl -H @/run/secrets/token https://example.com/file -o /file
RUN <<SCRIPT
set -e
for name in a b; do
  echo "$name" >> /names
done
SCRIPT
ONBUILD RUN true
LABEL org.example=1
CMD ["cat", "/names"]
"""
UPSTREAM: Final = """\
FROM node:22-slim AS build
ARG TARGETARCH
WORKDIR /app
COPY . .
RUN npm run build

FROM nginx:1.27
COPY --from=build /app/dist /usr/share/nginx/html
ADD https://example.com/file.tar.gz /
EXPOSE 80
"""
DOCKERFILES: Final[Mapping[str, Mapping[str, str]]] = {
    "multi-stage": {"Dockerfile": MULTI_STAGE, "server.py": SERVER},
    "python": {"Dockerfile": PYTHON, "requirements.txt": "gunicorn\nflask==3.1.0\n", "app.py": ""},
    "node": {
        "Dockerfile": NODE,
        "package.json": "{}",
        "package-lock.json": "{}",
        "start.sh": "#!/bin/sh\nexec sleep 1000\n",
    },
    "repository": {"Dockerfile": REPOSITORY},
    "upstream": {"Dockerfile": UPSTREAM},
}
NATIVE: Final = ("multi-stage", "python", "node", "repository")
"""Those that can be translated."""


def write_dockerfile(name: str, folder: Path) -> Path:
    """Write the files of one."""
    folder.mkdir(parents=True, exist_ok=True)
    for path, text in DOCKERFILES[name].items():
        (folder / path).write_text(text)
    return folder
