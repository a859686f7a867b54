"""One question, start to end: walks the given pieces of code and gathers what they need.

Called by `foresee`.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from choline_jupyter.capture.foresight.budget import Budget, Exhausted
from choline_jupyter.capture.foresight.definitions import escape, run_unseen
from choline_jupyter.capture.foresight.disk import Disk
from choline_jupyter.capture.foresight.locate import Finder
from choline_jupyter.capture.foresight.machine import Machine
from choline_jupyter.capture.foresight.need import Need, Source
from choline_jupyter.capture.foresight.parse import parse_cell
from choline_jupyter.capture.foresight.record import Record
from choline_jupyter.capture.foresight.value import Module

# Of the steps that are left, what one piece of code may take: a half, an earlier cell a tenth.
_SHARE, _SHARE_OF_EARLIER = 2, 10


def analyse(
    sources: Sequence[Source], directory: str, namespace: Mapping[str, Any], search_path: list[str], steps: int
) -> tuple[list[Need], list[Exception]]:
    """The needs of some pieces of code, and what went wrong in here on the way."""
    budget = Budget(steps)
    disk = Disk(budget)
    record = Record(disk, directory)
    finder = Finder(disk, list(dict.fromkeys([directory, *search_path])))
    machine = Machine(disk, record, finder, budget, namespace)
    notebook = machine.make_module("")
    for source in sources:
        budget.allow(_SHARE if source.is_target else _SHARE_OF_EARLIER)
        _walk_bounded(_walk, machine, source, notebook)
    budget.allow(1)
    _walk_bounded(_walk_rest, machine)
    budget.grant(20_000)
    try:
        return record.finish(), machine.faults
    except Exhausted:
        return record.list_needs(), machine.faults


def _walk_bounded(walk: Callable[..., None], *arguments: Any) -> None:
    try:
        walk(*arguments)
    except (Exhausted, RecursionError, MemoryError):
        pass  # what was found so far is right, and better than nothing


def _walk(machine: Machine, source: Source, notebook: Module) -> None:
    tree = parse_cell(source.code)
    machine.label = source.label
    if machine.is_context and source.is_target:
        machine.refresh(notebook.scope)
    machine.is_context = machine.record.is_muted = not source.is_target
    if not source.label.endswith(".py"):
        notebook.label = source.label
        machine.run(tree.body, notebook.scope)
        return
    path = os.path.normpath(os.path.join(machine.start, source.label))
    machine.label = machine.name_of(path)
    script = Module("__main__", path, machine.label)
    words = None if source.arguments is None else [(word,) for word in source.arguments]
    with machine.as_program(path, words):
        machine.run(tree.body, script.scope)
        _walk_hooked(machine)


def _walk_hooked(machine: Machine) -> None:
    """Functions that a decorator gave to a library, which calls them later."""
    for function in machine.hooked:
        escape(machine, function)
    machine.hooked.clear()


def _walk_rest(machine: Machine) -> None:
    """What Python and libraries call by themselves: hooks, and methods such as `__getitem__`."""
    machine.record.is_muted = False
    _walk_hooked(machine)
    for instance in machine.instances:  # grows while it is walked
        if not instance.is_muted:
            run_unseen(machine, instance)
