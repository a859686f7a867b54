"""The table of GPUs: everybody's spelling finds the right one, and nothing else does."""

from __future__ import annotations

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from choline_jupyter.model.gpu import (
    Gpu,
    UnknownGpu,
    find_gpu,
    list_gpus,
    list_matching,
    read_gpus,
)

GIB = 1 << 30
# As users, vast.ai, RunPod, Lambda, Modal and nvidia-smi write them.
SPELLINGS = {
    "3090": "RTX 3090",
    "rtx3090": "RTX 3090",
    "RTX_3090": "RTX 3090",
    "NVIDIA GeForce RTX 4090": "RTX 4090",
    "RTX 4070S Ti": "RTX 4070 Ti Super",
    "A100-80GB": "A100 80GB",
    "a100": "A100",
    "A100 SXM4": "A100",
    "NVIDIA A100-SXM4-80GB": "A100 80GB",
    "NVIDIA A100 80GB PCIe": "A100 80GB",
    "NVIDIA A100-PCIE-40GB": "A100 40GB",
    "A100 (40 GB SXM4)": "A100 40GB",
    "H100": "H100",
    "H100!": "H100",
    "h100-80gb": "H100 80GB",
    "NVIDIA H100 80GB HBM3": "H100 SXM",
    "NVIDIA H100 PCIe": "H100 PCIe",
    "NVIDIA H100 NVL": "H100 NVL",
    "H100 (80 GB SXM5)": "H100 SXM",
    "NVIDIA H200": "H200",
    "GH200 (96 GB)": "GH200",
    "B200 (180 GB SXM6)": "B200",
    "NVIDIA B300 SXM6 AC": "B300",
    "NVIDIA RTX 6000 Ada Generation": "RTX 6000 Ada",
    "RTX 6000Ada": "RTX 6000 Ada",
    "NVIDIA RTX A6000": "RTX A6000",
    "a6000": "RTX A6000",
    "RTX 6000 (24 GB)": "Quadro RTX 6000",
    "Q RTX 8000": "Quadro RTX 8000",
    "NVIDIA RTX PRO 6000 Blackwell Server Edition": "RTX PRO 6000",
    "RTX PRO 6000 WS": "RTX PRO 6000",
    "Tesla T4": "T4",
    "Tesla V100-PCIE-16GB": "V100 16GB",
    "V100-32GB": "V100 32GB",
    "A10": "A10",
    "A10G": "A10G",
    "NVIDIA A40": "A40",
    "NVIDIA L4": "L4",
    "NVIDIA L40": "L40",
    "l40s": "L40S",
    "AMD Instinct MI300X OAM": "MI300X",
}
names = st.sampled_from([gpu.name for gpu in list_gpus()])
kinds = st.sampled_from(sorted({find_gpu(text).name for text in SPELLINGS}))


@pytest.mark.parametrize("text", SPELLINGS)
def test_everybodys_spelling_is_known(text: str) -> None:
    assert find_gpu(text).name == SPELLINGS[text]


@given(names, st.data())
def test_a_name_is_found_in_any_case_with_any_blanks_and_under_every_alias_of_its_own(
    name: str, data: st.DataObject
) -> None:
    gpu = find_gpu(name)
    assert gpu.name == name
    letters = (data.draw(st.sampled_from([letter.lower(), letter.upper()])) for letter in name)
    gap = data.draw(st.sampled_from(["", " ", "-", "_", "  "]))
    assert find_gpu(gap.join("".join(letters).split(" "))) == gpu
    alias = data.draw(st.sampled_from(gpu.aliases))
    assert find_gpu(alias).includes(name)


@given(kinds)
def test_a_family_is_found_by_its_own_name_and_promises_no_more_than_each_member_has(name: str) -> None:
    family = find_gpu(name)
    assert family.name == name
    for member in map(find_gpu, family.members):
        assert family.includes(member.name)
        assert not member.includes(family.name)
        assert family.memory <= member.memory
        assert family.bandwidth <= member.bandwidth
        assert all(few <= many for few, many in zip(family.peaks, member.peaks, strict=True))


def test_the_memory_that_a_provider_tells_decides_within_a_family() -> None:
    assert find_gpu("A100 SXM4", 81920 << 20).name == "A100 80GB"
    assert find_gpu("A100 SXM4", 40536 << 20).name == "A100 40GB"
    assert find_gpu("H100", 95830 << 20).name == "H100 NVL"
    assert find_gpu("H100", 81559 << 20).name == "H100", "a PCIe and an SXM one have as much"
    assert find_gpu("RTX 4090", 49140 << 20).name == "RTX 4090", "a card that was rebuilt is still one"


@given(st.integers(1, 1024), names, st.sampled_from(["{n}x{g}", "{n} x {g}", "{n}X{g}", "{g}:{n}", "{g} : {n}"]))
def test_a_count_stands_before_or_behind(count: int, name: str, form: str) -> None:
    assert read_gpus(form.format(n=count, g=name)) == (count, find_gpu(name))


def test_without_a_count_it_is_one() -> None:
    assert read_gpus("a100") == (1, find_gpu("A100"))
    assert read_gpus("4x3090") == (4, find_gpu("RTX 3090"))
    assert read_gpus("1x A100 (40 GB SXM4)") == (1, find_gpu("A100 40GB"))


@pytest.mark.parametrize(
    "text", ["0x3090", "a100:0", "2xa100:2", "5000xa100", "a100:99999999999", "x", "4x", ":4", "", " "]
)
def test_what_is_no_count_of_a_gpu_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        read_gpus(text)


@pytest.mark.parametrize(
    ("text", "name"),
    [("rtx 3091", "RTX 3090"), ("a1000", "A100"), ("h10", "H100"), ("L40SS", "L40S"), ("mi300", "MI300X")],
)
def test_an_unknown_one_names_the_nearest(text: str, name: str) -> None:
    with pytest.raises(UnknownGpu) as caught:
        find_gpu(text)
    assert name in caught.value.nearest
    assert all(find_gpu(near).name == near for near in caught.value.nearest)


@given(st.text(max_size=300) | st.text(string.ascii_lowercase + string.digits + " :x-", max_size=30))
def test_any_text_is_a_gpu_or_refused(text: str) -> None:
    try:
        count, gpu = read_gpus(text)
    except ValueError:
        return
    assert count > 0
    assert isinstance(gpu, Gpu)


@given(st.integers(0, 300 * GIB))
def test_what_has_enough_memory_is_listed_smallest_first(memory: int) -> None:
    found = list_matching(memory)
    assert {gpu.name for gpu in found} == {gpu.name for gpu in list_gpus() if gpu.memory >= memory}
    assert [gpu.memory for gpu in found] == sorted(gpu.memory for gpu in found)


def test_the_figures_are_plausible_and_in_base_units() -> None:
    for gpu in list_gpus():
        assert 8 * GIB <= gpu.memory <= 300 * GIB
        assert 200e9 <= gpu.bandwidth <= 8e12
        assert 5e12 < gpu.peaks.fp32 < 200e12
        assert gpu.peaks.fp16 > gpu.peaks.fp32
        assert gpu.peaks.bf16 in (0, gpu.peaks.fp16)
        assert gpu.peaks.fp8 == 0 or 1.9 <= gpu.peaks.fp8 / gpu.peaks.fp16 <= 2.1
        assert bool(gpu.peaks.tf32) is bool(gpu.peaks.bf16), "both came with Ampere"
    assert find_gpu("A100 80GB").peaks.bf16 == 312e12
