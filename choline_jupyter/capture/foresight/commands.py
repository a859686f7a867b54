"""Command lines: `!` and `%` lines, `%%bash` cells, subprocesses. Programs in Python are walked, of others the words count.

Used by `library`. No shell is ever started.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from choline_jupyter.capture.foresight import module_calls
from choline_jupyter.capture.foresight.calls import Call
from choline_jupyter.capture.foresight.disk import to_pattern
from choline_jupyter.capture.foresight.file_calls import find_pattern
from choline_jupyter.capture.foresight.parse import parse_cell, read_text
from choline_jupyter.capture.foresight.record import looks_like_file
from choline_jupyter.capture.foresight.value import ANY, UNKNOWN, Items, Opaque, Scope, Value, list_texts, make_items

if TYPE_CHECKING:
    from choline_jupyter.capture.foresight.machine import Machine

_PYTHON = re.compile(r"(.*/)?python[\d.]*\Z")
_LAUNCHERS = frozenset({"torchrun", "accelerate", "deepspeed", "ipython", "horovodrun", "coverage", "uv", "poetry"})
_WRAPPERS = frozenset({"sudo", "time", "nohup", "exec", "env", "nice", "xargs", "stdbuf", "timeout", "command"})
_SHELLS = frozenset({"bash", "sh", "zsh", "source", "."})
_SILENT = frozenset(
    [
        "echo",
        "ls",
        "du",
        "tree",
        "find",
        "pip",
        "pip3",
        "conda",
        "git",
        "mkdir",
        "rm",
        "rmdir",
        "touch",
        "kill",
        "nvidia-smi",
        "export",
        "set",
        "which",
        "df",
        "free",
        "apt",
        "apt-get",
        "wget",
        "curl",
        "brew",
        "chmod",
        "chown",
        "unset",
        "alias",
        "printf",
        "sleep",
        "true",
        "false",
        "test",
        "[",
        "cd",
        "pwd",
        "jupyter",
        "kaggle",
        "gdown",
    ]
)
_VALUES = frozenset({"-o", "-O", "--output", "--out", "-out", "--save", "--output-dir", "--output_dir", "--outdir"})
_VARIABLE = re.compile(r"\{([^{}]+)\}|\$\{?(\w+)\}?")


def run_line(machine: Machine, line: str, depth: int = 0) -> None:
    """One line of shell."""
    words = _split(line)
    home = machine.record.directory
    command: list[str] = []
    try:
        for word in [*words, ";"]:
            if word in {";", "&&", "||", "|", "&", "(", ")"}:
                run_words(machine, command, depth)
                command = []
            else:
                command.append(word)
    finally:
        machine.record.directory = home


def _split(line: str) -> list[str]:
    try:
        lexer = shlex.shlex(line, posix=True, punctuation_chars="();<>|&")
        lexer.whitespace_split = True
        return list(lexer)
    except ValueError:
        return line.split()


def run_words(machine: Machine, words: list[str], depth: int = 0) -> None:
    """One command of a line: redirections, then the program and its words."""
    words = _take_redirections(machine, words)
    while words and (re.match(r"\w+=", words[0]) or words[0] in _WRAPPERS):
        words = words[1:]
    if not words:
        return
    program, *rest = words
    machine.budget.spend(5)
    if program == "cd" and rest:
        path = machine.record.locate(rest[0])
        machine.record.directory = path if machine.disk.find_kind(path) == "folder" else machine.record.directory
    elif _PYTHON.match(program) or program in _LAUNCHERS or program.endswith(ANY):
        _run_python(machine, rest)
    elif program in _SHELLS or program.endswith(".sh"):
        _run_shell_file(machine, [program, *rest] if program.endswith(".sh") else rest, depth)
    elif program in {"pip", "pip3"}:
        _read_requirements(machine, rest)
    elif program in {"cp", "mv"}:
        _copy(machine, [word for word in rest if not word.startswith("-")])
    elif program not in _SILENT:
        _read_words(machine, words)


def _take_redirections(machine: Machine, words: list[str]) -> list[str]:
    kept: list[str] = []
    it = iter(words)
    for word in it:
        if word in {">", ">>", ">&", "&>"}:
            kept = kept[:-1] if kept and kept[-1] in {"1", "2"} else kept
            machine.record.write(next(it, ""), is_sure=True)
        elif word == "<":
            machine.record.read(next(it, ""), machine.why("< in a shell line"), folders=False)
        else:
            kept.append(word)
    return kept


def _run_python(machine: Machine, words: list[str]) -> None:
    """Finds the script or module among a launcher's own options."""
    for at, word in enumerate(words):
        if word in {"-m", "--module"} and at + 1 < len(words):
            name, arguments = words[at + 1], words[at + 2 :]
            if name in {"torch.distributed.run", "torch.distributed.launch", "accelerate.commands.launch"}:
                continue
            if name != "pip":
                module_calls.run_as_main(machine, name, [(each,) for each in arguments])
            return
        if word == "-c" and at + 1 < len(words):
            machine.run(parse_cell(words[at + 1]).body, Scope(machine.make_module("-c")))
            return
        if word.endswith(".py"):
            if machine.run_script(word, [(each,) for each in words[at + 1 :]]):
                return
            break
    _read_words(machine, ["python", *words])


