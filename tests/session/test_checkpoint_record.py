"""What a machine says of its checkpoints is checked; what is kept at home is what its records say."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from choline_jupyter.errors import RequestError
from choline_jupyter.session.checkpoint_list import render_checkpoints
from choline_jupyter.session.checkpoint_policy import Policy, choose_surplus, read_policy
from choline_jupyter.session.checkpoint_record import Kept, list_kept, make_record, read_announced

JOB = "j-1ng39er-39fk5fck"
DIGEST = "a" * 64
FACT: dict[str, Any] = {
    "name": "step-0000000001.pt", "folder": JOB, "files": [["", 10, DIGEST]], "step": 1, "epoch": None, "loss": 0.5,
    "at": 1.0, "made": "checkpoint", "preview": False,
}  # fmt: skip


def test_an_announcement_is_read() -> None:
    announced = read_announced(FACT)
    assert (announced.path, announced.size) == (f"checkpoints/{JOB}/step-0000000001.pt", 10)
    assert make_record(announced, JOB, {})["sha256"] == DIGEST


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": "../x.pt"}, {"name": ".hidden"}, {"name": "a/b"}, {"name": ""}, {"name": "x.json"}, {"name": "x\n"},
        {"folder": ".."}, {"folder": ""}, {"folder": None}, {"folder": "a/b"},
        {"files": []}, {"files": None}, {"files": [["", -1, DIGEST]]}, {"files": [["", 10, "b"]]},
        {"files": [["..", 10, DIGEST], ["x", 1, DIGEST]]}, {"files": [["a/b", 10, DIGEST], ["x", 1, DIGEST]]},
        {"files": [["", 10, DIGEST], ["x", 1, DIGEST]]}, {"files": [["", True, DIGEST]]},
        {"difference": {"blob": "x", "size": 1, "base": "y"}},
        {"difference": {"blob": DIGEST, "size": 1, "base": "../../x"}},
        {"difference": {"blob": DIGEST, "size": -1, "base": "y"}},
    ],
)  # fmt: skip
def test_one_that_leads_elsewhere_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises((ValueError, TypeError)):
        read_announced({**FACT, **wrong})


@given(
    st.dictionaries(
        st.sampled_from(sorted(FACT)), st.one_of(st.none(), st.integers(), st.text(), st.lists(st.text())), max_size=4
    )
)
def test_nonsense_is_an_error_of_two_kinds_only(wrong: dict[str, Any]) -> None:
    try:
        announced = read_announced({**FACT, **wrong})
    except (ValueError, TypeError):
        return
    assert announced.path.startswith("checkpoints/")
    assert ".." not in announced.path.split("/")


@pytest.mark.parametrize(("loss", "kept"), [("nan", "nan"), (1e400, None), (True, None), ([1], None), ("low", None)])
def test_a_loss_that_is_no_number(loss: Any, kept: Any) -> None:
    record = make_record(read_announced({**FACT, "loss": loss}), JOB, {})
    assert record["loss"] == kept
    assert Kept(Path("x"), record).find_metric("loss") is None


def test_files_without_a_record_or_of_another_size_are_not_listed(tmp_path: Path) -> None:
    folder = tmp_path / "checkpoints" / JOB
    folder.mkdir(parents=True)
    for name, size in (("a.pt", 10), ("b.pt", 11), ("c.pt", 10)):
        (folder / name).write_bytes(b"x" * 10)
        if name != "c.pt":
            (folder / f"{name}.json").write_text(json.dumps({"size": size, "at": 1}))
    (folder / "d.pt.json").write_text("no json")
    assert [kept.path.name for kept in list_kept(tmp_path)] == ["a.pt"]


def make_kept(*losses: float | str, **more: Any) -> list[Kept]:
    return [Kept(Path(f"{place}.pt"), {"loss": loss, "at": 100.0 * place, **more}) for place, loss in enumerate(losses)]


@pytest.mark.parametrize(
    ("text", "stay"),
    [
        ("last=1,best=loss", [1, 4]),
        ("last=2", [1, 3, 4]),
        ("last=1,best=max:loss", [0, 4]),
        ("last=1,best=other", [4]),
        ("last=1,best=other,every=5m", [0, 3, 4]),
        ("last=100", [0, 1, 2, 3, 4]),
    ],
)
def test_a_policy_chooses(text: str, stay: list[int]) -> None:
    kept = make_kept(9.0, 1.0, "nan", 2.0, 3.0)
    gone = choose_surplus(kept, read_policy(text))
    assert [place for place, one in enumerate(kept) if one not in gone] == stay


def test_previews_and_noticed_files_count_by_themselves() -> None:
    kept = [*make_kept(1.0, 2.0, preview=True), *make_kept(1.0, 2.0, source="a.pt"), *make_kept(1.0, 2.0)]
    assert len(choose_surplus(kept, Policy(last=1, metric=""))) == 3


@pytest.mark.parametrize(
    "text", ["last=0", "last=-1", "last=x", "best", "best=", "every=2", "every=0h", "all", "last=1;x"]
)
def test_a_policy_that_makes_no_sense_is_refused(text: str) -> None:
    with pytest.raises(RequestError, match="not understood"):
        read_policy(text)


def write_kept(root: Path, name: str, **record: Any) -> None:
    folder = root / "checkpoints" / "j-1"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(b"x")
    (folder / f"{name}.json").write_text(json.dumps({"size": 1, "sha256": "0" * 64, **record}))


def test_a_clock_a_day_ahead_makes_none_the_newest(tmp_path: Path) -> None:
    """The job's second machine is right, the first one's clock was a day ahead, and one of it jumped back."""
    write_kept(tmp_path, "a", job="j-1", order=[1, 1, 10], at=86_400 + 10.0)
    write_kept(tmp_path, "b", job="j-1", order=[1, 1, 20], at=20.0)
    write_kept(tmp_path, "c", job="j-1", order=[2, 2, 5], at=30.0)
    write_kept(tmp_path, "d", job="j-2", order=[1, 1, 3], at=15.0)  # resumed as another job
    assert [kept.path.name for kept in list_kept(tmp_path, "j-1")] == ["a", "b", "c", "d"]
    gone = choose_surplus(list(list_kept(tmp_path, "j-1")), read_policy("last=2"))
    assert [kept.path.name for kept in gone] == ["a", "b"]


@pytest.mark.parametrize(
    "record",
    [
        {},
        {"order": None},
        {"order": ["x"]},
        {"order": [1, 2, 3, 4]},
        {"job": 7},
        {"at": "soon"},
        {"at": None, "new": {}},
    ],
)
def test_a_record_of_another_version_is_listed(tmp_path: Path, record: dict[str, Any]) -> None:
    write_kept(tmp_path, "a", **record)
    write_kept(tmp_path, "b", job="j-1", order=[1, 1, 1], at=1.0)
    assert {kept.path.name for kept in list_kept(tmp_path, "j-1")} == {"a", "b"}
    assert "a" in render_checkpoints(tmp_path)
    assert "2 more on the way here." in render_checkpoints(tmp_path, coming=2)
