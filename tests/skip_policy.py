"""A pytest plugin: where everything must run, a skipped test is a failure.

Loaded by tests/conftest.py. Strict when CI or CHOLINE_NO_SKIPS is set. Two reasons stay skips everywhere, because no
installation can mend them: a GPU and a feature of the operating system's kernel that the machine lacks.
"""

from __future__ import annotations

import os
from collections.abc import Generator

import pytest

ALLOWED_REASONS = ("needs a GPU", "needs a kernel feature")


def is_strict() -> bool:
    return bool(os.environ.get("CI") or os.environ.get("CHOLINE_NO_SKIPS"))


def judge(report: pytest.TestReport | pytest.CollectReport) -> None:
    """Turn the report of a forbidden skip into the report of a failure."""
    if not report.skipped or hasattr(report, "wasxfail") or not is_strict():
        return
    reason = _reason(report)
    if not reason.startswith(ALLOWED_REASONS):
        report.outcome = "failed"
        report.longrepr = f"skipped where nothing may be skipped: {reason}"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    judge(report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    report = yield
    judge(report)
    return report


def _reason(report: pytest.TestReport | pytest.CollectReport) -> str:
    # pytest keeps a skip as (file, line, "Skipped: reason").
    text = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
    return text.removeprefix("Skipped: ")
