"""A cell on two ranks behaves as a cell: one output where they agree, each rank's where they do not."""

from __future__ import annotations

import pytest

from tests.e2e.kernels.driven_kernel import DrivenKernel, Run

pytestmark = pytest.mark.e2e
RANKS = "application/vnd.choline.ranks+json"


def test_launchers_variables(kernel: DrivenKernel) -> None:
    names = "RANK", "LOCAL_RANK", "WORLD_SIZE", "LOCAL_WORLD_SIZE", "MASTER_ADDR"
    run = kernel.run(f"%%choline\nprint(*(os.environ[name] for name in {names}), int(os.environ['MASTER_PORT']) > 0)")
    assert run.read() == "0 0 2 2 127.0.0.1 True\n[1] 1 1 2 2 127.0.0.1 True\n"


def test_cuda_is_untouched_where_ranks_begin(kernel: DrivenKernel) -> None:
    """They are forks: what their server had initialised would be of no use to them."""
    run = kernel.run("%%choline\nimport torch\ntorch.cuda.is_initialized(), torch.cuda._is_in_bad_fork()")
    assert run.read_result() == "(False, False)"
    assert "[1]" not in run.read()


def test_collective_without_setting_up(kernel: DrivenKernel) -> None:
    run = kernel.run("%%choline\ny = torch.tensor([RANK + 1.0]); dist.all_reduce(y); y.item()")
    assert run.read_result() == "3.0"
    assert find_folded(run) == "[1: the same]"


def test_names_stay_on_each_rank(kernel: DrivenKernel) -> None:
    kernel.run("%%choline\nmine = RANK * 100")
    run = kernel.run("%%choline\nmine + 1")
    assert run.read_result() == "1"
    assert run.read() == "[1] Out: 101\n"


def test_result_is_rank_0s(kernel: DrivenKernel) -> None:
    run = kernel.run("%%choline\nRANK")
    assert len(run.find("execute_result")) == 1
    assert run.read_result() == "0"


def test_one_rank_only(kernel: DrivenKernel) -> None:
    kernel.run("%%choline\nseen = 'no'")
    run = kernel.run("%%choline --on 1\nseen = 'yes'\nRANK")
    assert run.read() == "[1] Out: 1\n"
    assert kernel.run("%%choline\nprint(seen)").read() == "no\n[1] yes\n"


def test_rank_that_is_not_there(kernel: DrivenKernel) -> None:
    run = kernel.run("%%choline --on 0,5\nRANK")
    assert run.reply["ename"] == "RequestError"
    assert "ranks 0 to 1" in run.reply["evalue"]


def test_same_text_is_folded_and_other_is_shown(kernel: DrivenKernel) -> None:
    run = kernel.run("%%choline\nprint('same')\nfor i in range(3 + RANK): print('line', i, RANK if i == 1 else '')")
    assert run.read() == "same\nline 0 \nline 1 0\nline 2 \n[1] line 1 1\n[1] line 3 \n"


def test_text_of_all_ranks_in_one_bundle(kernel: DrivenKernel) -> None:
    run = kernel.run("%%choline\nprint('both')")
    (bundle,) = [m["content"]["data"] for m in run.find("display_data")]
    assert bundle[RANKS]["ranks"] == {"1": "both"}


def test_progress_bars_are_shown_once(kernel: DrivenKernel) -> None:
    run = kernel.run(
        "%%choline\nfor i in range(4): print(f'\\r{i}/4 {RANK + i * 1.5:.2f}it/s', end='', flush=True)\nprint()"
    )
    assert "[1]" not in run.read()


def test_same_display_is_folded(kernel: DrivenKernel) -> None:
    code = "%%choline\nfrom IPython.display import HTML, display\ndisplay(HTML(f'<b>{0}</b>'))"
    shown = [m["content"]["data"].get("text/html") for m in kernel.run(code.format("1")).find("display_data")]
    assert [html for html in shown if html] == ["<b>1</b>"]


def test_other_display_names_its_rank(kernel: DrivenKernel) -> None:
    run = kernel.run("%%choline\ndisplay(HTML(f'<b>{RANK}</b>'))")
    shown = [m for m in run.find("display_data") if "text/html" in m["content"]["data"]]
    assert [m["content"]["data"]["text/html"] for m in shown] == ["<b>0</b>", "<b>1</b>"]
    assert shown[1]["metadata"]["choline"] == {"rank": 1}
    assert "[1]\n" in run.read()


