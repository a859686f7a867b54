"""The one table of options and verbs, for `%%choline`, `%choline VERB` and the `choline` command alike.

Read by `options` (to parse) and `usage` (to write help). Promise: a new option or verb is one line here, and
everything else - parsing, error hints, help - follows from it. What is not in the table does not exist.
"""

from __future__ import annotations

import enum
import re
from dataclasses import dataclass

from choline_jupyter.errors import RequestError

# What an option may belong to, next to the name of a single verb.
CELL = "%%choline"
SCRIPT = "SCRIPT"
VERB = "VERB"  # every verb
COMMAND = "choline"  # the command with neither verb nor script

NAME_LENGTH = 80  # characters of a session's or job's name
_DURATION = re.compile(r"(?:([0-9]{1,6})h)?(?:([0-9]{1,6})m)?(?:([0-9]{1,6})s)?\Z")
_MONEY = re.compile(r"[0-9]{1,9}(\.[0-9]{1,4})?\Z")
_SIZE = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,3})?) ?([KMGT])i?B?\Z", re.IGNORECASE)
_COUNT = re.compile(r"[1-9][0-9]{0,8}\Z")
_RANKS = re.compile(r"([0-9]{1,4})(?:-([0-9]{1,4}))?\Z")


class Kind(enum.Enum):
    """What an option's value is; the enum's value is how help names it."""

    FLAG = ""
    LIST = "PATH,..."  # printable texts; the option may be given again
    GRID = "NAME=VALUE,..."  # one printable text; the option may be given again
    TEXT = "TEXT"  # printable, not blank
    DURATION = "DURATION"  # 90s, 30m, 2h, 1h30m; read as seconds
    COUNT = "N"  # a whole number from 1
    MONEY = "USD"  # an amount, 0.01 or more
    SIZE = "SIZE"  # 40GB, 512MB, 1TB; read as bytes
    RANKS = "RANKS"  # 0,2 or 1-3


@dataclass(frozen=True)
class Option:
    """One row: `--name`. `targets` are CELL, SCRIPT, VERB, COMMAND or verbs' names."""

    name: str
    kind: Kind
    help: str
    targets: tuple[str, ...]
    metavar: str = ""
    limit: int = 1000  # characters of a TEXT
    instead_of: str = ""  # the positional that this option excludes

    def spell(self) -> str:
        """How help and hints write it: `--detach`, `--session NAME`."""
        return f"--{self.name} {self.metavar or self.kind.value}".rstrip()


@dataclass(frozen=True)
class Positional:
    """A word that a verb takes, e.g. JOB."""

    name: str
    required: bool = False
    limit: int = NAME_LENGTH
    is_many: bool = False  # it stands for all words from here on

    def spell(self) -> str:
        """How usage lines write it."""
        name = f"{self.name}..." if self.is_many else self.name
        return name if self.required else f"[{name}]"


@dataclass(frozen=True)
class Verb:
    """One row: what `%choline VERB` and `choline VERB` do."""

    name: str
    help: str
    positionals: tuple[Positional, ...] = ()

    def spell(self) -> str:
        """The verb with its words: `attach [JOB]`."""
        return " ".join([self.name, *(word.spell() for word in self.positionals)])


@dataclass(frozen=True)
class Table:
    """All rows. A name stands for one row only, whatever it belongs to."""

    options: tuple[Option, ...]
    verbs: tuple[Verb, ...]

    def find_option(self, name: str) -> Option | None:
        """The row of that name, wherever it belongs."""
        return next((option for option in self.options if option.name == name), None)

    def find_verb(self, name: str) -> Verb | None:
        """The verb of that name."""
        return next((verb for verb in self.verbs if verb.name == name), None)

    def list_options(self, target: str) -> tuple[Option, ...]:
        """What may be given with `target` (CELL, SCRIPT, COMMAND or a verb's name), in the table's order."""
        wanted = {target, VERB} if self.find_verb(target) else {target}
        return tuple(option for option in self.options if wanted.intersection(option.targets))


_RUN = (CELL, SCRIPT, "resume", "rerun")
_PLACE = (*_RUN, "move")
_FILES = (*_PLACE, "files")
_REACH = (*_PLACE, "doctor", "offers", "stop")
_RENT = (*_PLACE, "offers")

