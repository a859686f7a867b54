"""A skip is a failure in CI, with its reason printed, unless no installation could mend it."""

from __future__ import annotations

import pytest

SKIPPING = """
    import pytest

    @pytest.mark.skipif(True, reason="needs a GPU with 24 GB")
    def test_gpu(): ...

    @pytest.mark.skipif(True, reason="needs a kernel feature: user namespaces")
    def test_namespace(): ...

    def test_program():
        pytest.skip("chromium is not installed")

    @pytest.mark.xfail(reason="known")
    def test_known():
        assert False
"""


@pytest.fixture(autouse=True)
def outside_ci(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CI", raising=False)
    monkeypatch.delenv("CHOLINE_NO_SKIPS", raising=False)


def run(pytester: pytest.Pytester, source: str) -> pytest.RunResult:
    pytester.makepyfile(source)
    return pytester.runpytest_inprocess("-p", "tests.skip_policy", "-p", "no:asyncio", "-rs")


@pytest.mark.parametrize("variable", ["CI", "CHOLINE_NO_SKIPS"])
def test_strict_run_fails_for_what_could_be_installed(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    monkeypatch.setenv(variable, "true")
    result = run(pytester, SKIPPING)
    result.assert_outcomes(failed=1, skipped=2, xfailed=1)
    result.stdout.fnmatch_lines(["*skipped where nothing may be skipped: chromium is not installed*"])
    result.stdout.fnmatch_lines(["*needs a GPU with 24 GB*"])


def test_strict_run_fails_for_a_module_that_skips_itself(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CI", "true")
    result = run(pytester, "import pytest; pytest.importorskip('no_such_package')")
    result.assert_outcomes(errors=1)


def test_developers_machine_may_skip(pytester: pytest.Pytester) -> None:
    run(pytester, SKIPPING).assert_outcomes(skipped=3, xfailed=1)
