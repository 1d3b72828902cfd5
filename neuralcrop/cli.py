"""The command line: ``neuralcrop TASK [overrides]``, ``neuralcrop data ...``, ``neuralcrop info``.

Everything heavy is imported by the command that needs it, so that help is quick.
"""

from __future__ import annotations

import argparse
import errno
import os
import re
import sys
import traceback
from collections.abc import Callable, Iterable, Sequence
from difflib import get_close_matches
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from typing import NamedTuple, NoReturn

import neuralcrop


class _Task(NamedTuple):
    function: str
    help: str


TASKS = {
    "simulate": _Task("neuralcrop.simulation.simulate:run", "simulate crops with given weather"),
    "train": _Task("neuralcrop.training.train:run", "learn parameters and closures from yields"),
    "evaluate": _Task("neuralcrop.evaluation.evaluate:run", "score a training run on a dataset"),
    "project": _Task("neuralcrop.projection.project:run", "project yields under scenarios"),
    "identify": _Task("neuralcrop.identifiability.identify:run",
                      "find which parameters yields can tell"),
    "twin": _Task("neuralcrop.identifiability.twin:run",
                  "learn known parameters back from simulated yields"),
    "bench": _Task("neuralcrop.compat.bench:run", "measure the speed on this machine"),
}
"""Commands configured by Hydra, and the function each one calls with its configuration."""

_EXAMPLES = """\
examples:
  neuralcrop data demo                                  make the synthetic demo data
  neuralcrop train experiment=demo hydra.run.dir=runs/a
  neuralcrop evaluate run=runs/a dataset=yields.nc output=metrics.json
  neuralcrop project run=runs/a scenario=demo
  neuralcrop identify hydra.run.dir=runs/i              what yields tell of parameters
  neuralcrop simulate forcing.path=weather.nc crop=maize output.path=yield.nc
  neuralcrop train -h                                   groups and keys of a task
  neuralcrop train --cfg job                            the composed configuration

exit status: 0 done, 1 error, 130 interrupted. NEURALCROP_TRACEBACK=1 shows tracebacks.
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command; return its exit status."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    return _guarded(lambda: _dispatch(arguments))


def _dispatch(arguments: list[str]) -> None:
    if arguments and arguments[0] in TASKS:
        _run_task(arguments[0], arguments[1:])
        return
    parser = _parser()
    options = parser.parse_args(arguments)
    if options.command is None:
        parser.print_help()
    else:
        options.action(options)


class _Parser(argparse.ArgumentParser):
    """Parser whose errors name the nearest right word and exit with status 1."""

    def error(self, message: str) -> NoReturn:
        wrong = re.search(r"invalid choice: '([^']*)' \(choose from (.*)\)", message)
        if wrong:
            choices = re.findall(r"[\w-]+", wrong[2])
            near = get_close_matches(wrong[1], choices, n=1)
            hint = f"; did you mean {near[0]!r}?" if near else f"; expected {', '.join(choices)}"
            message = f"unknown command {wrong[1]!r}{hint}"
        raise ValueError(f"{message} ({self.prog} --help)")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="neuralcrop", description=neuralcrop.__doc__, epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=neuralcrop.__version__)
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", title="commands")
    for name, task in TASKS.items():
        commands.add_parser(name, help=task.help)

    data = commands.add_parser("data", help="check, make and fetch input files")
    data_commands = data.add_subparsers(dest="what", metavar="COMMAND", required=True)
    check = data_commands.add_parser("check", help="list all problems of input files at once")
    check.add_argument("files", metavar="FILE", nargs="+")
    check.set_defaults(action=_data_check)
    demo = data_commands.add_parser("demo", help="make the synthetic demo data")
    demo.add_argument("--directory", default="data/demo", help="where to (default: %(default)s)")
    demo.set_defaults(action=_data_demo)
    simulated = data_commands.add_parser(
        "simulated", help="write simulated yields as a yields file, to pretrain on")
    simulated.add_argument("dataset", metavar="FILE", help="yields file whose sites to take")
    simulated.add_argument("--crop", required=True)
    simulated.add_argument("--output", metavar="FILE", required=True, help="NetCDF file to write")
    simulated.add_argument("--run", metavar="DIR", help="training run (default: the physics)")
    simulated.add_argument("--values", metavar="FILE", help="output of another model instead")
    simulated.add_argument("--variable", metavar="NAME", help="its variable")
    simulated.add_argument("--weather", metavar="FILE", nargs="+",
                           help="weather of the sites, where it is in other files")
    simulated.add_argument("--years", metavar=("FIRST", "LAST"), nargs=2, type=int)
    simulated.set_defaults(action=_data_simulated)
    fetch = data_commands.add_parser("fetch", help="download weather of points from a source")
    fetch.add_argument("source", metavar="SOURCE", help="nasa_power")
    fetch.add_argument("--point", metavar=("LAT", "LON"), nargs=2, type=float, action="append",
                       required=True, help="degrees north and east; may be given several times")
    fetch.add_argument("--start", metavar="YYYY-MM-DD", required=True, help="first day")
    fetch.add_argument("--end", metavar="YYYY-MM-DD", required=True, help="last day")
    fetch.add_argument("--output", metavar="FILE", required=True, help="NetCDF file to write")
    fetch.add_argument("--cache", metavar="DIR", help="where to keep what was downloaded")
    fetch.set_defaults(action=_data_fetch)

    info = commands.add_parser("info", help="crops, variables, model; versions")
    info.set_defaults(action=_info)
    info.add_argument("what", nargs="?", choices=["crops", "variables", "model"])
    info.add_argument("crop", metavar="CROP", nargs="?", help="of crops: varieties of this one")
    return parser


# --- tasks ---------------------------------------------------------------------------------------


def _run_task(task: str, arguments: list[str]) -> None:
    """Let Hydra compose, then validate and call the task's function."""
    os.environ["HYDRA_FULL_ERROR"] = "1"  # Hydra raises; `_guarded` reports
    import hydra
    from hydra.core.hydra_config import HydraConfig
    from hydra.errors import HydraException
    from omegaconf import DictConfig, OmegaConf

    from neuralcrop.config import admit_free_keys, conf_dir, validate

    def job(composed: DictConfig) -> None:
        run_dir = HydraConfig.get().runtime.output_dir
        values = OmegaConf.to_container(composed, resolve=True)
        assert isinstance(values, dict)
        config = validate(task, values, run_dir)
        _function(TASKS[task].function)(config)

    def reported(composed: DictConfig) -> None:
        # inside Hydra, so that it does not report an error a second time
        if status := _guarded(lambda: job(composed)):
            raise SystemExit(status)

    # Hydra's parser does not take options between overrides
    overrides = [a for a in arguments if "=" in a and not a.startswith("-")]
    options = [a for a in arguments if a not in overrides]
    sys.argv = [f"neuralcrop {task}", *options, *admit_free_keys(task, overrides)]
    try:
        hydra.main(config_path=str(conf_dir()), config_name=task, version_base="1.3")(reported)()
    except HydraException as error:
        raise ValueError(_hydra_problem(task, error)) from error


