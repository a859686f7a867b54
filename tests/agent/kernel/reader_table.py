"""Readers: the ways in which Python programs come to a file's content, each as a few lines that fail when it is not there.

`MAKE` writes the samples, in the folder it runs in; a reader runs where none of them is. `Reader.by_hook` says whether it
works with the Python hook too, which cannot see what a library written in C opens.
"""

from __future__ import annotations

from typing import NamedTuple

MAKE = """
import gzip, io, json, os, pickle, sqlite3, struct, wave, zipfile
import cv2, datasets, h5py, joblib, numpy as np, pandas as pd, pyarrow as pa, pyarrow.feather, pyarrow.parquet as pq
import safetensors.numpy, sentencepiece, tokenizers, torch, zarr
from PIL import Image
os.makedirs("data/deep"); os.makedirs("package/inner"); os.makedirs("images/a"); os.makedirs("images/b")
for name in ("data/text.txt", "data/deep/one.txt", "data/deep/two.txt"):
    open(name, "w").write("hello\\n")
json.dump([1, 2], open("data/list.json", "w"))
pickle.dump([1, 2], open("data/list.pkl", "wb"))
gzip.open("data/text.gz", "wt").write("hello\\n")
with zipfile.ZipFile("data/text.zip", "w") as archive: archive.writestr("text.txt", "hello\\n")
joblib.dump([1, 2], "data/list.joblib")
open("module.py", "w").write("VALUE = 3\\n")
open("package/__init__.py", "w").write("from package.inner.leaf import VALUE\\n")
open("package/inner/__init__.py", "w").close(); open("package/inner/leaf.py", "w").write("VALUE = 3\\n")
open("script.py", "w").write("print(open('data/text.txt').read(), end='')\\n")
array = np.arange(12.0).reshape(3, 4)
np.save("data/array.npy", array); array.tofile("data/array.bin"); np.savez("data/array.npz", array=array)
np.savetxt("data/array.txt", array); np.savetxt("data/array.csv", array, delimiter=",")
frame = pd.DataFrame({"x": [1, 2, 3], "y": [4.0, 5.0, 6.0]})
frame.to_csv("data/frame.csv", index=False); frame.to_feather("data/frame.feather"); frame.to_parquet("data/frame.parquet")
frame.to_hdf("data/frame.h5", key="frame"); frame.to_feather("data/frame.arrow", compression="uncompressed")
os.makedirs("data/parts"); frame.to_parquet("data/parts/0.parquet"); frame.to_parquet("data/parts/1.parquet")
torch.save({"w": torch.arange(6.0)}, "data/model.pt")
torch.jit.script(torch.nn.Linear(2, 1)).save("data/jit.pt")
torch.arange(6.0).numpy().tofile("data/tensor.bin")
safetensors.numpy.save_file({"w": array}, "data/model.safetensors")
Image.fromarray(np.full((4, 4, 3), 200, "uint8")).save("data/image.png")
for name in ("a/1.png", "a/2.png", "b/3.png"): Image.fromarray(np.full((4, 4, 3), 200, "uint8")).save("images/" + name)
with h5py.File("data/array.h5", "w") as file: file["array"] = array
base = sqlite3.connect("data/base.sqlite"); base.execute("create table t (x)"); base.execute("insert into t values (7)")
base.commit(); base.close()
datasets.Dataset.from_pandas(frame).save_to_disk("data/dataset")
zarr.save("data/array.zarr", array)
tokenizers.Tokenizer(tokenizers.models.WordLevel({"hello": 0}, unk_token="hello")).save("data/tokenizer.json")
words = io.BytesIO()
sentencepiece.SentencePieceTrainer.train(sentence_iterator=iter(["hello world again"] * 20), model_writer=words, vocab_size=20,
    hard_vocab_limit=False, minloglevel=9)
open("data/words.model", "wb").write(words.getvalue())
"""


class Reader(NamedTuple):
    """`code` runs in the empty folder; an exception is a failure."""

    name: str
    code: str
    by_hook: bool = True


