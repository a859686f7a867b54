"""What `--with` names by address beside paths, and how a download is told of."""

from __future__ import annotations

from pathlib import Path

import pytest

from choline_jupyter.errors import RequestError
from choline_jupyter.session.datasets import describe_datasets, list_datasets, list_paths, render_download
from choline_jupyter.session.option_reader import Values
from choline_jupyter.session.options import parse_cell


def read(line: str) -> Values:
    return parse_cell(line).options


@pytest.mark.parametrize(
    ("word", "path", "url"),
    [
        ("https://h/a.csv", "a.csv", "https://h/a.csv"),
        ("https://h/a.csv?x=1&y=https://other/b", "a.csv", "https://h/a.csv?x=1&y=https://other/b"),
        ("data/b.csv=https://h/a.csv?x=1", "data/b.csv", "https://h/a.csv?x=1"),
        ("a=b.csv=https://h/a.csv", "a=b.csv", "https://h/a.csv"),
        ("data/=https://h/a.csv", "data/a.csv", "https://h/a.csv"),
        ("data=hf://datasets/o/n", "data", "hf://datasets/o/n"),
        ("hf://datasets/o/n", "n", "hf://datasets/o/n"),
        ("/srv/x.bin=s3://bucket/k", "/srv/x.bin", "s3://bucket/k"),
    ],
)
def test_a_path_may_stand_before_an_address(
    word: str, path: str, url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    options = read(f"--with '{word}'")
    [dataset] = list_datasets(options)
    assert (dataset.path, dataset.url) == (tmp_path / path, url)
    assert list_paths(options) == ()


def test_paths_and_addresses_stand_in_one_option() -> None:
    options = read("--with data.csv,https://h/a.csv,x=y.csv --with b=s3://bucket/k")
    assert list_paths(options) == ("data.csv", "x=y.csv")
    assert [one.url for one in list_datasets(options)] == ["https://h/a.csv", "s3://bucket/k"]


@pytest.mark.parametrize(
    ("line", "what"),
    [
        ("--with http://h/a.csv", "changed on its way"),
        ("--with gs://b/a.csv", "Nothing can be fetched"),
        ("--with .=https://h/a.csv", "folder that is there"),
        ("--with https://h/a.csv,https://i/a.csv", "Two addresses"),
        ("--with data/../a.csv=https://h/a.csv,https://i/a.csv", "Two addresses"),
    ],
)
def test_what_cannot_be_is_said_before_anything_starts(line: str, what: str) -> None:
    with pytest.raises(RequestError, match=what) as caught:
        list_datasets(read(line))
    assert caught.value.hint


def test_endpoints_of_this_machine_go_along(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HF_ENDPOINT", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HF_ENDPOINT", "https://mirror.example")
    monkeypatch.setenv("HF_TOKEN", "secret")
    [told] = describe_datasets(read("--with hf://o/m/x"))["datasets"]
    assert told["settings"] == {"HF_ENDPOINT": "https://mirror.example"}
    assert describe_datasets(read("")) == {}


@pytest.mark.parametrize(
    ("fact", "text"),
    [
        ({"done": 5e6, "total": 20e6, "seconds": 2.0}, "5.0 of 20.0 MB downloaded in 2 s; 6 s left"),
        ({"done": 5e6, "total": -1, "seconds": 2.0}, "5.0 MB downloaded in 2 s"),
        ({"waiting": 3e6, "seconds": 1}, "another session downloads it, 3.0 MB so far, 1 s"),
        ({"state": "downloaded", "new": 0, "files": 1, "seconds": 1}, "that machine has it already"),
        ({"state": "downloaded", "new": 2e6, "files": 3, "seconds": 1}, "3 files, downloaded 2.0 MB in 1 s"),
        ({}, "0.0 MB downloaded in 0 s"),
        ({"done": "x", "total": [], "seconds": float("nan")}, "0.0 MB downloaded in 0 s"),
        ({"done": 10**400, "seconds": float("inf")}, "0.0 MB downloaded in 0 s"),
    ],
)
def test_progress_is_a_line(fact: dict[str, object], text: str) -> None:
    assert render_download({"what": "x\x1b[2J", **fact}) == f"choline: x[2J: {text}"
