"""Questions for files: from real programs under the shim, through the agent's side, to a client's disk and back."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.agent.file_pair import FilePair
from tests.preloading import needs_shim

pytestmark = needs_shim


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[FilePair]:
    made = FilePair(tmp_path)
    yield made
    made.close()


def run(pair: FilePair, command: str) -> tuple[str, str]:
    """What a shell line prints, on both streams."""
    ran = subprocess.run(
        ["/bin/sh", "-c", command],
        cwd=pair.there,
        env=pair.make_environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    return ran.stdout, ran.stderr


def run_python(pair: FilePair, code: str) -> str:
    command = [sys.executable, "-I", "-c", code]
    ran = subprocess.run(
        command, cwd=pair.there, env=pair.make_environment([sys.prefix]), capture_output=True, text=True, check=False
    )
    return ran.stdout.strip() if ran.returncode == 0 else ran.stderr.strip().splitlines()[-1]


def list_names(pair: FilePair) -> list[str]:
    """What has come of the data."""
    return sorted(path.name for path in (pair.there / "data").iterdir())


def test_a_file_comes_once_with_its_mode_and_time(pair: FilePair) -> None:
    source = pair.write("bin/tool.sh", b"#!/bin/sh\necho works\n")
    source.chmod(0o750)
    os.utime(source, ns=(10**18, 10**18))
    assert run(pair, "bin/tool.sh; bin/tool.sh; cat bin/tool.sh") == ("works\nworks\n#!/bin/sh\necho works\n", "")
    assert pair.asked == ["F bin/tool.sh"]
    status = (pair.there / "bin/tool.sh").stat()
    assert (stat.S_IMODE(status.st_mode), status.st_mtime_ns) == (0o750, 10**18)


def test_a_listing_has_all_names_and_only_what_is_read_comes(pair: FilePair) -> None:
    for number in range(20):
        pair.write(f"data/{number:02}.txt", b"%d" % number)
    pair.write("data/inner/leaf.txt")
    assert run(pair, "ls data")[0].split() == [f"{number:02}.txt" for number in range(20)] + ["inner"]
    assert list_names(pair) == ["inner"]
    assert run(pair, "find data -name '*.txt' | wc -l")[0].strip() == "21"
    assert run(pair, "cat data/07.txt")[0] == "7"
    assert list_names(pair) == ["07.txt", "inner"]


def test_whoever_goes_through_a_directory_gets_it_as_one_stream(pair: FilePair) -> None:
    for number in range(500):
        pair.write(f"data/{number:03}.txt", b"%d" % number)
    code = "import os; print(sum(int(open('data/' + name).read()) for name in sorted(os.listdir('data'))))"
    assert run_python(pair, code) == str(sum(range(500)))
    assert pair.asked[0] == "D data"
    assert len(pair.asked) < 100
    assert len(list_names(pair)) == 500
    assert pair.service.take_fetched()[-1] == pair.here / "data"


def test_many_workers_that_want_the_same_file_cause_one_question(pair: FilePair) -> None:
    pair.write("data/large.bin", os.urandom(5 << 20))
    code = (
        "import hashlib, multiprocessing as m\n"
        "def read(n): return hashlib.sha256(open('data/large.bin', 'rb').read()).hexdigest()\n"
        "with m.get_context('fork').Pool(8) as pool: print(len(set(pool.map(read, range(8), 1))))"
    )
    assert run_python(pair, code) == "1"
    assert pair.asked == ["F data/large.bin"]


def test_what_is_nowhere_is_asked_for_once_and_fails_as_here(pair: FilePair) -> None:
    code = "import os\nfor _ in range(5): os.path.exists('none')\nopen('none')"
    assert run_python(pair, code) == "FileNotFoundError: [Errno 2] No such file or directory: 'none'"
    assert run_python(pair, "import os; print(os.path.exists('none'), os.path.exists('none/below'))") == "False False"
    assert pair.asked == ["F none"]
    pair.write("none")
    pair.requests.forget()
    assert run_python(pair, "print(open('none').read())") == "content"


def test_what_is_there_is_never_asked_for(pair: FilePair) -> None:
    pair.write("file", b"from here")
    (pair.there / "file").write_text("from there")
    assert run(pair, "cat file; test -e file && stat -c %s file && echo more >> file")[0] == "from there10\n"
    assert pair.asked == []


def test_what_is_made_anew_is_not_fetched(pair: FilePair) -> None:
    pair.write("results/out.txt", b"old")
    assert run(pair, "echo new > results/out.txt; cat results/out.txt") == ("new\n", "")
    code = "import os; os.close(os.open('results/x', os.O_CREAT | os.O_EXCL | os.O_WRONLY)); open('results/y', 'wb').close()"
    assert run_python(pair, code) == ""
    assert pair.asked == ["F results"]


def test_what_a_program_removes_does_not_come_back(pair: FilePair) -> None:
    for name in ("data/a", "data/b", "data/c"):
        pair.write(name)
    assert run(pair, "rm data/a; mv data/b data/d; ls data; cat data/a data/b")[0] == "c\nd\n"
    pair.requests.forget()
    assert run(pair, "ls data; cat data/a")[0] == "c\nd\n"


def test_ways_through_parents_and_links(pair: FilePair) -> None:
    pair.write("data/v1/a.txt", b"one")
    (pair.here / "data/latest").symlink_to("v1")
    (pair.here / "data/loop").symlink_to("..")
    assert run(pair, "cat data/v1/../v1/./a.txt data//latest/a.txt; readlink data/latest") == ("oneonev1\n", "")
    assert run(pair, "find data -follow 2>/dev/null -type f | sort | head -2")[0].split()[0].endswith("a.txt")


def test_odd_names(pair: FilePair) -> None:
    for name in ("with space", "new\nline", "ünïcode", "x" * 200):
        pair.write(f"odd/{name}", name.encode())
    (Path(os.fsdecode(os.fsencode(pair.here) + b"/odd/\xff\xfe"))).write_bytes(b"bytes")
    assert run_python(pair, "import os; print(len(os.listdir('odd')), open(b'odd/\\xff\\xfe').read())") == "5 bytes"
    assert (
        run_python(pair, "print(open('odd/new\\nline').read() == 'new\\nline', open('odd/ünïcode').read())")
        == "True ünïcode"
    )


def test_no_secret_and_nothing_special_comes(pair: FilePair) -> None:
    pair.write(".env", b"TOKEN=1")
    os.mkfifo(pair.here / "fifo")
    (pair.here / "outside").symlink_to("/etc/passwd")
    assert run(pair, "ls -A; cat .env fifo outside")[0] == ""
    assert list(pair.there.iterdir()) == []


def test_paths_outside_are_no_question(pair: FilePair) -> None:
    assert run(pair, "cat /etc/hostname /nonexistent/file ../nothing >/dev/null; true")[0] == ""
    assert pair.asked == []


def test_what_is_too_large_fails_loudly(tmp_path: Path) -> None:
    pair = FilePair(tmp_path, largest=1000)
    try:
        pair.write("huge", bytes(1001))
        assert run_python(pair, "open('huge')").startswith("OSError: [Errno 27] File too large")
        assert "huge is not fetched on demand" in pair.service.take_notices()[0]
    finally:
        pair.close()


def test_a_file_that_may_not_be_read_says_so(pair: FilePair, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*arguments: object) -> None:
        raise PermissionError(13, "Permission denied")

    pair.write("locked")
    monkeypatch.setattr("choline_jupyter.session.file_service.pack_files", refuse)
    assert run_python(pair, "open('locked')").startswith("PermissionError: [Errno 13]")


def test_with_nobody_there_the_first_question_waits_and_the_others_do_not(tmp_path: Path) -> None:
    pair = FilePair(tmp_path, patience=0.2)
    try:
        pair.write("data/a")
        pair.is_connected = False
        assert run(pair, "cat data/a data/b data/c")[0] == ""
        assert pair.told == [{"state": "unserved", "path": str(pair.here / "data/a"), "wait": "0.2"}]
        pair.connect()
        assert run(pair, "cat data/a")[0] == "content"
    finally:
        pair.close()


def test_a_client_that_comes_late_serves_what_waits(pair: FilePair) -> None:
    pair.write("data/a")
    pair.is_connected = False
    with subprocess.Popen(
        ["cat", "data/a"], cwd=pair.there, env=pair.make_environment(), stdout=subprocess.PIPE
    ) as program:
        while not pair.asked:
            assert program.poll() is None
        pair.connect()
        assert program.communicate(timeout=30)[0] == b"content"


def test_an_interrupt_ends_the_wait(pair: FilePair) -> None:
    pair.is_connected = False
    code = (
        "import signal\nsignal.signal(signal.SIGINT, signal.default_int_handler)"  # whoever runs the tests may ignore it
        "\nprint('go', flush=True)\ntry: open('data/a')\nexcept KeyboardInterrupt: print('interrupted')"
    )
    with subprocess.Popen(
        [sys.executable, "-I", "-c", code],
        cwd=pair.there,
        env=pair.make_environment([sys.prefix]),
        stdout=subprocess.PIPE,
        text=True,
    ) as program:
        while "F data/a" not in pair.asked:
            assert program.poll() is None
        program.send_signal(2)
        assert program.communicate(timeout=60)[0] == "go\ninterrupted\n"


def test_nothing_is_left_of_what_comes_incomplete(pair: FilePair) -> None:
    entry = {"path": str(pair.here / "file"), "kind": "f", "size": 10, "mode": 0o600, "mtime": 0}
    pair.call(pair.requests.provide(pair, {"entries": [entry]}, b"short"))
    assert list(pair.there.iterdir()) == []
    assert pair.told == [{"state": "unwritten", "reason": "a file came incomplete"}]


def test_a_client_can_place_nothing_outside_the_roots(pair: FilePair, tmp_path: Path) -> None:
    entry = {"path": str(tmp_path / "elsewhere"), "kind": "f", "size": 1, "mode": 0o600, "mtime": 0}
    with pytest.raises(ValueError, match="not in a root"):
        pair.call(pair.requests.provide(pair, {"entries": [entry]}, b"x"))
