"""What looks like a secret and what does not."""

from __future__ import annotations

from pathlib import Path

import pytest

from choline_jupyter.capture.secrets import find_secret, lies_with_keys


def judge(path: Path, text: str = "") -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return "keys" if lies_with_keys(str(path.parent)) else find_secret(str(path), path.name, path.stat())


@pytest.mark.parametrize(
    "name",
    [".env", ".env.local", "server.pem", "id_rsa", "id_ed25519", ".netrc", "credentials", "credentials.json", "kaggle.json",
     "secrets.yaml", "gcp-credentials.json", "hf_token", "token.txt", ".ssh/config", ".aws/config", "store.kdbx"],
)  # fmt: skip
def test_by_its_name(tmp_path: Path, name: str) -> None:
    assert judge(tmp_path / name)


@pytest.mark.parametrize(
    "name",
    ["train.py", "tokens.bin", "tokenizer.json", "id_rsa.pub", ".env.example", "keys.csv", "data/secretary.csv",
     "token_counts.npy", "environment.yml", "monkey.txt"],
)  # fmt: skip
def test_harmless_names(tmp_path: Path, name: str) -> None:
    assert not judge(tmp_path / name, "nothing here")


@pytest.mark.parametrize(
    "text",
    [
        "-----BEGIN RSA PRIVATE KEY-----\nMIIE",
        "aws = AKIA" + "IOSFODNN7EXAMPLE",
        '{"HF_ACCESS_TOKEN": "hf_' + "aBcDeFgHiJkLmNoPqRsTuVwXyZaBcDeFgH" + '"}',
        "openai: sk-" + "proj-a1B2c3D4e5F6g7H8i9J0k1L2",
        'password = "x9Kq2Lm8Zt4Vb7Nw1Rp5"',
        "api_key: 9f8e7d6c5b4a39281706f5e4d3c2b1a0",
    ],
)
def test_by_what_it_holds(tmp_path: Path, text: str) -> None:
    assert judge(tmp_path / "config.json", text)


@pytest.mark.parametrize(
    "text",
    [
        "password = os.environ['PASSWORD']",
        "max_token: 1024",
        "token = tokenizer.encode(text)",
        "secret: the_quick_brown_fox_jumps_over",
        "data_dir: data/shakespeare_char\nbatch_size: 64",
        "api_key = get_key_from_the_environment()",
    ],
)
def test_harmless_contents(tmp_path: Path, text: str) -> None:
    assert not judge(tmp_path / "config.yaml", text)


def test_a_large_or_binary_file_is_not_read(tmp_path: Path) -> None:
    assert not judge(tmp_path / "weights.bin", "-----BEGIN PRIVATE KEY-----")
    status = (tmp_path / "weights.bin").stat()
    assert not find_secret(str(tmp_path / "gone.txt"), "gone.txt", status)
