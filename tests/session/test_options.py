"""What the user types: every line gives the request it means, or one sentence and one hint."""

from __future__ import annotations

import shlex
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from choline_jupyter.errors import RequestError, UnknownOption, UnknownVerb
from choline_jupyter.session.option_table import CELL, SCRIPT, TABLE, VERB, Kind, Option, Positional, Table, Verb
from choline_jupyter.session.options import (
    CellRequest,
    HelpRequest,
    ScriptRequest,
    VerbRequest,
    VersionRequest,
    parse_cell,
    parse_command,
    parse_line,
)
from choline_jupyter.session.usage import MAGIC, PROGRAM, render_help

# Every kind of option, whatever the real table holds at present.
KINDS = Table(
    options=(
        Option("name", Kind.TEXT, "a text", (CELL, SCRIPT, "go")),
        Option("lease", Kind.DURATION, "a duration", (CELL, SCRIPT, "go")),
        Option("nodes", Kind.COUNT, "a count", (CELL, SCRIPT, "go")),
        Option("quick", Kind.FLAG, "a flag", (CELL, SCRIPT, "go")),
        Option("help", Kind.FLAG, "help", (VERB, SCRIPT)),
    ),
    verbs=(Verb("go", "goes", (Positional("WHERE", required=True), Positional("HOW"))),),
)


def given_options(request: object) -> dict[str, object]:
    """The options that were given, by name."""
    assert isinstance(request, CellRequest | VerbRequest | ScriptRequest)
    return {name: value for name, value in request.options.items.items() if value is not None}


@pytest.mark.parametrize(
    ("line", "options"),
    [
        ("", {}),
        ("   ", {}),
        ("--detach", {"detach": True}),
        ("--session mine", {"session": "mine"}),
        ("--session=mine", {"session": "mine"}),
        ("--session 'two words'", {"session": "two words"}),
        ('--session="it\'s mine"', {"session": "it's mine"}),
        ("--session=--odd", {"session": "--odd"}),
        ("--session -1", {"session": "-1"}),
        ("--session=a=b", {"session": "a=b"}),
        ("--session ../a/b\\ c", {"session": "../a/b c"}),
        ("--session 日本語 --trust --provider local", {"session": "日本語", "trust": True, "provider": "local"}),
        (f"--session {'x' * 80}", {"session": "x" * 80}),
    ],
)
def test_cell_options(line: str, options: dict[str, object]) -> None:
    assert given_options(parse_cell(line)) == options


@pytest.mark.parametrize(
    ("line", "message", "hint"),
    [
        ("--sesion x", "no option '--sesion'", "Did you mean --session?"),
        ("--Detach", "no option '--Detach'", "Did you mean --detach?"),
        ("--det", "no option '--det'", "Did you mean --detach?"),
        ("---detach", "no option '---detach'", "Did you mean --detach?"),
        ("-detach", "no option '-detach'", "Did you mean --detach?"),
        ("--zzz", "no option '--zzz'", "Write %%choline [--session NAME]"),
        ("--=x", "no option '--=x'", "Write %%choline"),
        ("--yes", "no option '--yes'", "--yes goes with SCRIPT or stop or gc"),
        ("--detach --detach", "--detach is given twice", "Keep one"),
        ("--session a --session=b", "--session is given twice", "Keep one"),
        ("--session", "--session needs a value", "Write --session NAME"),
        ("--session --detach", "--session needs a value", "Write --session NAME"),
        ("--session=", "--session is empty", "name"),
        ("--session '  '", "--session is empty", "name"),
        ("--detach=yes", "--detach takes no value", "Write --detach alone"),
        ("--session 'a", "has no end", "double quotes"),
        ("--session a\\", "has no end", "double quotes"),
        ("--session a\0b", "NUL byte", "Delete it"),
        ("--session 'a\nb'", "cannot be printed", "printable"),
        ("--session a\u200bb", "cannot be printed", "printable"),
        ("--session \ud800", "cannot be printed", "printable"),
        (f"--session {'x' * 81}", "81 characters", "at most 80"),
        ("x" * 10_000_000, "10000000 characters", "lines below"),
        ("status", "options only, not 'status'", "%choline status, with one %"),
        ("detach", "options only, not 'detach'", "Did you mean --detach?"),
        ("print(1)", "options only, not 'print(1)'", "Write %%choline"),
        ("-- x", "options only, not 'x'", "Write %%choline"),
    ],
)
def test_cell_refusals(line: str, message: str, hint: str) -> None:
    with pytest.raises(RequestError) as caught:
        parse_cell(line)
    assert message in caught.value.message
    assert hint in caught.value.hint
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("parse", [parse_line, lambda line: parse_command(shlex.split(line))])
@pytest.mark.parametrize(
    ("line", "verb", "words", "options"),
    [
        ("status", "status", (), {}),
        ("attach", "attach", (), {}),
        ("attach j-1", "attach", ("j-1",), {}),
        ("logs j-1", "logs", ("j-1",), {}),
        ("interrupt", "interrupt", (), {}),
        ("stop", "stop", (), {}),
        ("stop 'my session' --yes", "stop", ("my session",), {"yes": True}),
        ("stop --all --yes", "stop", (), {"all": True, "yes": True}),
        ("--all stop", "stop", (), {"all": True}),
        ("stop -- --odd", "stop", ("--odd",), {}),
        ("doctor", "doctor", (), {}),
    ],
)
def test_verbs(
    parse: Callable[[str], object], line: str, verb: str, words: tuple[str, ...], options: dict[str, object]
) -> None:
    request = parse(line)
    assert isinstance(request, VerbRequest)
    assert (request.verb, request.positionals, given_options(request)) == (verb, words, options)


