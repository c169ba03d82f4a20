"""The flags and ini settings of the pytest plugin: a flag wins, and an error names where it comes from."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from hermes_diag.core.errors import UsageError
from hermes_diag.leakguard import limits
from hermes_diag.leakguard.limits import Limits

_WHICH = ("marked", "all", "off")


@dataclass(frozen=True)
class Settings:
    """which: tests that are judged. report: whether all tests are listed. default: for arguments not given."""

    which: str = "marked"
    report: bool = False
    default: Limits = field(default_factory=Limits)

    @property
    def everything(self) -> bool:
        """Whether tests without a marker are watched, too."""
        return self.report or self.which == "all"


def read(config: pytest.Config) -> Settings:
    """Raises pytest.UsageError."""
    try:
        return Settings(_which(config), _report(config), _default(config))
    except UsageError as exc:
        raise pytest.UsageError(f"{exc.message}: {exc.hint}") from None


def _which(config: pytest.Config) -> str:
    source, value = "--limit-sockets", config.getoption("limit_sockets")
    if value is None:
        source, value = _ini(config, "limit_sockets")
    if value is None:
        return "marked"
    if value not in _WHICH:
        raise UsageError(f"{source}: there is no {value!r}", f"one of {', '.join(_WHICH)}")
    return str(value)


def _report(config: pytest.Config) -> bool:
    if config.getoption("sockets") is not None:
        return bool(config.getoption("sockets"))
    source, value = _ini(config, "limit_sockets_report")
    if value is None:
        return False
    if value.lower() not in ("true", "false"):
        raise UsageError(f"{source}: {value!r} is no answer", "true or false")
    return value.lower() == "true"


def _default(config: pytest.Config) -> Limits:
    source, value = _ini(config, "limit_sockets_default")
    return limits.from_text(Limits(), value or "", source)


def _ini(config: pytest.Config, name: str) -> tuple[str, str | None]:
    """(where it stands, its text; None when there is none)"""
    value = config.getini(name)
    file = config.inipath.name if config.inipath else "-o"
    return f"{file}, {name}", str(value or "").strip() or None