def _hydra_problem(task: str, error: Exception) -> str:
    """Hydra's message, with the nearest right key."""
    from neuralcrop.config import conf_dir, suggest

    message = str(error).strip()
    groups = [path.name for path in conf_dir().iterdir() if path.is_dir()]
    if key := re.search(r"Could not (?:override|append to) '([^'@]+)", message):
        near = suggest(task, key[1], groups)
        hint = f"; did you mean {near!r}?" if near else f" ('neuralcrop {task} -h' lists the keys)"
        return f"unknown key {key[1]!r}{hint}"
    if choice := re.search(r"Could not find '(\w+)/([^']+)'", message):
        group, value = choice.groups()
        options = sorted(path.stem for path in (conf_dir() / group).glob("*.yaml"))
        alike = get_close_matches(value, options, n=1)
        hint = f"; did you mean {alike[0]!r}?" if alike else ""
        if "/" in value or "." in value:
            hint = f"; for a file, set a key of the group, such as {group}.path={value}"
        return f"{group}={value}: no such option, expected one of {', '.join(options)}{hint}"
    return message.partition("\nSee https:")[0]


def _function(home: str) -> Callable[..., object]:
    module, _, name = home.partition(":")
    function: Callable[..., object] = getattr(import_module(module), name)
    return function


# --- data and info -------------------------------------------------------------------------------


def _data_check(options: argparse.Namespace) -> None:
    check_file = _function("neuralcrop.data.check:check_file")
    bad = 0
    for file in options.files:
        problems = check_file(file)
        assert isinstance(problems, list)
        bad += bool(problems)
        print(f"{file}: {'ok' if not problems else ''}".rstrip())
        for problem in problems:
            print(f"  - {problem}")
    if bad:
        raise ValueError(f"{bad} of {len(options.files)} files cannot be used as they are")


def _data_demo(options: argparse.Namespace) -> None:
    _function("neuralcrop.data.demo:make")(options.directory)
    _function("neuralcrop.training.demo:make_demo_yields")(options.directory)
    print(f"the demo data are in {options.directory}")


def _data_simulated(options: argparse.Namespace) -> None:
    path = _function("neuralcrop.evaluation.simulated:write_simulated")(
        options.dataset, options.crop, options.output, run=options.run, values=options.values,
        variable=options.variable, weather=options.weather,
        years=None if options.years is None else tuple(options.years))
    print(f"wrote {path}")


def _data_fetch(options: argparse.Namespace) -> None:
    path = _function("neuralcrop.data.sources:fetch")(
        options.source, options.output, points=[tuple(point) for point in options.point],
        start=options.start, end=options.end, cache=options.cache)
    print(f"wrote {path}")