TABLE = Table(
    options=(
        Option("session", Kind.TEXT, "the session of this name", (*_PLACE, "get", "forward"), "NAME", NAME_LENGTH),
        Option("provider", Kind.TEXT, "where the machine comes from (default: local)", _RENT, "NAME", NAME_LENGTH),
        Option("gpu", Kind.TEXT, "a machine with these GPUs: a100, 4xa100 or a100:4", _RENT, "[N x]MODEL", NAME_LENGTH),
        Option("memory", Kind.SIZE, "any GPU with at least so much memory", _RENT),
        Option("spot", Kind.FLAG, "one that may be taken away, for less", _RENT),
        Option("region", Kind.TEXT, "where it stands, in the provider's words", _RENT, "REGION", NAME_LENGTH),
        Option("max-price", Kind.MONEY, "at most so much per hour", _RENT, "USD"),
        Option("budget", Kind.MONEY, "what the machine may cost in all", _PLACE),
        Option("lease", Kind.DURATION, "how long it may be idle before it ends itself (default: 30m)", _PLACE),
        Option("hold", Kind.DURATION, "how much longer while results wait to be fetched (default: 2h)", _PLACE),
        Option("deadline", Kind.DURATION, "how long it may live at all (default: 8h)", _PLACE),
        Option(
            "on-loss",
            Kind.TEXT,
            "when it is lost while a job runs: resume on another one (default), wait for one that was stopped, or stop",
            _RUN,
            "POLICY",
        ),
        Option("wait", Kind.DURATION, "with --on-loss wait: at most so long (default: 1h)", _RUN),
        Option(
            "host", Kind.TEXT, "a machine reached by ssh: user@name[:port], or its name in config.toml", _REACH, "HOST"
        ),
        Option("ssh", Kind.TEXT, "the ssh client: openssh or paramiko (default: the first there is)", _REACH, "CLIENT"),
        Option("accept-host-key", Kind.TEXT, "the fingerprint of a new host's key", _REACH, "SHA256:..."),
        Option(
            "env",
            Kind.TEXT,
            "what another machine's environment is to hold: a requirements file or the like, or none;"
            " without it, what the code imports",
            _PLACE,
            "FILE",
        ),
        Option("isolated", Kind.FLAG, "on this machine, without its files: only what goes along is there", _PLACE),
        Option("ranks", Kind.COUNT, "run on this many kernels at once, as the ranks of one process group", _RUN),
        Option(
            "nodes",
            Kind.COUNT,
            "run on this many machines; --host names them (more are spare), or --gpu rents them",
            (SCRIPT,),
        ),
        Option("on", Kind.RANKS, "run on these ranks only", (CELL,)),
        Option("sweep", Kind.GRID, "run the cell once for each value of a name, and of each combination", (CELL,)),
        Option("over", Kind.LIST, "the hosts that a sweep is spread over; `here` is this machine", (CELL,), "HOST,..."),
        Option(
            "parallel", Kind.COUNT, "how many jobs of a sweep run at once (default: one for each host or GPU)", (CELL,)
        ),
        Option(
            "with",
            Kind.LIST,
            "files and folders that go along, whatever is found in the code; [PATH=]URL (https://, hf://, s3://)"
            " is downloaded over there",
            _FILES,
            "PATH|URL,...",
            4000,
        ),
        Option("without", Kind.LIST, "files that stay here, in the syntax of .gitignore", _FILES, "PATTERN,..."),
        Option(
            "secret",
            Kind.LIST,
            "environment variables of this machine that the job gets; their values are hidden in its output",
            _RUN,
            "NAME,...",
        ),
        Option("no-pull", Kind.FLAG, "leave what the job writes over there", _RUN),
        Option(
            "out", Kind.TEXT, "bring these variables here when the cell ends", (CELL, "resume", "rerun"), "NAME,..."
        ),
        Option("resume", Kind.TEXT, "go on where this job's checkpoints end", (CELL, SCRIPT), "JOB", NAME_LENGTH),
        Option("keep", Kind.TEXT, "which checkpoints stay here (default: last=3,best=loss)", _RUN, "POLICY"),
        Option("checkpoint", Kind.LIST, "files that are checkpoints, too, whatever their names", _RUN, "PATTERN,..."),
        Option("store", Kind.TEXT, "checkpoints go there, too: s3://..., gs://..., file:///...", _RUN, "URL"),
        Option("sort", Kind.TEXT, "by time, loss, duration or cost", ("runs",), "KEY"),
        Option("detach", Kind.FLAG, "start the job and return at once; it goes on by itself", _RUN),
        Option("trust", Kind.FLAG, "let what a rented machine shows run scripts and widgets here", _PLACE),
        Option("all", Kind.FLAG, "every session", ("stop",), instead_of="SESSION"),
        Option("purge", Kind.FLAG, "remove all that choline keeps on the machine, too", ("stop",)),
        Option("yes", Kind.FLAG, "do not ask first", (SCRIPT, "stop", "gc")),
        Option("adopt", Kind.FLAG, "take unknown machines of this client into the ledger instead", ("gc",)),
        Option("csv", Kind.FLAG, "as a table for other programs", ("budget",)),
        Option("help", Kind.FLAG, "show this text", (COMMAND, SCRIPT, VERB)),
        Option("version", Kind.FLAG, "print the version", (COMMAND,)),
    ),
    verbs=(
        Verb("status", "what runs, where, and what it costs"),
        Verb("attach", "show a job's output from its first line, then live", (Positional("JOB"),)),
        Verb("logs", "print what a job has put out so far", (Positional("JOB", required=True),)),
        Verb(
            "get", "bring variables of a session here", (Positional("NAME", required=True, limit=1000, is_many=True),)
        ),
        Verb("interrupt", "interrupt the running job; its session keeps its state"),
        Verb("stop", "end a session and what runs in it", (Positional("SESSION"),)),
        Verb(
            "files",
            "the files that go along, why, and what stays here",
            (Positional("SCRIPT", limit=1000),),
        ),
        Verb(
            "runs",
            "what has run, how far it came and how well; two jobs are compared",
            (Positional("WORD", is_many=True),),
        ),
        Verb(
            "rerun",
            "run a job again as it was, and say what is no longer the same",
            (Positional("JOB", required=True),),
        ),
        Verb("checkpoints", "the checkpoints that are here, and what they were made of", (Positional("JOB"),)),
        Verb(
            "resume",
            "go on with a job from its last checkpoint, here or elsewhere",
            (Positional("JOB", required=True),),
        ),
        Verb("move", "have this notebook's session on another machine, with its names, and end the old one"),
        Verb("pull", "bring home what a job has written", (Positional("JOB", required=True),)),
        Verb("offers", "what machines there are, what they have and cost"),
        Verb(
            "forward", "open a port of the session's machine here, such as TensorBoard's", (Positional("PORT", True),)
        ),
        Verb("budget", "what was spent, what may be, and what costs money now"),
        Verb("gc", "find what runs and is not wanted or not known, and end it"),
        Verb("login", "keep the key of a provider that rents out machines", (Positional("PROVIDER", required=True),)),
        Verb("doctor", "check this machine and the way to the others, and say what to mend"),
    ),
)


