"""What is read out of a job's printed text."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from choline_jupyter.server.printed import read_losses, read_progress, read_tail


@pytest.mark.parametrize(
    ("text", "losses"),
    [
        ("step 3 loss 2.25\nstep 4 loss 2.125\n", [2.25, 2.125]),
        ("{'loss': 0.5, 'epoch': 1}", [0.5]),
        ("train_loss=1 loss=1.5e-3 val", [0.0015]),
        ("Loss: .25", [0.25]),
        ("loss nan loss 1e999", []),
        ("glossary 5, lossless 7", []),
        ("\x1b[1mloss\x1b[0m: 3", [3.0]),
    ],
)
def test_losses(text: str, losses: list[float]) -> None:
    assert read_losses(text) == losses


@pytest.mark.parametrize(
    ("text", "progress"),
    [
        (" 45%|####5     | 45/100 [00:09<01:05,  5.0it/s]", (45, 100, 65, "5.0it/s")),
        ("\r 1%| | 1/9 [00:01<?, ?it/s]\r 2%| | 2/9 [00:02<1:00:01, 1.1s/it]", (2, 9, 3601, "1.1s/it")),
        ("data: 12.5M/1.00G [00:01<00:10, 10MB/s]", (12.5e6, 1e9, 10, "10MB/s")),
        ("100/50 [00:01<00:02, 3it/s]", None),
        ("1.2.3/4 [00:01<00:02]", None),
        ("no bar, 3/4 of it", None),
        ("epoch 2 of 9\nStep 3/40 loss 2.5\n", (3, 40, None, "")),
        ("step 3/40\n 45%|##| 45/100 [00:09<00:11, 5.0it/s]", (45, 100, 11, "5.0it/s")),
        ("steps 9/4", None),
    ],
)
def test_progress(text: str, progress: tuple[float, float, float, str] | None) -> None:
    found = read_progress(text)
    assert (tuple(found.values()) if found else None) == progress


def test_the_tail_is_what_a_terminal_shows() -> None:
    assert read_tail("one\ntwo\r 10%\r 20%\n\x1b[31mred\x1b[0m\n", 2) == [" 20%", "red"]
    assert read_tail("", 5) == []


@given(st.text(max_size=300))
def test_any_text_is_read(text: str) -> None:
    assert len(read_tail(text, 3)) <= 3
    read_progress(text)
    read_losses(text)
