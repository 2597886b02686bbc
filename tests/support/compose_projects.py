"""Projects with Compose files, small and nasty, for the tests of `envctl import`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

DOCKERFILE = "FROM debian:bookworm AS builder\nFROM builder AS development\n"

PROJECTS: Mapping[str, Mapping[str, str]] = {
    "sources": {
        "compose.yaml": """\
name: sources
services:
  ready: {image: "redis:7", platform: linux/amd64, pull_policy: missing}
  short: {build: app}
  long:
    image: example/long:1
    build:
      context: .
      dockerfile: app/other.Dockerfile
      target: development
      args: [VERSION=3, "EMPTY="]
      cache_from: [example/cache]
      labels: {a: b}
    pull_policy: build
  inline:
    build:
      dockerfile_inline: |
        FROM debian:bookworm
        RUN echo "$${HOME}"
  entry:
    image: nginx:1
    entrypoint: ["/bin/sh", "-c", "exec nginx -g 'daemon off;' $$0"]
    command: extra words "and quotes"
    environment: {discovery.type: "single $$node", PLAIN: "yes"}
""",
        "app/Dockerfile": DOCKERFILE,
        "app/other.Dockerfile": DOCKERFILE,
    },
    "processes": {
        "compose.yaml": """\
services:
  web:
    image: web:1
    command: [serve, --port, "80", "$$HOME", '']
    user: "1000"
    working_dir: /srv
    init: true
    restart: on-failure:5
    stop_signal: SIGINT
    stop_grace_period: 1m30s
    environment:
      A: 1.10
      B: "true"
      C: 'it''s "quoted" \\ and $$5'
      D: "first\\nsecond"
      FROM_SHELL:
      DB_PASSWORD: hunter2
    env_file:
      - app.env
      - {path: missing.env, required: false, format: raw}
    healthcheck:
      test: curl -f http://localhost/ || exit 1
      interval: 1m
      timeout: 10s
      retries: 5
      start_period: 40s
      start_interval: 2s
    post_start:
      - command: [touch, /tmp/up]
        user: root
    pre_stop: [{command: "touch '/tmp/go down'"}]
    develop: {watch: [{action: restart, path: ./conf}, {action: sync, path: ./src, target: /srv}]}
    tty: true
    stdin_open: true
    labels: [a=b, c]
    logging: {driver: json-file, options: {max-size: 10m}}
    container_name: the-web
  off: {image: "web:1", user: "5:6", healthcheck: {disable: true}, init: false, restart: "no"}
  none: {image: "web:1", healthcheck: {test: [NONE]}, restart: unless-stopped}
  bare: {image: "web:1", healthcheck: {interval: 5s}, pre_start: [{command: "true"}]}
""",
        "app.env": "FROM_FILE=1\n",
        "conf/a": "",
        "src/a": "",
    },
    "storage": {
        "compose.yaml": """\
services:
  web:
    image: web:1
    volumes:
      - data:/var/lib/data
      - logs:/var/log:ro
      - ./src:/srv/src:ro,z
      - src:/srv/again
      - /var/cache/web
      - {type: bind, source: ./conf, target: /etc/web, read_only: true, bind: {create_host_path: true, propagation: rshared}}
      - {type: volume, source: data2, target: /data2, volume: {nocopy: true}, consistency: cached}
      - {type: tmpfs, target: /run/web, tmpfs: {size: 64m, mode: 0o1777}}
      - ~/home:/home
    tmpfs: [/tmp, "/scratch:size=1m"]
    shm_size: 64mb
    read_only: true
    devices: [/dev/fuse, "/dev/null:/dev/zero:rwm"]
    configs:
      - plain
      - {source: written, target: /etc/written}
      - {source: plain, target: /etc/plain, mode: 0o440}
    secrets:
      - db-password
      - {source: token, target: /etc/token, uid: "5", mode: 0o400}
      - from_elsewhere
configs:
  plain: {file: ./conf/plain}
  written: {content: "a=b"}
secrets:
  db-password: {file: ./secrets/password}
  token: {environment: APP_TOKEN}
  from_elsewhere: {external: true, name: other}
volumes:
  data:
  logs: {driver: local, driver_opts: {type: nfs}}
  src:
  data2: {external: true}
  unused: {}
""",
        "conf/plain": "x",
        "src/a": "",
        "secrets/password": "x",
    },
    "networks": {
        "compose.yaml": """\
services:
  web:
    image: web:1
    ports:
      - "8080:80"
      - 127.0.0.1:8081:81
      - "[::1]:8082:82"
      - 0.0.0.0:8083:83
      - 9000-9002:9000-9002/udp
      - "84"
      - {target: 85, published: "8085", protocol: tcp, host_ip: 127.0.0.1, app_protocol: http}
    expose: [3000, "4000"]
    hostname: web.example
    dns: 192.168.1.1
    extra_hosts: ["gateway:host-gateway", "six=[::1]", "six2:::1"]
    links: ["db:database", "cache"]
    networks:
      front: {aliases: [www], ipv4_address: 172.20.0.2}
      back:
    depends_on:
      db: {condition: service_healthy, restart: true}
      cache: {condition: service_healthy}
      migrate: {condition: service_completed_successfully, required: false}
    dns_search: example.com
    mac_address: 02:42:ac:11:65:43
  db: {image: "db:1", healthcheck: {test: [CMD, ready]}, networks: [back]}
  cache: {image: "cache:1", network_mode: none}
  migrate: {image: "web:1", network_mode: host, restart: always, healthcheck: {test: [CMD, x]}}