def read_value(option: Option, text: str) -> str | int | float | tuple[str, ...]:
    """`text` as a value of the option: TEXT as it is, DURATION in seconds, SIZE in bytes; raises RequestError."""
    if option.kind is Kind.LIST:
        return tuple(read_text(f"--{option.name}", part, option.limit) for part in text.split(","))
    if option.kind is Kind.GRID:
        return (read_text(f"--{option.name}", text, option.limit),)
    if option.kind is Kind.DURATION:
        return _read_duration(option, text)
    if option.kind is Kind.COUNT:
        return _read_count(option, text)
    if option.kind is Kind.MONEY:
        return _read_money(option, text)
    if option.kind is Kind.SIZE:
        return _read_size(option, text)
    if option.kind is Kind.RANKS:
        return _read_ranks(option, text)
    return read_text(f"--{option.name}", text, option.limit)


def read_text(owner: str, text: str, limit: int) -> str:
    """`text` if it is printable, not blank and at most `limit` characters; raises RequestError that names `owner`."""
    if not text.strip():
        raise RequestError(f"{owner} is empty.", "Give it a name, in quotes if it has spaces.")
    if not text.isprintable():
        raise RequestError(f"{owner} {quote(text)} holds characters that cannot be printed.", "Use printable text.")
    if len(text) > limit:
        raise RequestError(f"{owner} is {len(text)} characters long.", f"Use at most {limit}.")
    return text


def quote(text: str) -> str:
    """Text of the user's, safe and short enough to stand in a message."""
    return repr(text if len(text) <= 60 else f"{text[:57]}...")


def _read_duration(option: Option, text: str) -> int:
    match = _DURATION.match(text) if text else None
    if not match:
        raise RequestError(f"--{option.name} {quote(text)} is no duration.", "Write it like 90s, 30m, 2h or 1h30m.")
    hours, minutes, seconds = (int(part or 0) for part in match.groups())
    return hours * 3600 + minutes * 60 + seconds


def _read_count(option: Option, text: str) -> int:
    if not _COUNT.match(text):
        raise RequestError(f"--{option.name} {quote(text)} is no count.", "Write a whole number from 1.")
    return int(text)


def _read_money(option: Option, text: str) -> float:
    if not _MONEY.match(text) or float(text) <= 0:
        raise RequestError(f"--{option.name} {quote(text)} is no amount of money.", "Write USD like 5 or 0.50.")
    return float(text)


def _read_size(option: Option, text: str) -> int:
    match = _SIZE.match(text)
    if not match or not float(match[1]):
        raise RequestError(f"--{option.name} {quote(text)} is no size.", "Write it like 40GB.")
    return int(float(match[1]) * (1 << 10 * (1 + "KMGT".index(match[2].upper()))))


def _read_ranks(option: Option, text: str) -> tuple[str, ...]:
    """`0,2` or `1-3` as the numbers, in order, each once."""
    found: set[int] = set()
    for part in text.split(","):
        match = _RANKS.match(part.strip())
        if not match:
            raise RequestError(
                f"--{option.name} {quote(text)} names no ranks.", "Write numbers from 0, as in 0,2 or 1-3."
            )
        found.update(range(int(match[1]), int(match[2] or match[1]) + 1))
    if not found:
        raise RequestError(f"--{option.name} {quote(text)} names no ranks.", "Write numbers from 0, as in 0,2 or 1-3.")
    return tuple(map(str, sorted(found)))
