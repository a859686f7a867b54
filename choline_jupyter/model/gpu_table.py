"""The GPUs that are rented out: what each has, as its maker's data sheet says.

Read by `model.gpu` alone. Figures are dense peaks (half of what is advertised "with sparsity"), of the tensor cores with
sums in fp32 where there are such cores, in TFLOP/s; 0: the hardware has no such arithmetic. Bandwidth is in GB/s, memory
in GiB as it is sold (with ECC up to 8 % less of it can be used). Where a row stands for several forms of a card (an A100 80GB
exists as PCIe and as SXM4) the figures are the lowest of them.

Sources: NVIDIA's data sheets of T4, V100, A10, A10G, A30, A40, A100, L4, L40, L40S, H100, H200, HGX B200 and GH200, its
white papers on Turing, GA102, Ada and (professional and GeForce) Blackwell, its product pages of the workstation cards;
AMD's data sheets of MI300X and MI325X, as they are known; not every row was compared with its sheet.
"""

from __future__ import annotations

from typing import NamedTuple

_PCIE = ("pcie",)


class Row(NamedTuple):
    """`models` are its spellings without memory and form; `forms` what may be written behind (`sxm4`), besides nothing."""

    name: str
    models: tuple[str, ...]
    memory: int
    forms: tuple[str, ...]
    bandwidth: float
    fp32: float
    tf32: float
    fp16: float
    bf16: float
    fp8: float = 0.0
    aliases: tuple[str, ...] = ()


def _geforce(
    name: str, memory: int, bandwidth: float, fp32: float, tensor: float, fp8: float = 0.0, *more: str
) -> Row:  # fmt: skip
    """A GeForce card since Ampere: tf32 runs at the rate of fp32, fp16 and bf16 at the same one."""
    number = name.removeprefix("RTX ").lower().replace(" ", "")
    return Row(name, (f"rtx{number}", number, *more), memory, (), bandwidth, fp32, fp32, tensor, tensor, fp8)