networks:
  front: {driver: bridge}
  back: {internal: true, ipam: {config: [{subnet: 172.20.0.0/24}]}}
""",
    },
    "limits": {
        "compose.yaml": """\
services:
  web:
    image: web:1
    deploy:
      mode: replicated
      replicas: 2
      resources:
        limits: {cpus: "0.50", memory: 50M, pids: 20}
        reservations: {cpus: "0.25"}
      restart_policy: {condition: on-failure, delay: 5s}
      placement: {constraints: [a]}
    cap_add: [NET_ADMIN]
    cap_drop: [MKNOD]
    security_opt: ["no-new-privileges:true", "seccomp:unconfined"]
    ulimits: {nproc: 65535, nofile: {soft: 20000, hard: 40000}}
    sysctls: [net.core.somaxconn=1024]
  debug: {image: "web:1", profiles: [Front End, debug]}
  old:
    image: web:1
    scale: 3
    cpus: 1.5
    mem_limit: 1gb
    pids_limit: 100
    privileged: true
    cap_drop: [ALL]
    cap_add: [CHOWN]
    cpu_shares: 73
    gpus: all
    group_add: [mail]
""",
    },
    "variables": {
        "compose.yaml": """\
name: ${PROJECT:-variables}
services:
  web:
    image: "web:${TAG}"
    environment:
      - SET=${TAG}
      - DEFAULT=${NO_SUCH:-some ${TAG} value}
      - EMPTY=${EMPTY:-filled}${EMPTY-unfilled}
      - OTHER=${TAG:+is set}${NO_SUCH+is set}
      - PLAIN=$TAG.$$TAG.$${TAG}
      - UNSET=${UNSET_ONE}
      - REQUIRED=${TAG:?must be set}
    command: run ${ARGS}
    ports: ["${PORT:-8080}:80"]
  my_service: {image: "web:${TAG}", depends_on: [web]}
""",
        ".env": "TAG=1.2\nARGS=a b\nEMPTY=\n",
    },
    "merged": {
        "compose.yaml": """\
x-defaults: &defaults
  restart: always
  environment: &env {LEVEL: info, SHARED: "1"}
x-unused: {a: [1, 2]}
include:
  - inc/compose.yaml
services:
  web:
    <<: *defaults
    extends: {file: base/common.yaml, service: common}
    image: web:1
    environment:
      <<: *env
      LEVEL: debug
    ports: ["8080:80"]
    volumes: ["data:/data"]
    command: [a, b]
    x-note: hello
  other:
    extends: web
    ports: !override ["8089:80"]
volumes: {data: }
""",
        "base/common.yaml": """\
services:
  common:
    image: replaced:1
    env_file: common.env
    volumes: ["./files:/files", "old:/data"]
  stranger: {image: "none:1"}
""",
        "base/common.env": "COMMON=1\n",
        "base/files/a": "",
        "inc/compose.yaml": """\
services:
  included: {build: ., secrets: [inc_secret]}
secrets:
  inc_secret: {file: secret}
""",
        "inc/Dockerfile": DOCKERFILE,
        "inc/secret": "x",
        "compose.override.yaml": """\
services:
  web:
    environment: {LEVEL: trace, SHARED: !reset null}
    ports: ["9090:90"]
    command: [c]
    volumes: ["./src:/data"]
""",
        "src/a": "",
        "compose.prod.yaml": """\
services:
  web:
    ports: !override ["80"]
    environment: {LEVEL: warning}
    deploy: {replicas: 2}
  extra: {image: "extra:1"}
""",
    },
    "empty": {
        "docker-compose.yml": """\
version: "3.8"
services:
  web:
    image: web:1
    command:
    entrypoint: null
    environment: []
    ports: []
    volumes: []
    deploy: {}
    depends_on: []
    labels: {}
    profiles: []
volumes: {}
networks: {}
secrets: {}
configs: {}
""",
    },
    "refused": {
        "compose.yaml": """\
unknown_top: 1
models: {a: {}}
services:
  web:
    image: web:1
    command: [serve, --port, 80, {a: b}]
    unknown_key: {a: [1, {b: c}]}
    environment: {LIST: [1], GOOD: ok, BOOL: true}
    ports: ["70000:1", 8000-8005:80, many, {published: "1"}, {target: 1, mode: host}, 80/sctp]
    volumes: [{type: npipe, source: a, target: /b}, {type: bind, target: /a}, relative, "a:b:c:d", {a: b}]
    devices: [/etc/passwd, "/dev/random:/dev/random:r"]
    restart: sometimes
    healthcheck: {test: [CMD], unknown: 1}
    deploy: {resources: {limits: {cpus: many, devices: []}}, replicas: 0}
    cap_add: [SOMETHING]
    user: "a b"
    working_dir: relative
    platform: wasi/wasm
    stop_grace_period: soon
    ulimits: {nofile: many}
    extra_hosts: [alone]
    shm_size: large
    hostname: [a]
    depends_on: {absent: {condition: service_started}, other: {condition: unknown}}
    secrets: [absent, {target: a}]
    configs: [absent]
    post_start: [{user: root}, text]
    develop: {watch: [text]}
    build_me: {}
    env_file: [{required: false}]
    networks: {front: {aliases: [a]}}
  other:
    image: web:1
    command:
    volumes:
    healthcheck:
    build:
secrets: {bare: }
configs: {bare: , text: a}
volumes: {a: text}
networks:
""",
    },
}
"""The files of each project, by their paths. Compose itself refuses the last one."""


def write_project(name: str, folder: Path) -> Path:
    """Write the files of a project into a folder, which is returned."""
    for path, text in PROJECTS[name].items():
        file = folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return folder
