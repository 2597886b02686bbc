"""Three projects with Compose files, as teams have them: images that start as root, secrets in files, a proxy in front.

Their images are Dockerfiles on Debian, so that no registry is needed; ports of the host are left open.
"""

from __future__ import annotations

from collections.abc import Mapping

REDIS = """\
FROM debian:bookworm
RUN apt-get update && apt-get install -y --no-install-recommends redis-server && rm -rf /var/lib/apt/lists/*
RUN mkdir -p /data && chown redis:redis /data
USER redis
WORKDIR /data
CMD ["redis-server", "--protected-mode", "no"]
"""
FLASK = """\
FROM debian:bookworm AS builder
RUN apt-get update && apt-get install -y --no-install-recommends PACKAGES && rm -rf /var/lib/apt/lists/*
WORKDIR /code
ENV FLASK_APP=app.py FLASK_RUN_HOST=0.0.0.0 FLASK_RUN_PORT=8000
COPY . .
CMD ["flask", "run"]
"""
NGINX = """\
FROM debian:bookworm
RUN apt-get update && apt-get install -y --no-install-recommends nginx-light && rm -rf /var/lib/apt/lists/*
RUN rm -f /etc/nginx/sites-enabled/default && ln -sf /dev/stdout /var/log/nginx/access.log \\
 && ln -sf /dev/stderr /var/log/nginx/error.log
COPY . /etc/nginx/conf.d/
CMD ["nginx", "-g", "daemon off;"]
"""
PROXY_CONF = """\
server {
  listen 80;
  location / { proxy_pass http://backend:8000; }
}
"""
COUNTER = """\
from flask import Flask
from redis import Redis

app = Flask(__name__)
redis = Redis(host="redis", port=6379)


@app.get("/")
def hello():
    redis.incr("hits")
    return f"This page has been viewed {redis.get('hits').decode()} time(s)."
"""
MARIADB = """\
FROM debian:bookworm
RUN apt-get update && apt-get install -y --no-install-recommends mariadb-server && rm -rf /var/lib/apt/lists/* /var/lib/mysql/*
COPY entrypoint.sh /usr/local/bin/
VOLUME /var/lib/mysql
ENTRYPOINT ["sh", "/usr/local/bin/entrypoint.sh"]
CMD ["mariadbd"]
"""
MARIADB_START = """\
set -eu
mkdir -p /run/mysqld
chown mysql:mysql /run/mysqld /var/lib/mysql
if [ ! -d /var/lib/mysql/mysql ]; then
    password=$(cat "$MYSQL_ROOT_PASSWORD_FILE")
    setpriv --reuid=mysql --regid=mysql --clear-groups mariadb-install-db --datadir=/var/lib/mysql >/dev/null
    {
        echo "FLUSH PRIVILEGES;"
        echo "CREATE DATABASE $MYSQL_DATABASE;"
        echo "CREATE USER root@'%' IDENTIFIED BY '$password';"
        echo "GRANT ALL ON *.* TO root@'%';"
    } | setpriv --reuid=mysql --regid=mysql --clear-groups mariadbd --bootstrap --datadir=/var/lib/mysql
fi
exec setpriv --reuid=mysql --regid=mysql --clear-groups "$@" --bind-address=0.0.0.0
"""
BLOG = """\
import pymysql
from flask import Flask

app = Flask(__name__)


@app.get("/")
def titles():
    with open("/run/secrets/db-password") as file:
        password = file.read().strip()
    with pymysql.connect(host="db", user="root", password=password, database="example") as database:
        cursor = database.cursor()
        cursor.execute("CREATE TABLE IF NOT EXISTS blog (title VARCHAR(255))")
        cursor.execute("INSERT INTO blog VALUES ('Blog post')")
        database.commit()
        cursor.execute("SELECT title FROM blog")
        return ", ".join(row[0] for row in cursor.fetchall())
"""
POSTGRESQL = """\
FROM debian:bookworm
RUN apt-get update && apt-get install -y --no-install-recommends postgresql && rm -rf /var/lib/apt/lists/*
ENV PATH=/usr/lib/postgresql/15/bin:$PATH PGHOST=/tmp
COPY entrypoint.sh /usr/local/bin/
RUN mkdir -p /var/lib/postgresql/data && chown postgres:postgres /var/lib/postgresql/data
ENTRYPOINT ["sh", "/usr/local/bin/entrypoint.sh"]
"""
POSTGRESQL_START = """\
set -eu
data=/var/lib/postgresql/data
if [ ! -s "$data/PG_VERSION" ]; then
    initdb --pgdata="$data" --pwfile="$POSTGRES_PASSWORD_FILE" --auth-local=trust --auth-host=scram-sha-256 >/dev/null
    echo "host all all all scram-sha-256" >>"$data/pg_hba.conf"
    pg_ctl --pgdata="$data" --wait --options="-c listen_addresses= -k /tmp" start >/dev/null
    createdb "$POSTGRES_DB"
    pg_ctl --pgdata="$data" --wait --mode=fast stop >/dev/null
fi
exec postgres -D "$data" -c listen_addresses='*' -k /tmp
"""
NAMES = """\
import psycopg2
from flask import Flask

app = Flask(__name__)


@app.get("/")
def names():
    with open("/run/secrets/db-password") as file:
        password = file.read().strip()
    database = psycopg2.connect(host="db", user="postgres", password=password, dbname="example")
    with database, database.cursor() as cursor:
        cursor.execute("CREATE TABLE IF NOT EXISTS blog (id SERIAL, title TEXT)")
        cursor.execute("INSERT INTO blog (title) VALUES ('Blog post #1') RETURNING title")
        return cursor.fetchone()[0]
"""

