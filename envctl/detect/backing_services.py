"""The databases, caches and brokers that an application talks to, found by the drivers among its dependencies."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, Final

from envctl.detect.application_findings import Keys
from envctl.detect.folder_view import FolderView
from envctl.lazy_dataclass import dataclass

PASSWORD: Final = "db_password"  # noqa: S105 — the name of a secret


@dataclass(frozen=True, slots=True)
class BackingService:
    """A service of the catalogue, and how an application connects to it."""

    entry: str
    name: str
    title: str
    scheme: str
    port: int
    prefixes: str
    """The prefix of variables about it, as a regular expression."""
    drivers: frozenset[str]
    has_password: bool = False
    database: str = ""

    @property
    def service(self) -> Keys:
        """The service of the spec."""
        values = {"password": PASSWORD} if self.has_password else {}
        if self.database:
            values = {"database": self.database, "user": "app", **values}
        return {"extends": f"catalogue/{self.entry}", **({"with": values} if values else {})}

    def address(self, scheme: str) -> str | Keys:
        """Return the value of a variable with its address."""
        place = f"{self.name}:{self.port}/{self.database}"
        if not self.has_password:
            return f"{scheme}://{place.rstrip('/')}" + ("/0" if self.entry == "redis" else "")
        # A broker's path is its virtual host.
        return {"template": f"{scheme}://app:${{secret.{PASSWORD}}}@{place}"}


_SQL: Final = r"DATABASE|DB|SQLALCHEMY_DATABASE"
KNOWN: Final = (
    BackingService(
        "postgresql", "db", "PostgreSQL", "postgresql", 5432, rf"{_SQL}|POSTGRES|POSTGRESQL|PG",
        frozenset(["psycopg", "psycopg2", "psycopg2-binary", "asyncpg", "pg8000", "pg", "postgres", "pg-promise", "pg-native", "postgresql", "github.com/lib/pq", "github.com/jackc/pgx", "gorm.io/driver/postgres", "ext-pgsql", "ext-pdo_pgsql"]),
        has_password=True, database="app",
    ),
    BackingService(
        "mariadb", "db", "MariaDB", "mysql", 3306, rf"{_SQL}|MYSQL|MARIADB",
        frozenset(["pymysql", "mysqlclient", "aiomysql", "asyncmy", "mysql-connector-python", "mariadb", "mysql", "mysql2", "mysql-connector-j", "mysql-connector-java", "mariadb-java-client", "github.com/go-sql-driver/mysql", "gorm.io/driver/mysql", "ext-mysqli", "ext-pdo_mysql"]),
        has_password=True, database="app",
    ),
    BackingService(
        "redis", "redis", "Redis", "redis", 6379, r"REDIS|CACHE|CELERY_BROKER|CELERY_RESULT|BROKER|RESULT_BACKEND",
        frozenset(["redis", "django-redis", "flask-redis", "rq", "arq", "ioredis", "connect-redis", "bull", "bullmq", "sidekiq", "resque", "ext-redis", "predis/predis", "jedis", "spring-boot-starter-data-redis", "github.com/redis/go-redis", "github.com/go-redis/redis", "github.com/gomodule/redigo"]),
    ),
    BackingService(
        "memcached", "memcached", "memcached", "memcached", 11211, "MEMCACHED?",
        frozenset(["pymemcache", "python-memcached", "pylibmc", "memcached", "memjs", "dalli", "ext-memcached", "github.com/bradfitz/gomemcache"]),
    ),
    BackingService(
        "rabbitmq", "rabbitmq", "RabbitMQ", "amqp", 5672, "RABBITMQ|AMQP|CELERY_BROKER|BROKER",
        frozenset(["pika", "aio-pika", "amqplib", "bunny", "php-amqplib/php-amqplib", "spring-boot-starter-amqp", "github.com/rabbitmq/amqp091-go", "github.com/streadway/amqp"]),
        has_password=True,
    ),
)  # fmt: skip
_ELSEWHERE: Final = {
    "pymongo": "MongoDB",
    "mongoose": "MongoDB",
    "mongodb": "MongoDB",
    "mongoid": "MongoDB",
    "go.mongodb.org/mongo-driver": "MongoDB",
    "elasticsearch": "Elasticsearch",
    "kafka-python": "Kafka",
    "kafkajs": "Kafka",
}
_SUFFIXES: Final = r"URL|URI|DSN|HOST|HOSTNAME|SERVER|PORT|USER|USERNAME|PASSWORD|PASS|PASSWD|NAME|DATABASE|DBNAME|DB|BACKEND"
_SOURCES: Final = (".py", ".js", ".mjs", ".cjs", ".ts", ".go", ".rb", ".php", ".properties", ".yml")
_SQLALCHEMY: Final = {
    "asyncpg": "postgresql+asyncpg",
    "psycopg": "postgresql+psycopg",
    "pg8000": "postgresql+pg8000",
    "asyncmy": "mysql+asyncmy",
    "aiomysql": "mysql+aiomysql",
    "pymysql": "mysql+pymysql",
}


@dataclass(frozen=True, slots=True)
class Connections:
    """The services that an application talks to, and the variables that hold their addresses."""

    services: Mapping[str, Keys]
    env: Keys
    seen: Sequence[str]
    guesses: Sequence[str]

    @property
    def needs_password(self) -> bool:
        """Whether one of them has a password."""
        return any("password" in service.get("with", {}) for service in self.services.values())


def find_connections(
    folder: FolderView, dependencies: Collection[str], *, catalogue: Collection[str]
) -> Connections:
    """Return the services that an application with these dependencies talks to. `catalogue` has the names of the available entries."""
    services: dict[str, Keys] = {}
    env: dict[str, Any] = {}
    seen: list[str] = []
    guesses: list[str] = list(_without_entry(dependencies))
    names = _mentioned(folder)
    for backing in KNOWN:
        drivers = sorted(backing.drivers & set(dependencies))
        if not drivers or backing.name in services:
            continue
        if backing.entry not in catalogue:
            guesses.append(f"{drivers[0]} talks to {backing.title}: add a service for it")
            continue
        services[backing.name] = backing.service
        seen.append(f"{backing.title}, by its driver {drivers[0]}")
        variables = _variables(backing, names, _scheme(backing, drivers, dependencies))
        if not any("URL" in name or "HOST" in name or "URI" in name for name in variables):
            usual = "DATABASE_URL" if backing.database else f"{backing.name.upper()}_URL"
            variables |= {usual: backing.address(_scheme(backing, drivers, dependencies))}
            guesses.append(f"it reads the address of {backing.title} from the variable {usual}")
        # An earlier one keeps its variables: a broker is Redis rather than RabbitMQ.
        env = {**variables, **env}
    return Connections(services, env, seen, guesses)


def _without_entry(dependencies: Collection[str]) -> Iterator[str]:
    for driver in sorted(_ELSEWHERE.keys() & set(dependencies)):
        title = _ELSEWHERE[driver]
        yield f"{driver} talks to {title}, which is not in the catalogue: add a service for it"


def _mentioned(folder: FolderView) -> frozenset[str]:
    """Words in the sources and in examples of .env files that may be names of variables."""
    texts = [text for _, text in folder.sources(*_SOURCES)]
    texts += [folder.text(file) for file in (".env", ".env.example", ".env.sample", ".env.dist")]
    word = re.compile(rf"\b[A-Z][A-Z_]*_?(?:{_SUFFIXES})\b")
    return frozenset(name for text in texts for name in word.findall(text))


def _scheme(backing: BackingService, drivers: Sequence[str], others: Collection[str]) -> str:
    """Return the scheme of its address; SQLAlchemy wants the driver in it."""
    if not {"sqlalchemy", "flask-sqlalchemy", "sqlmodel"} & set(others):
        return backing.scheme
    return next((_SQLALCHEMY[name] for name in drivers if name in _SQLALCHEMY), backing.scheme)


def _variables(backing: BackingService, names: Collection[str], scheme: str) -> dict[str, Any]:
    """Return the variables that the application reads about it."""
    pattern = re.compile(rf"(?:{backing.prefixes})_?({_SUFFIXES})")
    matches = {name: pattern.fullmatch(name) for name in sorted(names)}
    values = {name: _value(backing, match[1], scheme) for name, match in matches.items() if match}
    return {name: value for name, value in values.items() if value is not None}


def _value(backing: BackingService, what: str, scheme: str) -> str | Keys | None:
    """Return the value of a connection variable; None if the service has no such value."""
    if what in ("URL", "URI", "DSN") or (what == "BACKEND" and backing.entry == "redis"):
        return backing.address(scheme)
    if what in ("HOST", "HOSTNAME", "SERVER"):
        return backing.name
    if what == "PORT":
        return str(backing.port)
    if what in ("PASSWORD", "PASS", "PASSWD"):
        return {"secret": PASSWORD} if backing.has_password else None
    if what in ("USER", "USERNAME"):
        return "app" if backing.has_password else None
    return backing.database or None if what in ("NAME", "DATABASE", "DBNAME", "DB") else None