@pytest.mark.parametrize(
    ("line", "kind", "message", "hint"),
    [
        ("stauts", UnknownVerb, "no verb 'stauts'", "Did you mean {program} status?"),
        ("STOP", UnknownVerb, "no verb 'STOP'", "Did you mean {program} stop?"),
        (
            "qqq",
            UnknownVerb,
            "no verb 'qqq'",
            "status, attach, logs, get, interrupt, stop, files, runs, rerun, checkpoints, resume, move, pull, offers",
        ),
        ("''", UnknownVerb, "no verb ''", "The verbs are"),
        ("--session x", UnknownOption, "no option '--session'", "--session goes with %%choline or SCRIPT"),
        ("stop --al", UnknownOption, "stop has no option '--al'", "Did you mean --all?"),
        ("status --yes", UnknownOption, "status has no option '--yes'", "--yes goes with SCRIPT or stop or gc"),
        ("status -h", UnknownOption, "status has no option '-h'", "Did you mean --help?"),
        ("status x", RequestError, "status has no use for 'x'", "Write {program} status [--help]"),
        ("attach a b", RequestError, "attach has no use for 'b'", "Write {program} attach [JOB]"),
        ("logs", RequestError, "logs needs a JOB", "Write {program} logs JOB"),
        ("stop x --all", RequestError, "takes SESSION or --all, not both", "Keep one"),
        ("stop ''", RequestError, "SESSION is empty", "name"),
        (f"stop {'x' * 81}", RequestError, "81 characters", "at most 80"),
        ("stop --yes --yes", RequestError, "--yes is given twice", "Keep one"),
        ("-- status", RequestError, "has no use for 'status'", "Write {program}"),
    ],
)
@pytest.mark.parametrize("program", [MAGIC, PROGRAM])
def test_verb_refusals(program: str, line: str, kind: type[RequestError], message: str, hint: str) -> None:
    with pytest.raises(kind) as caught:
        parse_line(line) if program == MAGIC else parse_command(shlex.split(line))
    assert message in caught.value.message
    assert hint.format(program=program) in caught.value.hint


@pytest.mark.parametrize(
    ("argv", "script", "args", "options"),
    [
        (["train.py"], "train.py", (), {}),
        (["./status"], "./status", (), {}),
        (["train.py", "--detach", "--session", "a b"], "train.py", (), {"detach": True, "session": "a b"}),
        (["--session", "status", "train.py"], "train.py", (), {"session": "status"}),
        (["train.py", "--", "--lr", "3", "--", "x"], "train.py", ("--lr", "3", "--", "x"), {}),
        (["a b/\udcff.py", "--", ""], "a b/\udcff.py", ("",), {}),
    ],
)
def test_scripts(argv: list[str], script: str, args: tuple[str, ...], options: dict[str, object]) -> None:
    request = parse_command(argv)
    assert isinstance(request, ScriptRequest)
    assert (request.script, request.args, given_options(request)) == (script, args, options)


@pytest.mark.parametrize(
    ("argv", "message", "hint"),
    [
        (["train.py", "--lr", "3"], "no option '--lr'", "behind --, as in choline train.py -- ARGS"),
        (["train.py", "--test"], "no option '--test'", "behind --"),
        (["train.py", "x"], "'x' is not an option", "behind --"),
        (["train"], "no verb 'train'", "./train"),
        (["train.py", "--", "a\0b"], "NUL byte", "Delete it"),
        (["--detach"], "no option '--detach'", "goes with %%choline or SCRIPT"),
    ],
)
def test_script_refusals(argv: list[str], message: str, hint: str) -> None:
    with pytest.raises(RequestError) as caught:
        parse_command(argv)
    assert message in caught.value.message
    assert hint in caught.value.hint


@pytest.mark.parametrize(
    ("argv", "request_"),
    [
        ([], HelpRequest()),
        (["--help"], HelpRequest()),
        (["logs", "--help"], HelpRequest("logs")),
        (["--help", "stop", "a", "b"], HelpRequest("stop")),
        (["train.py", "--help"], HelpRequest(SCRIPT)),
        (["train.py", "--", "--help"], None),
        (["--version"], VersionRequest()),
    ],
)
def test_help_and_version(argv: list[str], request_: object) -> None:
    assert (parse_command(argv) == request_) is (request_ is not None)
    if argv and "." not in argv[0]:
        assert parse_line(shlex.join(argv)) == request_


