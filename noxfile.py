"""The checks of this project. They share one environment, because installing torch takes longer than most of them."""

import hashlib
import os
from pathlib import Path
from tempfile import TemporaryDirectory

import nox

nox.needs_version = ">=2025.2.9"
nox.options.sessions = ["tests", "lint", "types", "docs"]
nox.options.default_venv_backend = "venv"

BIN = Path(".nox/env/bin")
BY_FILE = ("--dist", "loadscope", "--no-loadscope-reorder")
"""The tests of a file run in one process, which makes what they share once, and files in the order of their names."""
MADE_FROM = ("pyproject.toml", "constraints.txt")


def in_env(session: nox.Session, program: str, *args: str, **environment: str) -> None:
    """Run a program of the shared environment, with one thread for each process."""
    session.run(str(BIN / program), *args, env={"OMP_NUM_THREADS": "1", **environment})


@nox.session(reuse_venv=True, default=False)
def env(session: nox.Session) -> None:
    """Make the environment that all other sessions use, anew only if what it is made from has changed."""
    made_from = hashlib.sha256(b"".join(Path(name).read_bytes() for name in MADE_FROM)).hexdigest()
    stamp = Path(session.virtualenv.location) / "made_from"
    if stamp.exists() and stamp.read_text() == made_from:
        return
    session.install("--no-compile", "-c", "constraints.txt", "-e", ".[dev,docs]")  # Python compiles what is imported
    stamp.write_text(made_from)


@nox.session(venv_backend="none", requires=["env"])
def tests(session: nox.Session) -> None:
    """Run the tests; arguments after -- go to pytest."""
    in_env(session, "python", "-m", "pytest", "-n", str(min(2, os.cpu_count() or 1)), *BY_FILE, *session.posargs)
    if not session.posargs:
        in_env(session, "python", "-m", "pytest", "plugins/margrpo-example")


@nox.session(venv_backend="none", requires=["env"], default=False)
def plugins(session: nox.Session) -> None:
    """Install the library's wheel and each package of plugins/ in an environment of its own, and run its tests there.

    Packages as `margrpo plugins new` writes them are held to the same. Arguments after -- name the packages to try.
    """
    with TemporaryDirectory() as folder:
        in_env(session, "python", "-m", "pip", "wheel", "-q", "--no-deps", "-w", folder, ".")
        (wheel,) = Path(folder).glob("margrpo-*.whl")
        packages = [path for path in sorted(Path("plugins").iterdir()) if path.name in (session.posargs or path.name)]
        if not session.posargs:
            for kind in ("policy", "sampler", "estimator", "selector", "reward"):
                name = f"margrpo-new-{kind}"
                in_env(session, "margrpo", "plugins", "new", name, "--kind", kind, "--in", folder)
                packages.append(Path(folder) / name)
        environment = Path(folder) / "env"
        session.run("python", "-m", "venv", str(environment), external=True)
        python = str(environment / "bin" / "python")
        constraints = ("-c", str(Path("constraints.txt").absolute()))
        for package in packages:
            install = (f"{wheel}[testing]", f"{package.absolute()}[test]")
            session.run(python, "-m", "pip", "install", "-q", *constraints, *install, external=True)
            with session.chdir(package):  # away from the checkout, so that the wheel is what is imported
                session.run(python, "-m", "pytest", "-q", external=True, env={"OMP_NUM_THREADS": "1"})


@nox.session(reuse_venv=True, default=False)
def browser(session: nox.Session) -> None:
    """Open reports in the Chromium that is on the path, by Playwright, in an environment of its own."""
    session.install("-c", "constraints.txt", "playwright", ".[testing,report]")
    session.run("python", "-m", "pytest", "tests/report/test_browser.py", "-rs", env={"OMP_NUM_THREADS": "1"})


@nox.session(reuse_venv=True, default=False)
def trackio(session: nox.Session) -> None:
    """Try the tracker of Trackio, which needs older packages than the rest, in an environment of its own."""
    session.install("torch==2.13.0", ".[testing,trackio]")
    session.run("python", "-m", "pytest", "tests/components/tracker/test_services.py", "-k", "trackio", "-rs")


@nox.session(venv_backend="none", requires=["env"])
def lint(session: nox.Session) -> None:
    """Check style, format, first lines of docstrings and the direction of imports."""
    in_env(session, "ruff", "check", ".")
    in_env(session, "ruff", "format", "--check", ".")
    in_env(session, "lint-imports")
    in_env(session, "python", "-m", "tests.lint.first_lines")


@nox.session(venv_backend="none", requires=["env"])
def types(session: nox.Session) -> None:
    """Check the types."""
    in_env(session, "mypy")


@nox.session(venv_backend="none", requires=["env"])
def docs(session: nox.Session) -> None:
    """Build the documentation into site/; a broken link fails."""
    in_env(session, "mkdocs", "build", "--strict")


@nox.session(venv_backend="none", requires=["env"], default=False)
def faults(session: nox.Session) -> None:
    """Kill, damage, starve and fuzz: every case of what the tests try a few of; a quarter of an hour."""
    words = ("-m", "pytest", "tests/faults", "-n", "2", "--dist", "loadfile", "-rP", *session.posargs)
    in_env(session, "python", *words, MARGRPO_FAULTS="every")


@nox.session(venv_backend="none", requires=["env"], default=False)
def golden(session: nox.Session) -> None:
    """Change three numbers of every recorded output by ten times its tolerance; a change that no test notices fails."""
    in_env(session, "python", "-m", "tests.golden.disturbing", "--all", *session.posargs)


@nox.session(venv_backend="none", requires=["env"], default=False)
def full_size(session: nox.Session) -> None:
    """Load a checkpoint of MAR-L and update MAR-B and MAR-L at full size; minutes, and 20 GB of memory and disk."""
    python = str(BIN / "python")
    session.run(python, "-m", "pytest", "tests/full_size")
    session.run(python, "docs/experiments/full_size.py", "--out", "runs/full_size", *session.posargs)


@nox.session(venv_backend="none", requires=["env"], default=False)
def digits(session: nox.Session) -> None:
    """Tune the recipe of digits for several seeds and write their table; arguments after -- go to it."""
    in_env(session, "python", "docs/experiments/digits.py", "--out", "runs/digits", *session.posargs)


@nox.session(venv_backend="none", requires=["env"], default=False)
def quickstart(session: nox.Session) -> None:
    """Train the quickstart recipe into a temporary folder."""
    with TemporaryDirectory() as folder:
        in_env(session, "margrpo", "train", "recipes/quickstart.toml", "--out", folder)


@nox.session(venv_backend="none", requires=["env"], default=False)
def experiments(session: nox.Session) -> None:
    """Run the recipes of recipes/shapes for several seeds and write their table; arguments after -- go to it."""
    in_env(session, "python", "docs/experiments/shapes.py", "--out", "runs/experiments", *session.posargs)