def _run_shell_file(machine: Machine, words: list[str], depth: int) -> None:
    if not words:
        return
    if words[0] == "-c" and len(words) > 1:
        run_line(machine, words[1], depth + 1)
        return
    file = next((word for word in words if not word.startswith("-")), "")
    machine.record.read(file, machine.why("shell script"), folders=False)
    if depth < 3 and file:
        run_lines(machine, read_text(machine.record.locate(file), 100_000), depth + 1)
    _read_words(machine, words[1:], skip_first=False)


def run_lines(machine: Machine, text: str, depth: int = 0) -> None:
    """A shell script, line by line."""
    for line in re.sub(r"\\\n", " ", text).splitlines():
        stripped = line.strip()
        if stripped and not stripped.startswith("#"):
            run_line(machine, stripped, depth)


def _read_requirements(machine: Machine, words: list[str]) -> None:
    for before, word in pairwise(words):
        if before in {"-r", "--requirement", "-c"}:
            machine.record.read(word, machine.why("pip"), folders=False)


def _copy(machine: Machine, words: list[str]) -> None:
    for word in words[:-1]:
        machine.record.read(to_pattern(word), machine.why("shell line"), listed=True)
    if len(words) > 1:
        machine.record.write(words[-1], is_sure=True)


def _read_words(machine: Machine, words: list[str], *, skip_first: bool = True) -> None:
    """Words of a program that nobody knows: those that name something here are read."""
    before = words[0] if words else ""
    program = before.rpartition("/")[2] if skip_first else ""
    if skip_first and "/" in before:
        machine.record.read(before, machine.why("shell line"), folders=False)
    for word in words[1:] if skip_first else words:
        option, _, value = word.partition("=") if word.startswith("-") else ("", "", word)
        if option in _VALUES or before in _VALUES or program in {"tee", "tail -f"}:
            machine.record.write(value, is_sure=True)
        elif value and not value.startswith("-"):
            _read_word(machine, value)
        before = word


def _read_word(machine: Machine, word: str) -> None:
    why = machine.why("shell line")
    pattern = to_pattern(word)
    if pattern != word or ANY in pattern:
        machine.record.read(pattern, why, listed=True)
    elif looks_like_file(word) or machine.disk.find_kind(machine.record.locate(word)) == "file":
        machine.record.read(word, why)


def substitute(machine: Machine, line: str, scope: Scope | None) -> str:
    """`{expression}` and `$name` in a line of IPython."""
    if scope is None:
        return line

    def put(found: re.Match[str]) -> str:
        body = parse_cell(found.group(1) or found.group(2)).body
        if len(body) != 1:
            return found.group(0)
        value = (
            machine.evaluate(body[0], scope)
            if not hasattr(body[0], "value")
            else machine.evaluate(body[0].value, scope)
        )
        texts = list_texts(value)
        return texts[0] if texts[0] != ANY or found.group(1) else found.group(0)

    return _VARIABLE.sub(put, line)


def _system(machine: Machine, call: Call) -> Value:
    for text in list_texts(call.get(0, "command", "cmd")):
        run_line(machine, substitute(machine, text, call.scope) if call.name.startswith("get_ipython") else text)
    return _list_output(machine, call)


