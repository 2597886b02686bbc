"""PHP, served by Apache."""

from __future__ import annotations

import re
from typing import Final

from envctl.detect.application_findings import HOME, Findings, Keys, copy_all, served
from envctl.detect.folder_view import FolderView, table

PORT: Final = 8080
_EXTENSIONS: Final = {
    "curl": "php-curl",
    "gd": "php-gd",
    "intl": "php-intl",
    "mbstring": "php-mbstring",
    "mysqli": "php-mysql",
    "pdo_mysql": "php-mysql",
    "pdo_pgsql": "php-pgsql",
    "pdo_sqlite": "php-sqlite3",
    "pgsql": "php-pgsql",
    "redis": "php-redis",
    "sqlite3": "php-sqlite3",
    "zip": "php-zip",
    "dom": "php-xml",
    "xml": "php-xml",
}
_USES: Final = {
    "mysqli": re.compile(r"\bmysqli\b|\bmysqli_connect\b"),
    "pdo_mysql": re.compile(r"""["']mysql:"""),
    "pdo_pgsql": re.compile(r"""["']pgsql:"""),
    "pgsql": re.compile(r"\bpg_connect\b"),
    "redis": re.compile(r"\bnew \\?Redis\b"),
}
_SITE: Final = """\
cat >/etc/apache2/sites-available/000-default.conf <<'END'
Listen {port}
ServerName localhost
<VirtualHost *:{port}>
    DocumentRoot {root}
    <Directory {root}>
        AllowOverride All
        Require all granted
    </Directory>
    CustomLog /dev/stdout combined
</VirtualHost>
END
echo >/etc/apache2/ports.conf
sed -i 's|^ErrorLog .*|ErrorLog /dev/stderr|' /etc/apache2/apache2.conf
a2enmod rewrite
a2disconf other-vhosts-access-log
"""


def detect_php(folder: FolderView) -> Findings | None:
    """Find a site in PHP."""
    index = folder.first("public/index.php", "index.php", "web/index.php")
    if index is None:
        return None
    names = dependencies(folder)
    packages = {_EXTENSIONS[name[4:]] for name in names if name[4:] in _EXTENSIONS}
    composer = _needs_composer(folder)
    below = index.rpartition("/")[0]
    root = f"{HOME}/{below}" if below else HOME
    install = "composer install --no-dev --no-interaction --no-progress --optimize-autoloader"
    step: Keys = {
        "run": {"command": install, "workdir": HOME, "env": {"COMPOSER_ALLOW_SUPERUSER": "1"}}
    }
    mounts = {".": HOME}
    if composer:
        mounts = {f"./{name}": f"{HOME}/{name}" for name in _folders(folder)}
    return Findings(
        "a site in PHP",
        (index, *(["composer.json"] if folder.has("composer.json") else [])),
        {
            "packages": ["apache2", "libapache2-mod-php", "php-cli", *sorted(packages), *(["composer", "unzip", "git"] if composer else [])],
            "build": [
                {"run": _SITE.format(port=PORT, root=root)},
                copy_all(*_not_copied(folder, composer=composer)),
                *([step] if composer else []),
            ],
            "user": "www-data",
            "workdir": HOME,
            "command": ["apache2ctl", "-D", "FOREGROUND", "-c", "PidFile /tmp/apache2.pid"],
            **served(PORT),
        },
        {"mounts": mounts},
        guesses=(f"pages are in {below or 'the folder itself'}", f"healthy: as soon as port {PORT} accepts connections"),
        dependencies=names,
    )  # fmt: skip


def dependencies(folder: FolderView) -> frozenset[str]:
    """Return the packages that it requires; extensions that its sources use are `ext-NAME`."""
    required = table(folder.json("composer.json"), "require")
    text = "\n".join(text for _, text in folder.sources(".php"))
    used = {f"ext-{name}" for name, pattern in _USES.items() if pattern.search(text)}
    return frozenset({*required, *used} - {"php"})


def _not_copied(folder: FolderView, *, composer: bool) -> list[str]:
    """More patterns of files that are not copied. Apache reads .htaccess files, so those are."""
    settings = any(path.rpartition("/")[2] == ".htaccess" for path in folder.paths)
    return [*(["/vendor/"] if composer else []), *(["!.htaccess"] if settings else [])]


def _needs_composer(folder: FolderView) -> bool:
    """Whether it requires more than extensions."""
    required = table(folder.json("composer.json"), "require")
    return any("/" in name for name in required)


def _folders(folder: FolderView) -> list[str]:
    """Its folders with sources. They are mounted one by one, so that what Composer installed stays visible."""
    tops = {
        path.partition("/")[0] for path in folder.paths if "/" in path and path.endswith(".php")
    }
    return sorted(name for name in tops if re.fullmatch(r"[A-Za-z0-9_-]+", name))