def test_common_traceback_is_shown_once(kernel: DrivenKernel) -> None:
    run = kernel.run("%%choline\nRANK.missing")
    assert run.reply["ename"] == "AttributeError"
    assert "RANK.missing" in run.read_error()
    assert run.read("stderr") == "choline: ranks 0-1:\n"


def test_different_tracebacks(kernel: DrivenKernel) -> None:
    run = kernel.run("%%choline\nraise ValueError(f'on {RANK}')")
    assert "on " in run.read_error()
    assert {"choline: rank 0:", "choline: rank 1:"} <= set(run.read("stderr").splitlines())
    assert run.reply["ename"] == "ValueError"


def test_error_on_every_rank_keeps_the_group(kernel: DrivenKernel) -> None:
    kernel.run("%%choline\ngroup = dist.group.WORLD")
    kernel.run("%%choline\n1 / 0")
    assert kernel.run("%%choline\ngroup is dist.group.WORLD").read_result() == "True"


def test_question_is_asked_once(kernel: DrivenKernel) -> None:
    run = kernel.run("%%choline\nname = input('name? ')\nprint(name, RANK)", ["ada"])
    assert [q["content"]["prompt"] for q in run.questions] == ["name? "]
    assert run.read() == "ada 0\n[1] ada 1\n"


def test_question_of_another_rank(kernel: DrivenKernel) -> None:
    assert kernel.run("%%choline\nif RANK: print(input('only 1? '))", ["yes"]).read() == "[1] yes\n"


def test_names_of_the_notebook_go_to_every_rank(kernel: DrivenKernel) -> None:
    kernel.run("numbers = [1, 2, 3]\nbig = list(range(400_000))")
    run = kernel.run("%%choline\nprint(sum(numbers), len(big))")
    assert run.read() == "6 400000\n"
    assert find_folded(run) == "[1: the same]"


def test_name_that_one_rank_has_read_goes_to_the_others_later(kernel: DrivenKernel) -> None:
    kernel.run("late = [5]")
    assert kernel.run("%%choline --on 1\nlate").read() == "[1] Out: [5]\n"
    run = kernel.run("%%choline\nlate")
    assert (run.reply["status"], run.read_result(), find_folded(run)) == ("ok", "[5]", "[1: the same]")


def test_names_that_come_home_are_rank_0s(kernel: DrivenKernel) -> None:
    kernel.run("%%choline --out home\nhome = RANK + 5")
    assert kernel.run("home").read_result() == "5"


def test_detached_job_is_shown_with_its_ranks(kernel: DrivenKernel) -> None:
    kernel.run("%%choline --detach\nprint('detached', RANK)")
    assert kernel.run("%choline attach").read() == "detached 0\n[1] detached 1\n"


def test_what_has_come_before_somebody_attaches_is_shown_once(kernel: DrivenKernel) -> None:
    kernel.run("%%choline --detach\nimport time\nprint('detached', RANK, flush=True)\ntime.sleep(3)")
    shown = kernel.run("import time\ntime.sleep(1.5)\n%choline attach")  # what comes meanwhile waits in the feed
    assert shown.read() == "detached 0\n[1] detached 1\n"


def test_own_group_as_in_a_script(kernel: DrivenKernel) -> None:
    code = "%%choline\ndist.init_process_group('gloo')\ny = torch.ones(1); dist.all_reduce(y)\n{}\ny.item()"
    for end in ("pass", "dist.destroy_process_group()", "pass"):  # run again, as notebooks are
        assert kernel.run(code.format(end)).read_result() == "2.0"
    assert kernel.run("%%choline\ndist.all_reduce(y); y.item()").read_result() == "4.0"


def test_gradients_are_reduced(kernel: DrivenKernel) -> None:
    code = """%%choline
from torch.nn.parallel import DistributedDataParallel
torch.manual_seed(0)
net = DistributedDataParallel(torch.nn.Linear(2, 1, bias=False))
(net(torch.full((1, 2), RANK + 1.0)).sum()).backward()
net.module.weight.grad.tolist()"""
    assert kernel.run(code).read_result() == "[[1.5, 1.5]]"


def test_magics_and_await(kernel: DrivenKernel) -> None:
    run = kernel.run("%%choline\n%pwd\nimport asyncio\nawait asyncio.sleep(0)\nprint('awaited')")
    assert run.read() == "awaited\n"


def find_folded(run: Run) -> str:
    """What is said of ranks whose output was the same."""
    texts = [m["content"]["data"].get("text/plain", "") for m in run.find("display_data")]
    return next((text for text in texts if "same" in text), "")