IMPORTED: Mapping[str, Mapping[str, str]] = {
    "flask-redis": {
        "compose.yaml": """\
services:
  redis:
    build: redis
    ports:
      - '6379'
  web:
    build:
      context: .
      target: builder
    # flask requires SIGINT to stop gracefully
    stop_signal: SIGINT
    ports:
      - '8000'
    volumes:
      - .:/code
    depends_on:
      - redis
""",
        "Dockerfile": FLASK.replace("PACKAGES", "python3-flask python3-redis"),
        ".dockerignore": "__pycache__\n",
        "app.py": COUNTER,
        "redis/Dockerfile": REDIS,
    },
    "nginx-flask-mysql": {
        "compose.yaml": """\
services:
  db:
    build: db
    command: 'mariadbd --skip-name-resolve'
    restart: always
    healthcheck:
      test: ['CMD-SHELL', 'mysqladmin ping -h 127.0.0.1 -u root --password="$$(cat /run/secrets/db-password)" --silent']
      interval: 3s
      retries: 5
      start_period: 30s
    secrets:
      - db-password
    volumes:
      - db-data:/var/lib/mysql
    networks:
      - backnet
    environment:
      - MYSQL_DATABASE=example
      - MYSQL_ROOT_PASSWORD_FILE=/run/secrets/db-password
    expose:
      - 3306
  backend:
    build:
      context: backend
      target: builder
    restart: always
    secrets:
      - db-password
    ports:
      - 8000
    networks:
      - backnet
      - frontnet
    depends_on:
      db:
        condition: service_healthy
  proxy:
    build: proxy
    restart: always
    ports:
      - 80
    depends_on:
      - backend
    networks:
      - frontnet
volumes:
  db-data:
secrets:
  db-password:
    file: db/password.txt
networks:
  backnet:
  frontnet:
""",
        "db/Dockerfile": MARIADB,
        "db/entrypoint.sh": MARIADB_START,
        "db/password.txt": "db-q5n8hhsd\n",
        "backend/Dockerfile": FLASK.replace("PACKAGES", "python3-flask python3-pymysql"),
        "backend/app.py": BLOG,
        "proxy/Dockerfile": NGINX,
        "proxy/proxy.conf": PROXY_CONF,
    },
    "nginx-flask-postgresql": {
        "compose.yaml": """\
services:
  backend:
    build:
      context: backend
      target: builder
    secrets:
      - db-password
    depends_on:
      db:
        condition: service_healthy
  db:
    build: db
    restart: always
    user: postgres
    secrets:
      - db-password
    volumes:
      - db-data:/var/lib/postgresql/data
    environment:
      - POSTGRES_DB=example
      - POSTGRES_PASSWORD_FILE=/run/secrets/db-password
    expose:
      - 5432
    healthcheck:
      test: [ "CMD", "pg_isready" ]
      interval: 2s
      timeout: 5s
      retries: 5
      start_period: 1m
  proxy:
    build: proxy
    volumes:
      - type: bind
        source: ./proxy/default.conf
        target: /etc/nginx/conf.d/default.conf
        read_only: true
    ports:
      - 80
    depends_on:
      - backend
volumes:
  db-data:
secrets:
  db-password:
    file: db/password.txt
""",
        "db/Dockerfile": POSTGRESQL,
        "db/entrypoint.sh": POSTGRESQL_START,
        "db/password.txt": "db-q5n8hhsd\n",
        "backend/Dockerfile": FLASK.replace("PACKAGES", "python3-flask python3-psycopg2"),
        "backend/app.py": NAMES,
        "proxy/Dockerfile": NGINX,
        "proxy/default.conf": PROXY_CONF,
    },
}
"""The files of each project, by path."""

ANSWERS: Mapping[str, tuple[str, str, str]] = {
    "flask-redis": ("web", "viewed 1 time", "viewed 2 time"),
    "nginx-flask-mysql": ("proxy", "Blog post", "Blog post, Blog post"),
    "nginx-flask-postgresql": ("proxy", "Blog post #1", "Blog post #1"),
}
"""The service that answers, and a part of its first and second answer."""