def _info(options: argparse.Namespace) -> None:
    if options.crop is not None and options.what != "crops":
        raise ValueError(f"unexpected {options.crop!r}: only crops can be named "
                         "(neuralcrop info crops CROP)")
    if options.what == "variables":
        from neuralcrop.core.variables import variables

        _table(
            ["name", "kind", "units", "range", "size", "meaning"],
            ([v.name, v.kind, v.units, _range(v.lower, v.upper), v.size, v.long_name]
             for v in variables()),
        )
    elif options.what == "crops":
        _crops(options.crop)
    elif options.what == "model":
        records = import_module("neuralcrop.models.registry").describe()
        columns = list(dict.fromkeys(key for record in records for key in record))
        _table(columns, ([record.get(c) for c in columns] for record in records))
    else:
        _versions()


def _crops(crop: str | None) -> None:
    """Print all crops, or the varieties of one."""
    if crop is None:
        listed = neuralcrop.list_crops().reset_index()
        listed["varieties"] = listed["varieties"].map(len)
        listed["models"] = listed["models"].str.replace(", ", "\n")
        listed = listed.astype(object).where(listed.notna(), None)
    else:
        listed = import_module("neuralcrop.crops").list_varieties(crop).reset_index()
        listed["differs_in"] = listed["differs_in"].map(", ".join)
    listed["reference"] = listed["reference"].str.removeprefix("https://")
    # one word a line, so that headings leave room for what stands below them
    _table([str(c).replace("_", "\n") for c in listed.columns], listed.itertuples(index=False))


def _versions() -> None:
    """Print what a bug report should say."""
    from neuralcrop.config import conf_dir

    rows = [("neuralcrop", neuralcrop.__version__), ("python", sys.version.split()[0])]
    for package in ("torch", "torchdiffeq", "numpy", "xarray", "hydra-core", "lightning"):
        try:
            rows.append((package, version(package)))
        except PackageNotFoundError:
            rows.append((package, "not installed"))
    rows.append(("configuration", str(conf_dir())))
    _table(["", "version"], rows)


def _table(columns: Sequence[str], rows: Iterable[Iterable[object]]) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Column, Table

    table = Table(*(Column(c, overflow="fold") for c in columns), box=box.SIMPLE_HEAD)
    for row in rows:
        table.add_row(*("" if value is None else str(value) for value in row))
    terminal = sys.stdout.isatty()
    Console(width=None if terminal else 160, soft_wrap=not terminal).print(table)


def _range(lower: float, upper: float) -> str:
    if (lower, upper) == (float("-inf"), float("inf")):
        return ""
    return f"{lower:g} .. {upper:g}"


# --- errors --------------------------------------------------------------------------------------

_EXPECTED = (ValueError, OSError, ImportError, MemoryError)
"""Errors whose message is for the user, like those of neuralcrop's own; anything else is a bug and
shows its traceback."""

_DISK_FULL = (errno.ENOSPC, errno.EDQUOT)
_UNWRITABLE = (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR)
_WRITE_FAILED = ("PytorchStreamWriter failed", "NetCDF: HDF error", "NetCDF: Write to read only")
"""What libraries say, in a RuntimeError, when the disk is full or not writable."""

_ELSEWHERE = "choose another place, for example with hydra.run.dir=DIR"


def _guarded(work: Callable[[], object]) -> int:
    """Run ``work``; report what goes wrong in one message and return the exit status."""
    try:
        work()
        sys.stdout.flush()
    except BrokenPipeError:  # the reader, such as head, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except KeyboardInterrupt:
        return _interrupted()
    except SystemExit as end:
        # Lightning turns Ctrl-C into a plain exit
        if isinstance(end.__context__, KeyboardInterrupt):
            return _interrupted()
        if isinstance(end.code, str):
            print(end.code, file=sys.stderr)
            return 1
        return 1 if end.code == 2 else end.code or 0  # argparse leaves with 2
    except Exception as error:
        cause = error.__cause__
        if isinstance(cause, OSError) and cause.errno is not None:
            error = cause  # such as a log file in a directory that cannot be written
        message = _describe(error)
        wanted = os.environ.get("NEURALCROP_TRACEBACK", "0") not in ("", "0")
        if wanted or message is None:
            traceback.print_exc()
        print(f"neuralcrop: error: {message or repr(error)}", file=sys.stderr)
        return 1
    return 0


def _interrupted() -> int:
    print("neuralcrop: interrupted", file=sys.stderr)
    return 130


def _describe(error: BaseException) -> str | None:
    """Message for the user, or None if the error is not one that a user can mend."""
    if isinstance(error, OSError) and error.errno is not None:
        what = f"{error.filename}: " if error.filename else ""
        if error.errno in _DISK_FULL:
            return f"{what}the disk is full; free some space, or {_ELSEWHERE}"
        if error.errno in _UNWRITABLE:
            return f"{what}{error.strerror}; {_ELSEWHERE}"
        return f"{what}{error.strerror or error}"
    if isinstance(error, RuntimeError) and any(text in str(error) for text in _WRITE_FAILED):
        return f"the output cannot be written ({error}): the disk is full, or {_ELSEWHERE}"
    library = type(error).__module__.partition(".")[0]
    if isinstance(error, _EXPECTED) or library in ("neuralcrop", "hydra", "omegaconf"):
        return str(error) or type(error).__name__
    return None
