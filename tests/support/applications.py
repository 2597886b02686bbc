"""Small applications as `envctl init` meets them: their files by path, without a spec."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from tests.support.project import TREE

_EXPRESS = """\
const express = require("express");
const app = express();
app.get("/healthz", (request, response) => response.send("ok"));
app.get("/", (request, response) => response.send("hello from Express\\n"));
app.listen(process.env.PORT || 3000);
"""
_EXPRESS_MARIADB = """\
const express = require("express");
const mysql = require("mysql2/promise");

const { DB_HOST: host, DB_USER: user, DB_PASSWORD: password, DB_NAME: database, PORT } = process.env;
const pool = mysql.createPool({ host, user, password, database });
const app = express();
app.get("/", async (request, response) => {
  await pool.query("CREATE TABLE IF NOT EXISTS visits (id INT AUTO_INCREMENT PRIMARY KEY)");
  const [added] = await pool.query("INSERT INTO visits () VALUES ()");
  response.send(`visits: ${added.insertId}\\n`);
});
app.listen(PORT);
"""
_PHP_MARIADB = """\
<?php
$source = sprintf('mysql:host=%s;dbname=%s', getenv('DB_HOST'), getenv('DB_NAME'));
$database = new PDO($source, getenv('DB_USER'), getenv('DB_PASSWORD'));
$database->exec('CREATE TABLE IF NOT EXISTS visits (id INT AUTO_INCREMENT PRIMARY KEY)');
$database->exec('INSERT INTO visits () VALUES ()');
echo 'visits: ', $database->lastInsertId(), "\\n";
"""
_GO = """\
package main

import (
	"fmt"
	"log"
	"net/http"
)

func main() {
	http.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) { fmt.Fprintln(w, "hello from Go") })
	log.Fatal(http.ListenAndServe(":8080", nil))
}
"""
_WORKER = 'import time\nwhile True:\n    print("working", flush=True)\n    time.sleep(5)\n'
_SERVER = """\
import os
from http.server import BaseHTTPRequestHandler, HTTPServer


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"hello from Python\\n")