_LOADER = """
import torch
class Files(torch.utils.data.Dataset):
    def __len__(self): return 3
    def __getitem__(self, i): return open(["data/text.txt", "data/deep/one.txt", "data/deep/two.txt"][i]).read()
assert [one[0] for one in torch.utils.data.DataLoader(Files(), num_workers=2)] == ["hello\\n"] * 3
"""

READERS = (
    Reader("open", "assert open('data/text.txt').read() == 'hello\\n'"),
    Reader("pathlib", "import pathlib; assert pathlib.Path('data/text.txt').read_text() == 'hello\\n'"),
    Reader("os.open", "import os; assert os.read(os.open('data/text.txt', os.O_RDONLY), 9) == b'hello\\n'"),
    Reader("dir_fd", "import os; d = os.open('data', os.O_RDONLY); os.close(os.open('text.txt', os.O_RDONLY, dir_fd=d))", False),
    Reader("chdir", "import os; os.chdir('data/deep'); assert open('../text.txt').read() == 'hello\\n'"),
    Reader("json", "import json; assert json.load(open('data/list.json')) == [1, 2]"),
    Reader("pickle", "import pickle; assert pickle.load(open('data/list.pkl', 'rb')) == [1, 2]"),
    Reader("gzip", "import gzip; assert gzip.open('data/text.gz', 'rt').read() == 'hello\\n'"),
    Reader("zipfile", "import zipfile; assert zipfile.ZipFile('data/text.zip').read('text.txt') == b'hello\\n'"),
    Reader("joblib", "import joblib; assert joblib.load('data/list.joblib') == [1, 2]"),
    Reader("shutil.copy", "import shutil; shutil.copy('data/text.txt', 'copy'); assert open('copy').read() == 'hello\\n'"),
    Reader("copytree", "import os, shutil; shutil.copytree('data/deep', 'new'); assert len(os.listdir('new')) == 2"),
    Reader("listdir", "import os; assert sorted(os.listdir('data/deep')) == ['one.txt', 'two.txt']"),
    Reader("scandir", "import os; assert {e.name for e in os.scandir('data/deep') if e.is_file()} == {'one.txt', 'two.txt'}"),
    Reader("walk", "import os; assert sum(len(files) for _, _, files in os.walk('images')) == 3"),
    Reader("glob", "import glob; assert len(glob.glob('data/**/*.txt', recursive=True)) == 4"),
    Reader("iterdir", "import pathlib; assert len(list(pathlib.Path('data/deep').iterdir())) == 2"),
    Reader("import module", "import sys; sys.path.insert(0, ''); import module; assert module.VALUE == 3"),
    Reader("import package", "import sys; sys.path.insert(0, ''); import package; assert package.VALUE == 3"),
    Reader("exists", "import os; assert os.path.exists('data/text.txt')"),
    Reader("isfile", "import os; assert os.path.isfile('data/text.txt')"),
    Reader("isdir", "import os; assert os.path.isdir('data/deep')"),
    Reader("stat", "import os; assert os.stat('data/text.txt').st_size == 6"),
    Reader("getsize", "import os; assert [os.path.getsize(e.path) for e in os.scandir('data/deep')] == [6, 6]"),
    Reader("access", "import os; assert os.access('data/text.txt', os.R_OK)"),
    Reader("Path.exists", "import pathlib; assert pathlib.Path('data/text.txt').exists()"),
    Reader("Path.glob", "import pathlib; assert len(list(pathlib.Path('data').glob('**/*.txt'))) == 4"),
    Reader("np.load", "import numpy as np; assert np.load('data/array.npy').sum() == 66"),
    Reader("np.load mmap", "import numpy as np; assert np.load('data/array.npy', mmap_mode='r').sum() == 66"),
    Reader("np.memmap", "import numpy as np; assert np.memmap('data/array.bin', dtype=float, mode='r').sum() == 66"),
    Reader("np.fromfile", "import numpy as np; assert np.fromfile('data/array.bin').sum() == 66"),
    Reader("np.loadtxt", "import numpy as np; assert np.loadtxt('data/array.txt').sum() == 66"),
    Reader("np.genfromtxt", "import numpy as np; assert np.genfromtxt('data/array.csv', delimiter=',').sum() == 66"),
    Reader("pd.read_csv", "import pandas as pd; assert pd.read_csv('data/frame.csv').x.sum() == 6"),
    Reader("pd.read_csv pyarrow", "import pandas as pd; assert pd.read_csv('data/frame.csv', engine='pyarrow').x.sum() == 6"),
    Reader("pd.read_feather", "import pandas as pd; assert pd.read_feather('data/frame.feather').x.sum() == 6"),
    Reader("pd.read_parquet", "import pandas as pd; assert pd.read_parquet('data/frame.parquet').x.sum() == 6"),
    Reader("pd.read_hdf", "import pandas as pd; assert pd.read_hdf('data/frame.h5').x.sum() == 6"),
    Reader("pyarrow.csv", "import pyarrow.csv as c; assert c.read_csv('data/frame.csv').num_rows == 3", False),
    Reader("pa.memory_map", "import pyarrow as pa; assert pa.memory_map('data/text.txt').read() == b'hello\\n'", False),
    Reader("pq.read_table", "import pyarrow.parquet as pq; assert pq.read_table('data/frame.parquet').num_rows == 3", False),
    Reader("pyarrow.dataset", "import pyarrow.dataset as d; assert d.dataset('data/parts').to_table().num_rows == 6", False),
    Reader("h5py", "import h5py; assert h5py.File('data/array.h5')['array'][:].sum() == 66", False),
    Reader("safe_open", "from safetensors import safe_open; assert safe_open('data/model.safetensors', 'np').keys() == ['w']", False),
    Reader("safetensors.numpy", "from safetensors.numpy import load_file as l; assert l('data/model.safetensors')['w'].sum() == 66", False),
    Reader("safetensors.torch", "from safetensors.torch import load_file as l; assert l('data/model.safetensors')['w'].sum() == 66", False),
    Reader("torch.load", "import torch; assert torch.load('data/model.pt')['w'].sum() == 15"),
    Reader("torch.load mmap", "import torch; assert torch.load('data/model.pt', mmap=True)['w'].sum() == 15"),
    Reader("torch.jit.load", "import torch; torch.jit.load('data/jit.pt')"),
    Reader("torch.from_file", "import torch; assert torch.from_file('data/tensor.bin', size=6).sum() == 15", False),
    Reader("DataLoader workers", _LOADER),
    Reader("PIL", "from PIL import Image; assert Image.open('data/image.png').size == (4, 4)"),
    Reader("cv2.imread", "import cv2; assert cv2.imread('data/image.png').shape == (4, 4, 3)", False),
    Reader("sqlite3", "import sqlite3; assert sqlite3.connect('data/base.sqlite').execute('select x from t').fetchone() == (7,)"),
    Reader("polars.read_csv", "import polars; assert polars.read_csv('data/frame.csv')['x'].sum() == 6", False),
    Reader("polars.scan_parquet", "import polars; assert polars.scan_parquet('data/frame.parquet').collect().height == 3", False),
    Reader("polars.read_ipc", "import polars; assert polars.read_ipc('data/frame.arrow').height == 3", False),
    Reader("tokenizers", "import tokenizers; tokenizers.Tokenizer.from_file('data/tokenizer.json')", False),
    Reader("sentencepiece", "import sentencepiece; sentencepiece.SentencePieceProcessor(model_file='data/words.model')", False),
    Reader("zarr", "import zarr; assert zarr.load('data/array.zarr').sum() == 66"),
    Reader("load_dataset", "import datasets; assert len(datasets.load_dataset('csv', data_files='data/frame.csv')['train']) == 3"),
    Reader("load_from_disk", "import datasets; assert len(datasets.load_from_disk('data/dataset')) == 3"),
    Reader("a program", "import subprocess; assert subprocess.check_output(['cat', 'data/text.txt']) == b'hello\\n'"),
    Reader("a Python program", "import subprocess, sys; assert subprocess.check_output([sys.executable, 'script.py']) == b'hello\\n'", False),
    Reader("os.system", "import os; assert os.system('cat data/text.txt data/deep/*.txt > out') == 0; assert len(open('out').read()) == 18", False),
)  # fmt: skip