def test_an_option_that_a_request_cannot_have_is_a_mistake_of_ours() -> None:
    with pytest.raises(KeyError):
        parse_cell("").options.has("yes")


DURATIONS = st.tuples(*[st.integers(0, 999_999) | st.none()] * 3).filter(any)
NAMES = st.text(min_size=1, max_size=80).filter(lambda text: text.isprintable() and bool(text.strip()))


@st.composite
def spelled(draw: st.DrawFn) -> tuple[list[str], dict[str, object]]:
    """Options as words, in any order and either form, and what they mean."""
    hours, minutes, seconds = draw(DURATIONS)
    duration = "".join(f"{part}{unit}" for part, unit in zip((hours, minutes, seconds), "hms", strict=True) if part)
    whole = (hours or 0) * 3600 + (minutes or 0) * 60 + (seconds or 0)
    name, nodes = draw(NAMES), draw(st.integers(1, 999_999_999))
    rows = [("name", name, name), ("lease", duration, whole), ("nodes", str(nodes), nodes), ("quick", "", True)]
    words, meaning = [], {}
    for option, text, value in draw(st.permutations(rows))[: draw(st.integers(0, 4))]:
        joined = bool(text) and (text.startswith("--") or draw(st.booleans()))
        words += [f"--{option}={text}"] if joined else [f"--{option}", *filter(None, [text])]
        meaning[option] = value
    return words, meaning


@given(spelled())
def test_options_round_trip(case: tuple[list[str], dict[str, object]]) -> None:
    words, meaning = case
    assert given_options(parse_cell(shlex.join(words), KINDS)) == meaning
    assert given_options(parse_line(shlex.join([*words, "go", "there"]), KINDS)) == meaning
    assert given_options(parse_line(shlex.join(["go", *words, "there"]), KINDS)) == meaning
    assert given_options(parse_command([*words, "a.py", "--", "--x"], KINDS)) == meaning
    assert given_options(parse_command(["a.py", *words], KINDS)) == meaning


PARTS = st.sampled_from(["--session", "--all", "stop", "=", "'", " ", "-", "x"])


def find_error(parse: Callable[[str], object], line: str) -> RequestError | None:
    try:
        parse(line)
    except RequestError as error:
        return error
    return None


@given(st.text(max_size=60) | st.lists(PARTS).map("".join))
@pytest.mark.parametrize("parse", [parse_cell, parse_line, lambda line: parse_command(line.split(" "))])
def test_any_line_gives_a_request_or_one_sentence(parse: Callable[[str], object], line: str) -> None:
    error = find_error(parse, line)
    assert not error or (error.message.endswith(".") and error.hint and str(error).isprintable())


@pytest.mark.parametrize("text", ["", "5", "5d", "1m1h", "-1s", "1.5h", "1h 30m", "٣m", "h", "9999999h", "1h30"])
def test_durations_refused(text: str) -> None:
    with pytest.raises(RequestError, match=r"--lease .* is no duration\. Write it like"):
        parse_cell(f"--lease='{text}'", KINDS)


@pytest.mark.parametrize("text", ["", "0", "-1", "01", "1.5", "٣", "1e3", "9999999999"])
def test_counts_refused(text: str) -> None:
    with pytest.raises(RequestError, match=r"--nodes .* is no count\. Write a whole number"):
        parse_cell(f"--nodes={text}", KINDS)


def test_typed_access() -> None:
    options = parse_cell("--name x --lease 1h30m", KINDS).options
    assert (options.text("name"), options.number("lease"), options.number("nodes")) == ("x", 5400, None)
    assert not options.has("quick")


def test_a_name_stands_for_one_row() -> None:
    names = [option.name for option in TABLE.options]
    assert len(names) == len(set(names))
    targets = {CELL, SCRIPT, VERB, "choline", *(verb.name for verb in TABLE.verbs)}
    assert {target for option in TABLE.options for target in option.targets} <= targets


def test_help_shows_every_row_that_applies() -> None:
    overview = render_help()
    for verb in TABLE.verbs:
        assert f"  {verb.spell()}" in overview
        assert verb.help in overview
        for option in TABLE.list_options(verb.name):
            assert option.spell() in render_help(verb.name)
            assert option.help in render_help(verb.name)
    for target, program in [(CELL, MAGIC), (SCRIPT, PROGRAM)]:
        for option in TABLE.list_options(target):
            assert option.help in render_help(target, program)
            assert option.help in render_help("", program)
    assert overview.startswith("usage: choline SCRIPT [--session NAME]")
    assert render_help("", MAGIC).startswith("usage: %%choline [--session NAME]")
    assert "30m" in render_help("go", PROGRAM, KINDS)
