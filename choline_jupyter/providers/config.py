"""The user's configuration of machines: `~/.config/choline/config.toml`.

Read by providers. Lives with the user, never in a notebook.

    [hosts.lab]
    host = "anna@lab.example.org:2222"    # or an alias of ~/.ssh/config
    gpus = "2x3090"                       # what is said in offers, where it cannot be asked for
    python = "/opt/conda/bin/python"      # the interpreter for sessions; without it one is found or made

    [money]                               # in USD
    budget = 5                            # what one session may cost at most; a notebook can only ask for less
    monthly = 50                          # all of them together in a calendar month
    auto_approve = 2                      # up to this, nobody is asked

    [providers]
    enabled = ["acme"]                    # providers that other packages bring; the project's own need no line

    [files]
    wait = 30                             # seconds that a job waits for a file of this machine while nobody is connected
    cache = "50 GB"                       # how much of ended sessions' data files a host keeps; a tenth of its disk without it
"""

from __future__ import annotations

import os
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FILE_WAIT = 30.0
_LONGEST_WAIT = 86400.0
_SIZE = re.compile(r"([0-9]{1,15}(?:\.[0-9]{1,6})?) ?(|[kMGTkmgt]?[Bb])\Z")
_UNITS = {"": 1, "B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}


class ConfigError(Exception):
    """The file cannot be read; the message is one sentence."""


@dataclass(frozen=True)
class Host:
    """One `[hosts.NAME]` table."""

    name: str
    host: str
    gpus: str = ""
    python: str = ""


@dataclass(frozen=True)
class MoneySettings:
    """`[money]`, in USD; None: no such limit."""

    budget: float | None = None
    monthly: float | None = None
    auto_approve: float = 0.0


def find_config() -> Path:
    """Where the file is, or would be."""
    base = os.environ.get("XDG_CONFIG_HOME")
    return (Path(base) if base else Path.home() / ".config") / "choline" / "config.toml"


def read_hosts() -> dict[str, Host]:
    """The hosts by name; raises ConfigError."""
    tables = _read().get("hosts", {})
    if not isinstance(tables, dict):
        raise ConfigError(f"{find_config()}: `hosts` is not a table.")
    return {name: _read_host(name, table) for name, table in tables.items()}


def read_money() -> MoneySettings:
    """What may be spent; raises ConfigError."""
    table = _read().get("money", {})
    if not isinstance(table, dict):
        raise ConfigError(f"{find_config()}: `money` is not a table.")
    unknown = set(table) - {"budget", "monthly", "auto_approve"}
    if unknown:
        raise ConfigError(f"{find_config()}: [money] has {', '.join(sorted(unknown))}, which means nothing.")
    for name, amount in table.items():
        if isinstance(amount, bool) or not isinstance(amount, (int, float)) or not 0 <= amount < 1e9:
            raise ConfigError(f"{find_config()}: `{name}` under [money] is not an amount of USD.")
    return MoneySettings(**{name: float(amount) for name, amount in table.items()})


def read_enabled() -> tuple[str, ...]:
    """The providers of other packages that the user wants; raises ConfigError."""
    table = _read().get("providers", {})
    names = table.get("enabled", []) if isinstance(table, dict) else None
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise ConfigError(f'{find_config()}: [providers] needs enabled = ["name", ...].')
    return tuple(names)


def read_file_wait() -> float:
    """How long a job waits, in seconds, for a file that nobody foresaw while nobody is connected; raises ConfigError."""
    wait = _read_files().get("wait", FILE_WAIT)
    if isinstance(wait, bool) or not isinstance(wait, (int, float)) or not 0 <= wait <= _LONGEST_WAIT:
        raise ConfigError(f"{find_config()}: `wait` under [files] is not a number of seconds, at most a day.")
    return float(wait)


def read_cache_limit() -> int | None:
    """How many bytes of data files a host may keep for later sessions; None where the user has not said. Raises ConfigError."""
    table = _read_files()
    if "cache" not in table:
        return None
    found = _SIZE.match(str(table["cache"]))
    if not found:
        raise ConfigError(f'{find_config()}: cache in [files] is a size such as "50 GB"; "0" keeps nothing.')
    return int(float(found[1]) * _UNITS[found[2].upper()])


def _read_files() -> dict[str, Any]:
    table = _read().get("files", {})
    if not isinstance(table, dict) or set(table) - {"wait", "cache"}:
        raise ConfigError(f"{find_config()}: [files] has more than `wait` and `cache`, or is not a table.")
    return table


def _read_host(name: str, table: Any) -> Host:
    if not isinstance(table, dict) or not isinstance(table.get("host"), str):
        raise ConfigError(f'{find_config()}: [hosts.{name}] needs host = "user@name[:port]".')
    unknown = set(table) - {"host", "gpus", "python"}
    if unknown:
        raise ConfigError(f"{find_config()}: [hosts.{name}] has {', '.join(sorted(unknown))}, which means nothing.")
    return Host(name, *(str(table.get(key, "")) for key in ("host", "gpus", "python")))


def _read() -> dict[str, Any]:
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib  # type: ignore[import-not-found,unused-ignore]  # there on Python 3.10 only
    path = find_config()
    try:
        tables: dict[str, Any] = tomllib.loads(path.read_text())
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except (OSError, ValueError) as error:
        raise ConfigError(f"{path} cannot be read: {error}.") from None
    return tables
