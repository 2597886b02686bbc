"""What a target uses on this host, and whether the user has approved it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from envctl.backends.base import Capabilities
from envctl.definition.resolved import Resolved
from envctl.plan.model import Plan
from envctl.secrets.store import SecretStore
from envctl.trust.approval import Ask, missing, require
from envctl.trust.declared_access import secret_sources
from envctl.trust.host_access import HostAccess, Mounted, SecretSource, host_accesses


class SessionAccess:
    """Everything that a target would run, read or expose on this host (`accesses`), and the user's approval.

    After approval, the values of secrets may come from `sources`.
    """

    def __init__(
        self,
        root: Path,
        accesses: tuple[HostAccess, ...],
        *,
        environ: Mapping[str, str],
        store: SecretStore,
        sources: Mapping[str, SecretSource],
    ) -> None:
        self.accesses = accesses
        self._root = root
        self._environ = environ
        self._store = store
        self._sources = sources

    @property
    def unapproved(self) -> tuple[HostAccess, ...]:
        """The accesses that the user has not approved yet."""
        return missing(self._root, self.accesses, environ=self._environ)

    def require(self, ask: Ask) -> None:
        """Ask for approval if necessary. EnvctlError if the user does not approve."""
        require(self._root, self.accesses, environ=self._environ, ask=ask)
        self._allow()

    def use_what_is_approved(self) -> None:
        """Use the accesses if the user has already approved them. Does not ask."""
        if not self.unapproved:
            self._allow()

    def _allow(self) -> None:
        if not self._store.reach_host:
            files = {name: source.real_file for name, source in self._sources.items()}
            self._store.allow_host({name: file for name, file in files.items() if file})


def session_access(
    plan: Plan,
    resolved: Resolved | None,
    capabilities: Capabilities,
    *,
    root: Path,
    environ: Mapping[str, str],
    store: SecretStore,
    elsewhere: Iterable[Mounted],
) -> SessionAccess:
    """What a plan uses on this host, on a backend with these capabilities; `elsewhere` are other environments' mounts."""
    sources = secret_sources(resolved, environ) if resolved else {}
    accesses = host_accesses(
        plan,
        sources,
        root=root,
        elsewhere=elsewhere,
        host_templates=capabilities.templates.on_host if capabilities.templates else (),
        machines=capabilities.machines,
        shares_kernel=capabilities.shares_kernel,
    )
    return SessionAccess(root, accesses, environ=environ, store=store, sources=sources)
