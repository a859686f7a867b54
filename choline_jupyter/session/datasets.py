"""Datasets by address: `--with https://...`, `hf://...` and `s3://...` beside the paths that the same option names.

Called by `magic` and `cli` for a job's header, and by whoever reads the paths of `--with`. Promise: their bytes never pass
through this machine: it sends the address, the other one downloads.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from choline_jupyter.errors import RequestError
from choline_jupyter.model.dataset import Address, AddressError, read_address

if TYPE_CHECKING:
    from choline_jupyter.session.option_reader import Values

# Where hub and buckets are, as their own tools are told; keys are secrets and go the way of --secret.
_SETTINGS = ("HF_ENDPOINT", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "AWS_REGION", "AWS_DEFAULT_REGION")
_LARGEST = 1 << 60
_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
_NAMED = re.compile(r"(?P<path>[^=]*(?:=[^=]*)*?)=(?P<url>[A-Za-z][A-Za-z0-9+.-]*://.*)\Z", re.DOTALL)


class Dataset(NamedTuple):
    """An address, and the path that it has for the user's code: a file, or a folder with files below."""

    url: str
    address: Address
    path: Path

    def covers(self, path: str) -> bool:
        """Whether a file of this machine has a place that the dataset takes over there."""
        own = str(self.path)
        return path == own or (self.address.is_folder and path.startswith(f"{own}/"))


def list_paths(options: Values) -> tuple[str, ...]:
    """What `--with` names of this machine's own files."""
    return tuple(word for word in options.list("with") if _split(word) is None)


def list_datasets(options: Values) -> list[Dataset]:
    """What `--with` names by address. Raises RequestError."""
    found = [_read(*parts) for parts in map(_split, options.list("with")) if parts]
    for number, one in enumerate(found):
        for other in found[:number]:
            if one.path == other.path and one.url != other.url:
                raise RequestError(f"Two addresses are to be at {one.path}.", "Name one of them: --with PATH=URL.")
    return found


def describe_datasets(options: Values) -> dict[str, Any]:
    """What a job's header says of them; nothing where there are none. Raises RequestError."""
    settings = {name: os.environ[name] for name in _SETTINGS if os.environ.get(name)}
    told = [
        {"url": one.url, "path": str(one.path), "name": one.path.name, "settings": settings}
        for one in list_datasets(options)
    ]
    return {"datasets": told} if told else {}


def render_datasets(datasets: Sequence[Dataset]) -> str:
    """Lines for the list of files that go along: these do not, they come from elsewhere."""
    return "".join(f"\n{_shorten(one.path)}  comes over there from {one.address.describe()}" for one in datasets)


def render_download(fact: dict[str, Any]) -> str:
    """How far a download is, as the other machine tells it; one line without its end."""
    what = "".join(letter for letter in str(fact.get("what"))[:80] if letter.isprintable())
    return f"choline: {what}: {'; '.join(_list_figures(fact))}"


def _list_figures(fact: dict[str, Any]) -> Iterator[str]:
    done, total, seconds = (_read_number(fact, key) for key in ("done", "total", "seconds"))
    if fact.get("state") == "downloaded":
        new, files = _read_number(fact, "new"), int(_read_number(fact, "files"))
        many = f"{files:,} files, " if files > 1 else ""
        yield (
            f"{many}downloaded {new / 1e6:,.1f} MB in {seconds:.0f} s" if new else f"{many}that machine has it already"
        )
    elif "waiting" in fact:
        yield f"another session downloads it, {_read_number(fact, 'waiting') / 1e6:,.1f} MB so far, {seconds:.0f} s"
    else:
        of = f" of {total / 1e6:,.1f}" if total > 0 else ""
        yield f"{done / 1e6:,.1f}{of} MB downloaded in {seconds:.0f} s"
        if 0 < done < total:
            yield f"{(total - done) * seconds / done:.0f} s left"


def _read_number(fact: dict[str, Any], key: str) -> float:
    """What another machine says is a number, if it is one."""
    value = fact.get(key)
    return float(value) if isinstance(value, (int, float)) and abs(value) < _LARGEST else 0.0


def _split(word: str) -> tuple[str, str] | None:
    """Path and address of a word of `--with`; None for one that is a path alone. An address may hold more `=`."""
    if _ADDRESS.match(word):
        return "", word
    named = _NAMED.match(word)
    return (named["path"], named["url"]) if named else None


def _read(name: str, url: str) -> Dataset:
    try:
        address = read_address(url)
    except AddressError as error:
        raise RequestError(f"--with: {error}", error.hint) from None
    path = Path(name or address.name).expanduser()
    if name.endswith("/") and not address.is_folder:
        path /= address.name
    whole = Path(os.path.normpath(Path.cwd() / path))
    if whole == Path.cwd() or not whole.name:
        raise RequestError(
            f"--with: {name!r} is a folder that is there already.", "Write PATH=URL with a name of its own."
        )
    return Dataset(url, address, whole)


def _shorten(path: Path) -> str:
    return str(path).removeprefix(f"{Path.cwd()}/")
