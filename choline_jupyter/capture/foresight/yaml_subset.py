"""The part of YAML that config files are written in: nested mappings, lists, scalars, flow lists and comments.

Called by `configs`. What lies beyond it (anchors, tags, block texts) is left out; nothing is raised but `ValueError`.
"""

from __future__ import annotations

import re
from typing import Any

_KEY = re.compile(r"""("[^"]*"|'[^']*'|[^\s:'"\[\]{},#][^:]*):(?:\s+(.*))?\Z""")
_NUMBER = re.compile(r"[-+]?\d+\Z")
_FLOAT = re.compile(r"[-+]?(\d+\.\d*|\.\d+|\d+)([eE][-+]?\d+)?\Z")
_CONSTANTS = {"true": True, "false": False, "null": None, "~": None, "": None, "yes": True, "no": False}


def parse(text: str) -> Any:
    """The data of a document."""
    lines = [(len(line) - len(line.lstrip()), line.strip()) for line in map(_cut_comment, text.splitlines())]
    lines = [(indent, line) for indent, line in lines if line and line not in {"---", "..."}]
    if not lines:
        return None
    data, _ = _parse_block(lines, 0, lines[0][0], 0)
    return data


def _cut_comment(line: str) -> str:
    """The line up to a `#` that stands outside of quotes, at its start or behind a space."""
    quote = ""
    for at, letter in enumerate(line):
        is_start = at == 0 or line[at - 1] in " \t:[{,-"
        if quote:
            quote = "" if letter == quote else quote
        elif letter in "\"'" and is_start:
            quote = letter
        elif letter == "#" and (at == 0 or line[at - 1] in " \t"):
            return line[:at]
    return line


def _parse_block(lines: list[tuple[int, str]], at: int, indent: int, depth: int) -> tuple[Any, int]:
    if depth > 30:
        raise ValueError("nested too deeply")
    if lines[at][1].startswith("- ") or lines[at][1] == "-":
        return _parse_list(lines, at, indent, depth)
    if not _KEY.match(lines[at][1]):
        return _parse_scalar(lines[at][1]), at + 1
    return _parse_mapping(lines, at, indent, depth)


def _parse_mapping(lines: list[tuple[int, str]], at: int, indent: int, depth: int) -> tuple[dict[str, Any], int]:
    made: dict[str, Any] = {}
    while at < len(lines) and lines[at][0] == indent:
        found = _KEY.match(lines[at][1])
        if not found:
            break
        key, rest = found.group(1).strip().strip("\"'"), (found.group(2) or "").strip()
        at += 1
        below = at < len(lines) and (
            lines[at][0] > indent or (lines[at][0] == indent and lines[at][1].startswith("- "))
        )
        if (not rest or rest[0] in "|>&") and below:
            made[key], at = _parse_block(lines, at, lines[at][0], depth + 1)
            at = _skip(lines, at, indent) if rest else at
        else:
            made[key] = _parse_scalar(rest)
    return made, max(at, 1)


def _skip(lines: list[tuple[int, str]], at: int, indent: int) -> int:
    while at < len(lines) and lines[at][0] > indent:
        at += 1
    return at


def _parse_list(lines: list[tuple[int, str]], at: int, indent: int, depth: int) -> tuple[list[Any], int]:
    made: list[Any] = []
    while at < len(lines) and lines[at][0] == indent and lines[at][1][:1] == "-":
        line = lines[at][1][1:]
        rest = line.strip()
        inner = indent + 1 + len(line) - len(line.lstrip())
        if rest and not _KEY.match(rest):
            made.append(_parse_scalar(rest))
            at += 1
        elif rest:
            lines[at] = (inner, rest)
            value, at = _parse_mapping(lines, at, inner, depth + 1)
            made.append(value)
        elif at + 1 < len(lines) and lines[at + 1][0] > indent:
            value, at = _parse_block(lines, at + 1, lines[at + 1][0], depth + 1)
            made.append(value)
        else:
            made.append(None)
            at += 1
    return made, at


def _parse_scalar(text: str) -> Any:
    text = text.strip()
    if text[:1] in {'"', "'"} and text[-1:] == text[0]:
        return text[1:-1]
    if text.startswith("[") and text.endswith("]"):
        return [_parse_scalar(each) for each in _split_flow(text[1:-1])]
    if text.startswith("{") and text.endswith("}"):
        pairs = (each.partition(":") for each in _split_flow(text[1:-1]))
        return {key.strip().strip("\"'"): _parse_scalar(value) for key, _, value in pairs}
    if text.lower() in _CONSTANTS:
        return _CONSTANTS[text.lower()]
    if len(text) < 30 and _NUMBER.match(text):
        return int(text)
    return float(text) if len(text) < 30 and _FLOAT.match(text) else text


def _split_flow(text: str) -> list[str]:
    """Splits at commas that stand outside of brackets and quotes."""
    pieces, depth, quote = [""], 0, ""
    for letter in text:
        if quote:
            quote = "" if letter == quote else quote
        elif letter in "\"'":
            quote = letter
        depth += (letter in "[{") - (letter in "]}") if not quote else 0
        if letter == "," and not depth and not quote:
            pieces.append("")
        else:
            pieces[-1] += letter
    if depth > 20:
        raise ValueError("nested too deeply")
    return [piece for piece in pieces if piece.strip()]
