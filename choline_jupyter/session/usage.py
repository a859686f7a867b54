"""Usage lines and help, written from the option table.

Called by `options` for hints, and by `magic` and `cli` for `--help` and docstrings. Promise: nothing is described here
that the table does not hold.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from choline_jupyter.session.option_table import CELL, COMMAND, SCRIPT, TABLE, Kind, Option, Table

if TYPE_CHECKING:
    from collections.abc import Sequence

MAGIC = "%choline"
PROGRAM = "choline"


def write_usage(program: str, target: str, table: Table = TABLE) -> str:
    """One line: how `target` (CELL, SCRIPT, COMMAND or a verb) is written; `program` is MAGIC or PROGRAM."""
    options = [f"[{option.spell()}]" for option in table.list_options(target)]
    return " ".join([_write_head(program, target, table), *options, *(["[-- ARGS]"] if target == SCRIPT else [])])


def render_help(topic: str = "", program: str = PROGRAM, table: Table = TABLE) -> str:
    """The help text of a `HelpRequest`: `topic` is CELL, SCRIPT, a verb, or empty for all that `program` can do."""
    verb = table.find_verb(topic)
    if verb:
        return _join(f"usage: {write_usage(program, topic, table)}", verb.help, _list_options(topic, table))
    run = topic or (CELL if program == MAGIC else SCRIPT)
    usage = f"usage: {write_usage(program, run, table)}"
    if topic:
        return _join(usage, _list_options(topic, table))
    return _join(f"{usage}\n       {program} VERB", _list_options(run, table), _list_verbs(table))


def _write_head(program: str, target: str, table: Table) -> str:
    if target == CELL:
        return CELL
    if target == COMMAND:
        return program
    verb = table.find_verb(target)
    return f"{program} {verb.spell() if verb else target}"


def _list_options(target: str, table: Table) -> str:
    return _align("options", [(option.spell(), _explain(option)) for option in table.list_options(target)])


def _explain(option: Option) -> str:
    return f"{option.help}, such as 90s, 30m, 1h30m" if option.kind is Kind.DURATION else option.help


def _list_verbs(table: Table) -> str:
    return _align("verbs", [(verb.spell(), verb.help) for verb in table.verbs])


def _align(title: str, rows: Sequence[tuple[str, str]]) -> str:
    width = max((len(left) for left, _ in rows), default=0)
    return "\n".join([f"{title}:", *(f"  {left:<{width}}  {right}" for left, right in rows)]) if rows else ""


def _join(*blocks: str) -> str:
    return "\n\n".join(block for block in blocks if block)
