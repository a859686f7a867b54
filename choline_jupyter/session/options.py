"""What the user typed, read into a request: `%%choline` lines, `%choline` lines and the command's arguments.

Called by `magic` and `cli` before anything else happens. Promise: no I/O; whatever is typed gives a request or a
`RequestError` of one sentence and one hint, which names the nearest option or verb that exists.
"""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING

from choline_jupyter.errors import RequestError, UnknownVerb
from choline_jupyter.session.option_reader import (
    SCRIPT_HINT,
    Reader,
    Values,
    find_name,
    find_nearest,
    is_option,
)
from choline_jupyter.session.option_table import CELL, COMMAND, SCRIPT, TABLE, Kind, Table, quote
from choline_jupyter.session.usage import MAGIC, PROGRAM, write_usage

if TYPE_CHECKING:
    from collections.abc import Sequence

_LINE_LENGTH = 10_000  # characters: shlex takes a second for each million


@dataclass(frozen=True)
class CellRequest:
    """`%%choline [options]` on top of a cell."""

    options: Values


@dataclass(frozen=True)
class VerbRequest:
    """`%choline VERB ...` or `choline VERB ...`; `positionals` are at most those the verb's row names."""

    verb: str
    positionals: tuple[str, ...]
    options: Values


@dataclass(frozen=True)
class ScriptRequest:
    """`choline SCRIPT [options] [-- args]`; the script is not yet known to exist."""

    script: str
    args: tuple[str, ...]
    options: Values


@dataclass(frozen=True)
class HelpRequest:
    """The user asked for help: pass `topic` to `usage.render_help`."""

    topic: str = ""


@dataclass(frozen=True)
class VersionRequest:
    """The user asked for the version."""


LineRequest = VerbRequest | HelpRequest | VersionRequest
CommandRequest = LineRequest | ScriptRequest


def parse_cell(line: str, table: Table = TABLE) -> CellRequest:
    """Read what stands behind `%%choline`; raises RequestError."""
    tokens, rest = _divide(_split(line, CELL))
    values, words = Reader(CELL, CELL, table).read(tokens)
    for word in (*words, *rest):
        raise RequestError(f"{CELL} takes options only, not {quote(word)}.", _advise_on_cell(word, table))
    return CellRequest(values)


def parse_line(line: str, table: Table = TABLE) -> LineRequest:
    """Read what stands behind `%choline`; raises RequestError."""
    tokens, rest = _divide(_split(line, MAGIC))
    head = _find_word(tokens, table)
    if head is None:
        return _parse_bare(tokens, rest, MAGIC, table)
    return _parse_verb(tokens, rest, head, MAGIC, table)


def parse_command(argv: Sequence[str], table: Table = TABLE) -> CommandRequest:
    """Read the command's arguments (without the program's name); raises RequestError."""
    tokens, rest = _divide(_check_tokens(list(argv), PROGRAM))
    head = _find_word(tokens, table)
    if head is None:
        return _parse_bare(tokens, rest, PROGRAM, table)
    if table.find_verb(tokens[head]) or not _looks_like_script(tokens[head]):
        return _parse_verb(tokens, rest, head, PROGRAM, table)
    return _parse_script(tokens, rest, head, table)


def _parse_verb(tokens: list[str], rest: list[str], head: int, program: str, table: Table) -> VerbRequest | HelpRequest:
    verb = table.find_verb(tokens[head])
    if not verb:
        raise UnknownVerb(f"There is no verb {quote(tokens[head])}.", _advise_on_verb(tokens[head], program, table))
    reader = Reader(verb.name, program, table)
    values, words = reader.read(tokens[:head] + tokens[head + 1 :])
    if values.has("help"):
        return HelpRequest(verb.name)
    words += rest
    reader.check_words(words, verb.positionals, values)
    return VerbRequest(verb.name, tuple(words), values)


def _parse_script(tokens: list[str], rest: list[str], head: int, table: Table) -> ScriptRequest | HelpRequest:
    values, words = Reader(SCRIPT, PROGRAM, table).read(tokens[:head] + tokens[head + 1 :])
    if values.has("help"):
        return HelpRequest(SCRIPT)
    for word in words:
        raise RequestError(f"{PROGRAM} runs one script; {quote(word)} is not an option.", SCRIPT_HINT)
    return ScriptRequest(tokens[head], tuple(rest), values)


def _parse_bare(tokens: list[str], rest: list[str], program: str, table: Table) -> HelpRequest | VersionRequest:
    """Neither verb nor script: the few options that stand alone, and nothing at all asks for help."""
    reader = Reader(COMMAND, program, table)
    values, _ = reader.read(tokens)
    reader.check_words(rest, (), values)
    return VersionRequest() if values.has("version") else HelpRequest()


def _split(line: str, owner: str) -> list[str]:
    if len(line) > _LINE_LENGTH:
        raise RequestError(f"The {owner} line is {len(line)} characters long.", "Put the code on the lines below it.")
    try:
        tokens = shlex.split(line)
    except ValueError:  # an open quote, or a backslash with nothing behind it
        message = f"A quote or backslash in the {owner} line has no end."
        raise RequestError(message, 'Put a name with spaces or quotes in double quotes, as in "it\'s mine".') from None
    return _check_tokens(tokens, owner)


def _check_tokens(tokens: list[str], owner: str) -> list[str]:
    if any("\0" in token for token in tokens):
        raise RequestError(f"There is a NUL byte behind {owner}.", "Delete it; it may have come with pasted text.")
    return tokens


def _divide(tokens: list[str]) -> tuple[list[str], list[str]]:
    """What stands before the first `--`, and what behind it."""
    if "--" not in tokens:
        return tokens, []
    end = tokens.index("--")
    return tokens[:end], tokens[end + 1 :]


def _find_word(tokens: list[str], table: Table) -> int | None:
    """Where the first word stands that is neither an option nor an option's value."""
    is_value = False
    for index, token in enumerate(tokens):
        if is_value and not token.startswith("--"):
            is_value = False
        elif is_option(token):
            option = table.find_option(find_name(token))
            is_value = bool(option and option.kind is not Kind.FLAG and "=" not in token)
        else:
            return index
    return None


def _looks_like_script(word: str) -> bool:
    """Scripts are told from verbs by a dot or a slash: `train.py`, `./train`."""
    return "/" in word or "." in word


def _advise_on_verb(word: str, program: str, table: Table) -> str:
    names = [verb.name for verb in table.verbs]
    nearest = find_nearest(word, names)
    if nearest:
        return f"Did you mean {program} {nearest}?"
    script = f" A script is named as in train.py or ./{word}." if program == PROGRAM and word.isidentifier() else ""
    return f"The verbs are {', '.join(names)}.{script}"


def _advise_on_cell(word: str, table: Table) -> str:
    if table.find_verb(word):
        return f"For the verb, write {MAGIC} {word}, with one %."
    nearest = find_nearest(word, [option.name for option in table.list_options(CELL)])
    return f"Did you mean --{nearest}?" if nearest else f"Write {write_usage(CELL, CELL, table)}."
