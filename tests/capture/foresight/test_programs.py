"""The labelled set: what programs in many styles need, against what is foreseen."""

from __future__ import annotations

from pathlib import Path

from choline_jupyter.capture.foresight import Need
from tests.capture.foresight.program import Program, read_programs, score

PROGRAMS = read_programs()
RECALL, PRECISION = 0.97, 0.90


def test_there_are_enough_programs() -> None:
    assert len(PROGRAMS) >= 40
    assert all(program.sources and program.needs for program in PROGRAMS)


def test_recall_and_precision(tmp_path: Path) -> None:
    found = wanted = right = sent = 0
    for program in PROGRAMS:
        result = score(program, *_run(program, tmp_path / program.name))
        found, wanted = found + result.found, wanted + len(program.needs)
        right, sent = right + result.right, sent + result.right + len(result.wrong)
        if result.missed or result.wrong:
            print(f"{program.name}: missed {list(result.missed)}, sent for nothing {list(result.wrong)}")
    print(
        f"{len(PROGRAMS)} programs: recall {found}/{wanted} = {found / wanted:.3f}, precision {right}/{sent} = {right / sent:.3f}"
    )
    assert found / wanted >= RECALL
    assert right / sent >= PRECISION


def _run(program: Program, root: Path) -> tuple[Path, list[Need]]:
    root.mkdir()
    program.lay_out(root)
    needs, faults = program.foresee(root)
    assert not faults, faults
    return root, needs
