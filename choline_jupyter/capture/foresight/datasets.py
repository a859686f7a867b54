"""Data sets of libraries that keep their files in a folder of their own below the root they are given.

Used by `library`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from choline_jupyter.capture.foresight.calls import Call
from choline_jupyter.capture.foresight.paths import join_paths
from choline_jupyter.capture.foresight.value import ANY, list_texts

if TYPE_CHECKING:
    from choline_jupyter.capture.foresight.machine import Machine

_FOLDERS = {
    "Caltech101": "caltech101",
    "Caltech256": "caltech256",
    "CelebA": "celeba",
    "CIFAR10": "cifar-10-batches-py",
    "CIFAR100": "cifar-100-python",
    "Country211": "country211",
    "DTD": "dtd",
    "EMNIST": "EMNIST",
    "EuroSAT": "eurosat",
    "FashionMNIST": "FashionMNIST",
    "FGVCAircraft": "fgvc-aircraft-2013b",
    "Flowers102": "flowers-102",
    "Food101": "food-101",
    "GTSRB": "gtsrb",
    "Imagenette": "imagenette2",
    "KMNIST": "KMNIST",
    "LSUN": "",
    "MNIST": "MNIST",
    "Omniglot": "omniglot-py",
    "OxfordIIITPet": "oxford-iiit-pet",
    "Places365": "",
    "QMNIST": "QMNIST",
    "RenderedSST2": "rendered-sst2",
    "StanfordCars": "stanford_cars",
    "STL10": "stl10_binary",
    "SUN397": "SUN397",
    "VOCDetection": "VOCdevkit",
    "VOCSegmentation": "VOCdevkit",
}


def read(machine: Machine, call: Call) -> bool:
    """Whether this is such a data set; its own folder is read, the whole root where that does not exist."""
    if call.last not in _FOLDERS or "dataset" not in call.name:
        return False
    for root in list_texts(call.get(0, "root")):
        place = join_paths(root, _FOLDERS[call.last]) if _FOLDERS[call.last] else root
        if ANY in root:
            continue
        is_there = machine.disk.find_kind(machine.record.locate(place)) == "folder"
        machine.record.read(place if is_there else root, machine.why(f"{call.last}(...)"))
    return True