HTTPServer(("", int(os.environ.get("PORT", "8000"))), Handler).serve_forever()
"""

EXAMPLES: Final = ("flask-redis", "fastapi-postgresql", "django-celery")
"""Applications that are in `examples/`, there with the spec that `init` writes."""


def _example(name: str) -> Mapping[str, str]:
    """The files of an example without those that envctl or a reader needs."""
    folder = TREE / "examples" / name
    files = (path for path in folder.rglob("*") if path.suffix in {".py", ".txt"})
    return {path.relative_to(folder).as_posix(): path.read_text() for path in files}


APPLICATIONS: Final[Mapping[str, Mapping[str, str]]] = {
    **{name: _example(name) for name in EXAMPLES},
    "uv": {
        "pyproject.toml": '[project]\nname = "x"\nversion = "1"\nrequires-python = ">=3.12"\n'
        'dependencies = ["flask>=3", "pymysql"]\n',
        "uv.lock": "version = 1\n",
        "src/x/__init__.py": "from flask import Flask\n\ndef create_app():\n    return Flask(__name__)\n",
    },
    "poetry": {
        "pyproject.toml": '[tool.poetry.dependencies]\npython = "^3.11"\nfastapi = "*"\nasyncpg = "*"\nsqlalchemy = "*"\n',
        "poetry.lock": "",
        "x/main.py": 'from fastapi import FastAPI\napi = FastAPI(title="x")\n',
    },
    "pyproject": {
        "pyproject.toml": '[project]\nname = "x"\ndependencies = ["flask >= 3", "tomli; python_version < \'3\'"]\n',
        "app.py": "from flask import Flask\napp: Flask = Flask(__name__)\n",
    },
    "python": {"requirements.txt": "", "server.py": _SERVER},
    "express": {
        "package.json": '{"name": "x", "dependencies": {"express": "^4.21.0"}, "scripts": {"start": "node server.js"}}',
        "server.js": _EXPRESS,
    },
    "node-mysql": {
        "package.json": '{"main": "lib/$${x}.js", "dependencies": {"mysql2": "*", "mongoose": "*"}, "scripts": {"build": "true"}}',
        "lib/$${x}.js": "process.env.DB_HOST; server.listen(4000, '127.0.0.1')",
        "package-lock.json": "{}",
    },
    "express-mariadb": {
        "package.json": '{"dependencies": {"express": "^4.21.0", "mysql2": "^3.11.0"}, "scripts": {"start": "node server.js"}}',
        "server.js": _EXPRESS_MARIADB,
    },
    "vite": {
        "package.json": '{"devDependencies": {"vite": "^5"}, "scripts": {"build": "vite build"}}',
        "index.html": "<p>hello",
    },
    "go": {"go.mod": "module example.org/hello\n\ngo 1.19\n", "main.go": _GO},
    "go-files": {
        "go.mod": "module example.org/hello\n\ngo 1.19\n",
        "main.go": _GO,
        "templates/index.html": "<p>hello\n",
    },
    "go-cmd": {
        "go.mod": "module x\n\ngo 1.22\n\nrequire (\n\tgithub.com/jackc/pgx/v5 v5.5.0\n)\n",
        "go.sum": "",
        "cmd/serve/main.go": "package main\n",
    },
    "rails": {
        "Gemfile": 'gem "rails", "~> 7"\ngem "pg"\ngem "redis"\n',
        "Gemfile.lock": "",
        "config.ru": "run Rails.application\n",
    },
    "sinatra": {"Gemfile": "gem 'sinatra'\n", "app.rb": "require 'sinatra'\n"},
    "php": {"index.php": "<?php echo 'hello from PHP ' . PHP_MAJOR_VERSION . \"\\n\";\n"},
    "composer": {
        "composer.json": '{"require": {"php": ">=8", "ext-mbstring": "*", "monolog/monolog": "^3"}}',
        "public/index.php": '<?php new PDO("pgsql:host=" . getenv("PGHOST"));\n',
        "src/Shop.php": "<?php\n",
    },
    "php-mariadb": {
        "composer.json": '{"require": {"php": ">=8", "ext-pdo_mysql": "*"}}',
        "public/index.php": _PHP_MARIADB,
    },
    "maven": {
        "pom.xml": "<project><dependency><artifactId>postgresql</artifactId></dependency></project>",
        "src/main/resources/application.properties": "server.port=9000\n",
    },
    "gradle": {"build.gradle": 'implementation "org.mariadb.jdbc:mariadb-java-client:3"', "gradlew": ""},
    "static": {"index.html": "<p>hello from a page\n", ".env": "TOKEN=hidden\n"},
    "static-public": {"public/index.html": "<p>hello from a page\n"},
    "dockerfile": {
        "Dockerfile": "FROM debian:bookworm\n"
        "RUN apt-get update && apt-get install -y --no-install-recommends python3\n"
        "WORKDIR /app\nCOPY . .\nEXPOSE 8000\nUSER nobody\n"
        'CMD ["python3", "server.py"]\n',
        "server.py": _SERVER,
    },
    "dockerfile-node": {
        "docker/Dockerfile": "FROM node AS build\nEXPOSE 1\nFROM node\nCOPY . /srv/x/\n",
        "package.json": '{"dependencies": {"pg": "*"}}',
    },
    "procfile": {
        "Procfile": "web: python server.py\nworker: python worker.py\nrelease: echo released && true\n",
        "server.py": _SERVER,
        "worker.py": _WORKER,
        ".env": "GREETING=hello\n",
    },
    "procfile-flask": {
        "Procfile": "web: gunicorn --bind=:$PORT ${MODULE:-app}:app\n",
        "requirements.txt": "flask\ngunicorn\n",
        "app.py": "from flask import Flask\napp = Flask(__name__)\n",
    },
}  # fmt: skip


def write_application(name: str, folder: Path) -> None:
    """Write the files of an application."""
    for path, text in APPLICATIONS[name].items():
        file = folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