def _list_output(machine: Machine, call: Call) -> Value:
    """`files = !ls folder/*.csv`."""
    words = _split(next(iter(list_texts(call.get(0))), ""))
    patterns = [word for word in words[1:] if to_pattern(word) != word] if words[:1] == ["ls"] else []
    found = tuple(find_pattern(machine, word, "ls") for word in patterns)
    return (Items([found or UNKNOWN], is_open=True),)


def _run_process(machine: Machine, call: Call) -> Value:
    """`subprocess.run` with a list or a line."""
    for each in call.get(0, "args"):
        if isinstance(each, Items):
            words = [_show_word(value) for value in make_items((each,)).elements]
            run_words(machine, [word for word in words if word])
        elif isinstance(each, str):
            run_line(machine, each)
    return (Opaque(call.name + "()"),)


def _show_word(value: Value) -> str:
    if any(isinstance(each, Opaque) and each.name == "sys.executable" for each in value):
        return "python"
    return list_texts(value)[0]


def _line_magic(machine: Machine, call: Call) -> Value:
    name = list_texts(call.get(0))[0]
    line = substitute(machine, list_texts(call.get(1))[0], call.scope) if len(call.args) > 1 else ""
    return _run_magic(machine, name, line.strip(), call)


def _run_magic(machine: Machine, name: str, line: str, call: Call) -> Value:
    if name == "cd":
        machine.change_directory(line.strip("'\""))
    elif name in {"run", "load"}:
        words = [word for word in _split(line) if not (word.startswith("-") and not word.endswith(".py"))]
        script = next((at for at, word in enumerate(_split(line)) if not word.startswith("-")), 0)
        if words:
            _run_here(machine, _split(line)[script:], call)
    elif name in {"time", "timeit", "prun", "memit", "choline"} and call.scope:
        _run_code(machine, _drop_options(line), call.scope)
    elif name in {"bash", "sx", "sc", "system", "!"}:
        run_line(machine, line)
    elif name in {"cat", "head", "less", "more", "pycat", "pfile", "cp", "mv"}:
        run_line(machine, f"{name} {line}")
    elif name == "pip":
        _read_requirements(machine, _split(line))
    return UNKNOWN


def _drop_options(line: str) -> str:
    """What a timing magic times: what stands behind its options and their numbers."""
    words = line.split(" ")
    while words and (words[0].startswith("-") or words[0].isdigit() or not words[0]):
        words.pop(0)
    return " ".join(words)


def _run_here(machine: Machine, words: list[str], call: Call) -> None:
    """`%run script.py`: its names come into the notebook."""
    script = words[0] if words[0].endswith((".py", ".ipy")) else words[0] + ".py"
    module = machine.run_script(script, [(each,) for each in words[1:]])
    if module is not None and call.scope is not None:
        call.scope.module.scope.names.update(
            {name: value for name, value in module.scope.names.items() if not name.startswith("__")}
        )


def _run_code(machine: Machine, code: str, scope: Scope) -> None:
    machine.run(parse_cell(code).body, scope)


def _cell_magic(machine: Machine, call: Call) -> Value:
    name, line, body = (
        (list_texts(value) or [""])[0] for value in (*call.args[:3], *[("",)] * (3 - len(call.args[:3])))
    )
    if name in {"bash", "sh", "script", "!", "system", "sx"}:
        run_lines(machine, body)
    elif name in {"writefile", "file"}:
        machine.record.write(line.replace("-a ", "").strip().strip("'\""), is_sure=True)
    elif name in {"time", "timeit", "capture", "prun", "choline", "memit"} and call.scope:
        _run_code(machine, body, call.scope)
    return UNKNOWN


HANDLERS: dict[str, Callable[[Any, Call], Value]] = {
    **dict.fromkeys(["os.system", "os.popen", "get_ipython().system", "get_ipython().getoutput"], _system),
    **dict.fromkeys(
        [
            "subprocess.run",
            "subprocess.Popen",
            "subprocess.call",
            "subprocess.check_call",
            "subprocess.check_output",
            "subprocess.getoutput",
        ],
        _run_process,
    ),
    **dict.fromkeys(["get_ipython().run_line_magic", "get_ipython().magic"], _line_magic),
    "get_ipython().run_cell_magic": _cell_magic,
    "get_ipython": lambda machine, call: (Opaque("get_ipython()"),),
}
