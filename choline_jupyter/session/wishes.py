"""What `--env` names: a file that says which packages an environment is to hold, read whatever kind it is of.

Called by `session.machine`. Promise: nothing of what a file says is dropped in silence; what cannot be had elsewhere is
an error of one sentence, or a notice.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from packaging.requirements import InvalidRequirement, Requirement

from choline_jupyter.capture.distributions import take_inventory
from choline_jupyter.errors import RequestError
from choline_jupyter.model.requirement import normalize

NONE = "none"
_BLOCK = re.compile(r"(?m)^# /// (?P<type>[a-zA-Z0-9-]+)$\s(?P<content>(^#(| .*)$\s)+)^# ///$")  # as PEP 723 gives it
_CONDA = re.compile(r"([A-Za-z0-9._-]+)\s*(.*)\Z")
_IGNORED = ("--hash", "--index-url", "-i", "--extra-index-url", "--find-links", "-f", "--trusted-host", "--no-index",
            "--only-binary", "--no-binary", "--prefer-binary", "--pre")  # fmt: skip
_DEEPEST = 5


@dataclass(frozen=True)
class Wishes:
    """`packages` as PEP 508 has them, the `version` of Python (a specifier, or nothing), and what to tell the user."""

    packages: tuple[str, ...] = ()
    version: str = ""
    notices: tuple[str, ...] = ()


def read_wishes(name: str) -> Wishes:
    """What a file wishes for; raises RequestError."""
    path = Path(name).expanduser()
    try:
        read = _choose_reader(path)
        return read(path)
    except (OSError, ValueError) as error:
        raise RequestError(f"{name} cannot be read: {error}.", _ADVICE) from None


def read_block(text: str) -> Wishes | None:
    """A script's own block (PEP 723); None without one. Raises ValueError."""
    found = [match for match in _BLOCK.finditer(text + "\n") if match["type"] == "script"]
    if len(found) != 1:
        return None
    lines = found[0]["content"].splitlines()
    block = _parse_toml("\n".join(line[2:] if line.startswith("# ") else line[1:] for line in lines))
    packages = tuple(_check(str(one)) for one in block.get("dependencies", ()))
    return Wishes(packages, _read_version(block.get("requires-python")))


_ADVICE = "Name a requirements.txt, pyproject.toml, environment.yml, uv.lock, a script with a PEP 723 block, or none."


def _choose_reader(path: Path) -> Callable[[Path], Wishes]:
    if path.name == "uv.lock":
        return _read_lock
    if path.suffix in (".yml", ".yaml"):
        return _read_conda
    return {".toml": _read_project, ".py": _read_script}.get(path.suffix, _read_requirements)


def _read_requirements(path: Path) -> Wishes:
    return Wishes(tuple(_list_requirements(path, _DEEPEST)))


def _list_requirements(path: Path, depth: int) -> Iterator[str]:
    for line in path.read_text().replace("\\\n", " ").splitlines():
        text = re.split(r"(?:^|\s)#", line)[0].strip()
        option, _, value = text.partition(" ") if " " in text else text.partition("=")
        if option in ("-r", "--requirement") and depth:
            yield from _list_requirements(path.parent / value.strip(), depth - 1)
        elif option.startswith("-") and option not in _IGNORED:  # where packages come from is pip's configuration's
            raise RequestError(f"{path} has {text!r}, which is not a package.", "Write one package a line.")
        elif text and not option.startswith("-"):
            yield _check(re.split(r"\s--", text)[0])


def _read_project(path: Path) -> Wishes:
    project = _parse_toml(path.read_text()).get("project")
    if not isinstance(project, dict):
        raise ValueError("it has no [project]")
    packages = tuple(_check(str(one)) for one in project.get("dependencies", ()))
    is_dynamic = "dependencies" in project.get("dynamic", ())
    notices = (f"{path.name} leaves its dependencies to its build; none are known.",) if is_dynamic else ()
    return Wishes(packages, _read_version(project.get("requires-python")), notices)


def _read_script(path: Path) -> Wishes:
    wishes = read_block(path.read_text())
    if wishes is None:
        raise ValueError("it has no PEP 723 block")
    return wishes


def _read_lock(path: Path) -> Wishes:
    """Uv reads its own file; it wants the project's beside it."""
    uv = shutil.which("uv", path=str(Path(sys.executable).parent)) or shutil.which("uv") or "uv"
    done = subprocess.run(
        [uv, "export", "--quiet", "--frozen", "--no-hashes", "--no-header", "--no-annotate", "--no-emit-project",
         "--project", str(path.absolute().parent)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode != 0:
        raise ValueError(" ".join(done.stderr.split())[:300])
    lines = [line.strip() for line in done.stdout.splitlines() if line.strip()]
    local = [line for line in lines if line.startswith(("-e ", ".", "/"))]
    notices = (f"{', '.join(local)}: of this machine's own source, not installed there.",) if local else ()
    return Wishes(tuple(_check(line) for line in lines if line not in local), notices=notices)


def _read_conda(path: Path) -> Wishes:
    """The part that is pip's, and what has the same name there as here; the rest is only conda's and is said."""
    import yaml

    try:
        told = yaml.safe_load(path.read_text())
    except yaml.YAMLError as error:
        raise ValueError(" ".join(str(error).split())[:200]) from None
    entries = told.get("dependencies") if isinstance(told, dict) else None
    if not isinstance(entries, list):
        raise ValueError("it has no dependencies")
    packages: list[str] = []
    strange: list[str] = []
    version = ""
    for entry in entries:
        if isinstance(entry, dict):
            packages += [_check(str(line)) for line in entry.get("pip") or ()]
        elif match := _CONDA.match(str(entry).rpartition("::")[2]):
            name, rest = match.groups()
            if name == "python":
                version = _spell_conda(rest).removeprefix("==")
            elif name == "pip":  # every environment has it
                continue
            elif normalize(name) in take_inventory().by_name:
                packages.append(_check(name + _spell_conda(rest)))
            else:
                strange.append(name)
    notices = (f"{', '.join(strange)}: conda's own names, not installed there.",) if strange else ()
    return Wishes(tuple(packages), version.removesuffix(".*"), notices)


def _spell_conda(rest: str) -> str:
    """Conda's `=1.2=build` or `>=1.2` as pip writes it."""
    if not rest.startswith("=") or rest.startswith("=="):
        return rest.replace(" ", "").rpartition("=")[0] if rest.count("=") == 3 else rest.replace(" ", "")
    version, _, build = rest[1:].partition("=")
    return f"=={version}" if build or version.endswith("*") else f"=={version}.*"


def _check(text: str) -> str:
    try:
        return str(Requirement(text))
    except InvalidRequirement:
        raise ValueError(f"{text!r} is not a package") from None


def _read_version(specifier: object) -> str:
    """A Python that fits: this one, unless the file rules it out."""
    from packaging.specifiers import InvalidSpecifier, SpecifierSet

    try:
        wanted = SpecifierSet(str(specifier or ""))
    except InvalidSpecifier:
        raise ValueError(f"{specifier!r} is no version of Python") from None
    return "" if wanted.contains("%d.%d.%d" % sys.version_info[:3]) else str(wanted)


def _parse_toml(text: str) -> dict[str, Any]:
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib  # type: ignore[import-not-found,unused-ignore]  # there on Python 3.10 only
    parsed: dict[str, Any] = tomllib.loads(text)
    return parsed
