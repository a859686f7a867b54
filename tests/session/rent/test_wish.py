"""What the options wish for, and what may be spent on it."""

from __future__ import annotations

from pathlib import Path

import pytest

from choline_jupyter.errors import RequestError
from choline_jupyter.model.offer import GIB, Wish
from choline_jupyter.session.machine import limit_further, make_spec
from choline_jupyter.session.options import parse_cell, parse_command, parse_line
from choline_jupyter.session.rent import suppliers
from choline_jupyter.session.rent.limits import Limits, read_limits
from choline_jupyter.session.rent.wish import read_wish


@pytest.fixture(autouse=True)
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    (tmp_path / "choline").mkdir()
    return tmp_path / "choline/config.toml"


@pytest.mark.parametrize(
    ("line", "wish"),
    [
        ("--gpu a100", Wish("A100", 1)),
        ("--gpu 4x3090", Wish("RTX 3090", 4)),
        ("--4x3090", Wish("RTX 3090", 4)),
        ("--gpu a100:2 --spot", Wish("A100", 2, is_spot=True)),
        ("--memory 40GB", Wish(gpu_memory=40 * GIB)),
        ("--gpu h100 --region EU --max-price 2.50", Wish("H100", 1, region="EU", max_price=2.5)),
    ],
)
def test_options_are_a_wish(line: str, wish: Wish) -> None:
    assert read_wish(parse_cell(line).options) == wish


def test_an_unknown_gpu_names_the_nearest() -> None:
    with pytest.raises(RequestError, match="There is no GPU") as caught:
        read_wish(parse_cell("--gpu rtx3091").options)
    assert "3090" in caught.value.hint


@pytest.mark.parametrize("text", ["0", "-3", "lots", "1e3", "5 USD", "nan", "0.00"])
def test_a_budget_is_an_amount(text: str) -> None:
    with pytest.raises(RequestError, match="no amount of money"):
        parse_cell(f'--gpu a100 --budget="{text}"')


@pytest.mark.parametrize("text", ["40", "GB", "-1GB", "0GB", "many"])
def test_a_size_is_a_size(text: str) -> None:
    with pytest.raises(RequestError, match="no size"):
        parse_cell(f"--memory={text}")


def test_without_a_budget_nothing_is_rented() -> None:
    with pytest.raises(RequestError, match="needs a budget"):
        make_spec("n", parse_cell("--gpu a100").options)


def test_a_notebook_can_only_lower_what_the_configuration_allows(config: Path) -> None:
    config.write_text("[money]\nbudget = 5\n")
    assert read_limits(parse_cell("--gpu a100").options).budget == 5
    assert read_limits(parse_cell("--gpu a100 --budget 2").options).budget == 2
    with pytest.raises(RequestError, match="more than the 5 USD"):
        read_limits(parse_cell("--gpu a100 --budget 6").options)


@pytest.mark.parametrize("text", ["budget = -1", "budget = 'five'", "monthly = true", "weekly = 3", "budget = inf"])
def test_a_configuration_that_makes_no_sense_is_said(config: Path, text: str) -> None:
    config.write_text(f"[money]\n{text}\n")
    with pytest.raises(RequestError, match=r"config\.toml"):
        read_limits(parse_cell("--gpu a100 --budget 1").options)


def test_yes_is_not_taken_from_a_cell() -> None:
    with pytest.raises(RequestError, match="no option '--yes'"):
        parse_cell("--gpu a100 --yes")
    request = parse_command(["train.py", "--gpu", "a100", "--budget", "2", "--yes"])
    assert read_limits(request.options).is_agreed  # type: ignore[union-attr]  # it is a script


def test_a_later_cell_may_lower_the_limits_of_its_session() -> None:
    spec = make_spec("n", parse_cell("--gpu a100 --budget 5 --lease 10m").options)
    assert limit_further(spec, parse_cell("").options) is spec
    lower = limit_further(spec, parse_cell("--budget 3").options)
    assert lower.rent
    assert lower.rent.limits == Limits(3.0, 600.0)
    with pytest.raises(RequestError, match="costs nothing"):
        limit_further(make_spec("n", parse_cell("").options), parse_cell("--budget 3").options)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("--gpu a100 --host lab --budget 1", "has what it has"),
        ("--gpu a100 --provider local --budget 1", "has what it has"),
        ("--gpu a100 --isolated --budget 1", "does not go with a rented machine"),
        ("--budget 1", "for rented machines"),
        ("--provider nowhere --gpu a100 --budget 1", "no provider"),
    ],
)
def test_what_does_not_go_together(line: str, message: str) -> None:
    with pytest.raises(RequestError, match=message):
        make_spec("n", parse_cell(line).options)


def test_offers_take_the_same_wishes() -> None:
    request = parse_line("offers --gpu a100 --spot")
    assert read_wish(request.options) == Wish("A100", 1, is_spot=True)  # type: ignore[union-attr]  # it is a verb


def test_own_machines_are_no_suppliers() -> None:
    assert not {"local", "ssh"} & {one.name for one in suppliers.load_rented(is_any=True)}
