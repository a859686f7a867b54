"""Reads options and their values for one target: a cell, a script, a verb, or the bare command.

Called by `options` alone. Promise: an option that does not exist here is named with the nearest that does, or with
where it belongs; one given twice, without its value, or with one it does not take is refused.
"""

from __future__ import annotations

import re
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

from choline_jupyter.errors import RequestError, UnknownOption
from choline_jupyter.session.option_table import (
    CELL,
    COMMAND,
    NAME_LENGTH,
    SCRIPT,
    Kind,
    Option,
    Positional,
    Table,
    quote,
    read_text,
    read_value,
)
from choline_jupyter.session.usage import PROGRAM, write_usage

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

SCRIPT_HINT = f"The script's own arguments go behind --, as in {PROGRAM} train.py -- ARGS."

_GPUS = re.compile(r"--[1-9][0-9]*x[\w.-]+\Z")

Value = bool | int | float | str | tuple[str, ...] | None


@dataclass(frozen=True)
class Values:
    """The options of one request: every one it could have, None where it was not given. Durations are seconds.

    Asking for an option that the request could not have raises KeyError.
    """

    items: Mapping[str, Value]

    def has(self, name: str) -> bool:
        """Whether the option was given."""
        return self.items[name] is not None

    def text(self, name: str) -> str | None:
        """A TEXT option's value."""
        value = self.items[name]
        assert value is None or isinstance(value, str), name
        return value

    def list(self, name: str) -> tuple[str, ...]:
        """A LIST's or GRID's values."""
        value = self.items[name] or ()
        assert isinstance(value, tuple), name
        return value

    def amount(self, name: str) -> float | None:
        """A MONEY option's value, in USD."""
        value = self.items[name]
        assert value is None or isinstance(value, float), name
        return value

    def number(self, name: str) -> int | None:
        """A COUNT's value, a DURATION's in seconds, a SIZE's in bytes."""
        value = self.items[name]
        assert value is None or (isinstance(value, int) and not isinstance(value, bool)), name
        return value


class Reader:
    """Reads the options and words of one target: CELL, SCRIPT, COMMAND or a verb."""

    def __init__(self, target: str, program: str, table: Table) -> None:
        self._target, self._program, self._table = target, program, table
        self._options = {option.name: option for option in table.list_options(target)}

    def read(self, tokens: Iterable[str]) -> tuple[Values, list[str]]:
        """The options' values, and the words that are no options."""
        given: dict[str, Value] = dict.fromkeys(self._options)
        words: list[str] = []
        remaining = deque(tokens)
        while remaining:
            token = _spell_out(remaining.popleft())
            if not is_option(token):
                words.append(token)
                continue
            option = self._find_option(token)
            earlier, value = given[option.name], _take_value(option, token, remaining)
            if earlier is not None and option.kind not in (Kind.LIST, Kind.GRID):
                raise RequestError(f"--{option.name} is given twice.", "Keep one of them.")
            given[option.name] = (
                (*earlier, *value) if isinstance(earlier, tuple) and isinstance(value, tuple) else value
            )
        return Values(given), words

    def check_words(self, words: Sequence[str], positionals: Sequence[Positional], values: Values) -> None:
        """Raise RequestError unless the words are those that the target takes."""
        usage = f"Write {write_usage(self._program, self._target, self._table)}."
        if positionals and positionals[-1].is_many:
            positionals = [*positionals, *[positionals[-1]] * (len(words) - len(positionals))]
        for word in words[len(positionals) :]:
            raise RequestError(f"{self._spell()} has no use for {quote(word)}.", usage)
        for positional in positionals[len(words) :]:
            if positional.required:
                raise RequestError(f"{self._spell()} needs a {positional.name}.", usage)
        for positional, word in zip(positionals, words, strict=False):
            read_text(positional.name, word, positional.limit)
            self._refuse_both(positional, values)

    def _refuse_both(self, positional: Positional, values: Values) -> None:
        for option in self._options.values():
            if option.instead_of == positional.name and values.has(option.name):
                message = f"{self._spell()} takes {positional.name} or --{option.name}, not both."
                raise RequestError(message, "Keep one of them.")

    def _find_option(self, token: str) -> Option:
        option = self._options.get(find_name(token))
        if option and token.partition("=")[0] == f"--{option.name}":
            return option
        raise UnknownOption(f"{self._spell()} has no option {quote(token)}.", self._advise_on_option(token))

    def _advise_on_option(self, token: str) -> str:
        elsewhere = self._table.find_option(find_name(token))
        if elsewhere and elsewhere.name not in self._options:
            return f"--{elsewhere.name} goes with {' or '.join(elsewhere.targets)}."
        nearest = find_nearest(find_name(token), self._options)
        question = f"Did you mean --{nearest}?" if nearest else ""
        if self._target == SCRIPT:
            return f"{question} {SCRIPT_HINT}".lstrip()
        return question or f"Write {write_usage(self._program, self._target, self._table)}."

    def _spell(self) -> str:
        if self._target == COMMAND:
            return self._program
        return self._target if self._target == CELL else f"{self._program} {self._target}"


def _spell_out(token: str) -> str:
    """`--4x3090` means `--gpu=4x3090`."""
    return f"--gpu={token[2:]}" if _GPUS.match(token) else token


def is_option(word: str) -> bool:
    """Whether a word of the line is written as an option; a lone dash is not."""
    return word.startswith("-") and word != "-"


def find_name(token: str) -> str:
    """The option's name in `--name` or `--name=value`."""
    return token.lstrip("-").partition("=")[0]


def find_nearest(name: str, names: Iterable[str]) -> str | None:
    """The one of `names` that starts with `name` or looks most like it; None where none does."""
    from difflib import get_close_matches

    known = list(names)
    short = name.lower()[:NAME_LENGTH]
    starting = [candidate for candidate in known if short and candidate.startswith(short)]
    return next(iter(starting or get_close_matches(short, known, 1)), None)


def _take_value(option: Option, token: str, remaining: deque[str]) -> Value:
    """The value of the option in `token`: behind its `=`, or the next of the remaining tokens."""
    _, equals, text = token.partition("=")
    if option.kind is Kind.FLAG:
        if equals:
            raise RequestError(f"--{option.name} takes no value.", f"Write --{option.name} alone.")
        return True
    if not equals and (not remaining or remaining[0].startswith("--")):
        raise RequestError(f"--{option.name} needs a value.", f"Write {option.spell()}.")
    return read_value(option, text if equals else remaining.popleft())