ROWS = (
    # GeForce
    Row("RTX 2080 Ti", ("rtx2080ti", "2080ti"), 11, (), 616, 13.4, 0, 53.8, 0),
    _geforce("RTX 3060", 12, 360, 12.7, 25.5),
    _geforce("RTX 3070", 8, 448, 20.3, 40.6),
    _geforce("RTX 3080", 10, 760, 29.8, 59.5),
    _geforce("RTX 3080 Ti", 12, 912, 34.1, 68.2),
    _geforce("RTX 3090", 24, 936, 35.6, 71.0),
    _geforce("RTX 3090 Ti", 24, 1008, 40.0, 80.0),
    _geforce("RTX 4060 Ti", 16, 288, 22.1, 44.1, 88.2),
    _geforce("RTX 4070", 12, 504, 29.1, 58.3, 116.6),
    _geforce("RTX 4070 Super", 12, 504, 35.5, 71.0, 141.9, "rtx4070s", "4070s"),
    _geforce("RTX 4070 Ti", 12, 504, 40.1, 80.2, 160.4),
    _geforce("RTX 4070 Ti Super", 16, 672, 44.1, 88.2, 176.4, "rtx4070tis", "rtx4070sti", "4070tis", "4070sti"),
    _geforce("RTX 4080", 16, 716.8, 48.7, 97.5, 194.9),
    _geforce("RTX 4080 Super", 16, 736, 52.2, 104.4, 208.9, "rtx4080s", "4080s"),
    _geforce("RTX 4090", 24, 1008, 82.6, 165.2, 330.3),
    _geforce("RTX 5070", 12, 672, 30.9, 61.7, 123.5),
    _geforce("RTX 5070 Ti", 16, 896, 43.9, 87.9, 175.8),
    _geforce("RTX 5080", 16, 960, 56.3, 112.6, 225.1),
    _geforce("RTX 5090", 32, 1792, 104.8, 209.5, 419.0),
    # Workstations
    Row("Quadro RTX 6000", ("rtx6000",), 24, (), 672, 16.3, 0, 130.5, 0, 0, ("qrtx6000",)),
    Row("Quadro RTX 8000", ("rtx8000",), 48, (), 672, 16.3, 0, 130.5, 0, 0, ("qrtx8000",)),
    Row("RTX A4000", ("rtxa4000", "a4000"), 16, (), 448, 19.2, 38.3, 76.7, 76.7),
    Row("RTX A5000", ("rtxa5000", "a5000"), 24, (), 768, 27.8, 55.6, 111.1, 111.1),
    Row("RTX A6000", ("rtxa6000", "a6000"), 48, (), 768, 38.7, 77.4, 154.8, 154.8),
    Row("RTX 2000 Ada", ("rtx2000ada", "2000ada"), 16, (), 224, 12.0, 24.0, 48.0, 48.0, 96.0),
    Row("RTX 4000 Ada", ("rtx4000ada", "4000ada"), 20, (), 360, 26.7, 53.4, 106.9, 106.9, 213.8),
    Row("RTX 5000 Ada", ("rtx5000ada", "5000ada"), 32, (), 576, 65.3, 130.6, 261.1, 261.1, 522.2),
    Row("RTX 6000 Ada", ("rtx6000ada", "6000ada", "a6000ada"), 48, (), 960, 91.1, 182.1, 364.2, 364.2, 728.5),
    Row(
        "RTX PRO 6000", ("rtxpro6000", "pro6000", "rtxpro6000blackwell"), 96,
        ("ws", "s", "max-q", "serveredition", "workstationedition", "max-qworkstationedition"),
        1597, 109.7, 219.5, 438.9, 438.9, 877.8,
    ),
    # Data centres
    Row("T4", ("t4",), 16, _PCIE, 320, 8.1, 0, 65.0, 0),
    Row("V100 16GB", ("v100",), 16, ("sxm", "sxm2", "pcie"), 900, 14.0, 0, 112.0, 0, 0, ("v100fhhl",)),
    Row("V100 32GB", ("v100",), 32, ("sxm", "sxm2", "sxm3", "pcie"), 900, 14.0, 0, 112.0, 0),
    Row("A10", ("a10",), 24, _PCIE, 600, 31.2, 62.5, 125.0, 125.0),
    Row("A10G", ("a10g",), 24, _PCIE, 600, 35.0, 35.0, 70.0, 70.0),
    Row("A30", ("a30",), 24, _PCIE, 933, 10.3, 82.0, 165.0, 165.0),
    Row("A40", ("a40",), 48, _PCIE, 696, 37.4, 74.8, 149.7, 149.7),
    Row("A100 40GB", ("a100",), 40, ("sxm", "sxm4", "pcie"), 1555, 19.5, 156.0, 312.0, 312.0),
    Row("A100 80GB", ("a100",), 80, ("sxm", "sxm4", "pcie"), 1935, 19.5, 156.0, 312.0, 312.0, 0, ("a100x",)),
    Row("L4", ("l4",), 24, _PCIE, 300, 30.3, 60.0, 121.0, 121.0, 242.5),
    Row("L40", ("l40",), 48, _PCIE, 864, 90.5, 90.5, 181.0, 181.0, 362.0),
    Row("L40S", ("l40s",), 48, _PCIE, 864, 91.6, 183.0, 362.0, 362.0, 733.0),
    Row("H100 PCIe", ("h100",), 80, _PCIE, 2000, 51.0, 378.0, 756.0, 756.0, 1513.0),
    Row("H100 SXM", ("h100",), 80, ("sxm", "sxm5", "hbm3"), 3350, 67.0, 494.5, 989.5, 989.5, 1979.0),
    Row("H100 NVL", ("h100",), 94, ("nvl",), 3900, 60.0, 417.5, 835.5, 835.5, 1670.5),
    Row("H200 SXM", ("h200",), 141, ("sxm", "sxm5"), 4800, 67.0, 494.5, 989.5, 989.5, 1979.0),
    Row("H200 NVL", ("h200",), 141, ("nvl",), 4800, 60.0, 417.5, 835.5, 835.5, 1670.5),
    Row("GH200", ("gh200",), 96, (), 4000, 67.0, 494.5, 989.5, 989.5, 1979.0, ("gh200480gb",)),
    Row("B200", ("b200",), 180, ("sxm", "sxm6"), 7700, 75.0, 1125.0, 2250.0, 2250.0, 4500.0, ("b200192gb",)),
    Row("B300", ("b300",), 288, ("sxm", "sxm6", "sxm6ac"), 7700, 75.0, 1125.0, 2250.0, 2250.0, 4500.0),
    Row("MI300X", ("mi300x",), 192, ("oam",), 5300, 163.4, 653.7, 1307.4, 1307.4, 2614.9),
    Row("MI325X", ("mi325x",), 256, ("oam",), 6000, 163.4, 653.7, 1307.4, 1307.4, 2614.9),
)  # fmt: skip
