"""Text: streams, their order, progress lines, colours."""

from __future__ import annotations

import pytest

from tests.e2e.kernels.pair import Pair

pytestmark = pytest.mark.e2e

INTERLEAVED = """
import sys
for number in range(20):
    print("out", number, flush=True)
    print("err", number, file=sys.stderr, flush=True)
"""


@pytest.mark.parametrize(
    "code",
    [
        pytest.param(INTERLEAVED, id="interleaved"),
        pytest.param("for i in range(50): print(f'\\r{i} %', end='', flush=True)", id="carriage-return"),
        pytest.param("print('no newline', end='')", id="no-newline"),
        pytest.param("print('first\\n\\n', 'third', sep='\\n')", id="empty-lines"),
        pytest.param("print('Grüße, 世界 🚀 \\u202e e\\u0301 \\x7f \\x00 end')", id="unicode"),
        pytest.param("print('\\x1b[31mred\\x1b[0m \\x1b[1;38;5;208mbold\\x1b[0m \\x1b[2K\\x1b[1A')", id="ansi"),
        pytest.param("import sys; n = sys.stdout.write('written\\n'); sys.stderr.write('err'); n", id="write"),
        pytest.param("import os; os.write(1, b'raw descriptor\\n'); import sys; sys.stdout.flush()", id="descriptor"),
        pytest.param("for i in range(3000): print(i)", id="many-lines"),
    ],
)
def test_text(pair: Pair, code: str) -> None:
    pair.compare(code)
