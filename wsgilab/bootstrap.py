"""Makes .venv from the lock file where it is missing or out of date, then becomes the lab.

Runs under the system's Python, so it imports nothing but the standard library, and what reads a bundle.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import importlib.util
import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
STAMP = VENV / "installed-locks"
BROUGHT = "wheels"
"""Below VENV: those of a bundle."""
EXIT_MISSING, EXIT_INTERRUPTED = 3, 130
LOCKS = {"test": "dev.txt", "vitals": "browser.txt"}
"""Command → what it needs besides local.txt, which each of these holds as well."""
ELSEWHERE = {"PYTHONPATH", "PIP_TARGET", "PIP_PREFIX", "PIP_ROOT", "PIP_USER", "PIP_REQUIRE_VIRTUALENV"}
"""What would make pip install to another place than .venv, or nothing at all."""

FROM_AN_INDEX = (
    "no network (./lab bundle --use FILE needs none), no room on the disk, or no such package for this platform; "
    "what was downloaded is kept"
)
FROM_A_BUNDLE = "no room on the disk, or a C library older than that of the machine that made the bundle"
"""Why packages could not be installed."""
AGAIN = "./lab --version"
"""Sets up and does nothing else; ./lab doctor needs the same packages."""


class SetupError(Exception):
    """Why the environment cannot be made: (what, likely cause, next command)."""

    exit_code = EXIT_MISSING


def main(arguments: Sequence[str]) -> None:
    """Make the environment where it is missing or old, and become the lab's command in it."""
    lock = ROOT / "locks" / LOCKS.get(arguments[0] if arguments else "", "local.txt")
    # As Ctrl-C does: a command under way is ended with us.
    for number in (signal.SIGTERM, signal.SIGQUIT, signal.SIGHUP):
        if signal.getsignal(number) != signal.SIG_IGN:  # nohup
            signal.signal(number, signal.default_int_handler)
    try:
        prepare(lock, bundle_in(arguments))
    except (SetupError, OSError) as error:
        what, cause, next_command = error.args if isinstance(error, SetupError) else _no_room(error)
        _say(f"lab: {what}\n  Likely cause: {cause}\n  Next: {next_command}")
        sys.exit(error.exit_code if isinstance(error, SetupError) else EXIT_MISSING)
    except KeyboardInterrupt:
        _say("lab: interrupted while setting up; the same command begins that anew.")
        sys.exit(EXIT_INTERRUPTED)
    python = VENV / "bin/python"
    os.environ["PYTHONPATH"] = str(ROOT)
    # -P: the current folder may be another clone, or an app with a module that is called as one of ours.
    os.execv(python, [str(python), "-P", "-m", "wsgilab", *arguments])


def bundle_in(arguments: Sequence[str]) -> Path | None:
    """The file that a command line such as `bundle --use FILE` names."""
    if arguments[:1] != ["bundle"]:
        return None
    for word, following in zip(arguments, [*arguments[1:], ""], strict=True):
        option, equals, value = word.partition("=")
        if option == "--use":
            named = value if equals else following
            return Path(named) if named else None
    return None


def prepare(lock: Path, bundle: Path | None = None) -> None:
    """Have everything that `lock` pins in .venv, out of a bundle where one is given. Raises SetupError."""
    if os.pathsep in str(ROOT):
        raise SetupError(
            f"no Python environment can be made in {ROOT}.",
            f"its path has a '{os.pathsep}' in it, which separates the folders of PATH",
            f"{shlex.join(['mv', str(ROOT)])} ~/wsgilab",
        )
    wanted = _line(lock)
    if wanted in _installed():
        return
    try:
        # Left from an earlier time, the lock can be opened where .venv cannot be made.
        if not os.access(VENV if VENV.is_dir() else ROOT, os.W_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        guard = (ROOT / ".venv.lock").open("w")
    except OSError as error:
        raise SetupError(
            f"cannot write to {ROOT}: {error.strerror}.",
            "the clone belongs to another user, or is write-protected; clone it into a folder of your own",
            shlex.join(["ls", "-ld", str(ROOT)]),
        ) from error
    with guard:
        fcntl.flock(guard, fcntl.LOCK_EX)  # a second ./lab waits for the first to finish installing
        if wanted in _installed():
            return
        started = time.monotonic()
        source = bundle or lock.relative_to(ROOT)
        _say(f"Setting up {VENV.name} from {source}, once. It takes about half a minute …")
        if not _python_matches():
            shutil.rmtree(VENV, ignore_errors=True)
        wheels = _wheels_of(bundle) if bundle else VENV / BROUGHT
        pip = _make_venv(wheels)
        if bundle or not _install_offline(pip, lock):
            _install(pip, lock, wheels if bundle else None)
        _require_in_place()
        STAMP.write_text("\n".join([wanted, *_still_there(lock)]) + "\n")
        _say(f"Ready after {time.monotonic() - started:.0f} s.")


def _installed() -> list[str]:
    try:
        return STAMP.read_text().splitlines() if _python_matches() else []
    except OSError:
        return []


def _still_there(lock: Path) -> list[str]:
    """What .venv holds besides `lock`: all of local.txt, and what was installed earlier and has not changed since.

    Lock files agree on versions, so to install one takes nothing away from another.
    """
    others = [lock.with_name(name) for name in ("local.txt", *LOCKS.values()) if name != lock.name]
    installed = _installed()
    return [line for other in others if (line := _line(other)) in installed or other.name == "local.txt"]


def _line(lock: Path) -> str:
    return f"{lock.stem} {hashlib.sha256(lock.read_bytes()).hexdigest()} {sys.version_info[:2]}"


def _python_matches() -> bool:
    """Whether .venv has a Python that still runs and is of this version."""
    version = f"{sys.version_info[0]}.{sys.version_info[1]}"
    return (VENV / f"lib/python{version}").is_dir() and (VENV / "bin/python").exists()


def _wheels_of(bundle: Path) -> Path:
    """A folder with the wheels of a bundle. Raises SetupError for one that is damaged, or not for this machine."""
    sys.path.insert(0, str(ROOT))
    from wsgilab.errors import LabError
    from wsgilab.machine import bundles

    try:
        found = bundles.read(bundle)
        found.require_fit(ROOT)
        found.extract_wheels(VENV / BROUGHT)
    except LabError as error:
        refused = SetupError(error.what, error.cause, error.next_command)
        refused.exit_code = error.exit_code
        raise refused from error
    return VENV / BROUGHT


def _make_venv(wheels: Path) -> list[str]:
    """Make .venv, and give the command that is pip in it; pip itself may be among the wheels."""
    python = str(VENV / "bin/python")
    if importlib.util.find_spec("ensurepip"):
        if not (VENV / "bin/pip").exists():
            _run([sys.executable, "-m", "venv", str(VENV)], "the virtual environment could not be made")
        return [python, "-m", "pip"]
    # Debian keeps ensurepip in a package of its own, python3-venv. pip can be fetched without it, and without root.
    _run([sys.executable, "-m", "venv", "--without-pip", str(VENV)], "the virtual environment could not be made")
    if own := next(wheels.glob("pip-*.whl"), None):
        return [python, str(own / "pip")]
    if importlib.util.find_spec("pip"):
        return [sys.executable, "-m", "pip", "--python", python]
    return [python, str(_debian_pip() / "pip")]


def _debian_pip() -> Path:
    """pip's wheel out of Debian's package, downloaded and unpacked next to .venv; a wheel can be run as it is."""
    folder = VENV / "pip"
    folder.mkdir(exist_ok=True)
    download = ["apt-get", "-o", "APT::Sandbox::User=root", "download", "python3-pip-whl"]
    try:
        if subprocess.run(download, cwd=folder, capture_output=True, check=False).returncode != 0 and os.geteuid() == 0:
            subprocess.run(["apt-get", "update"], capture_output=True, check=True)
            subprocess.run(download, cwd=folder, capture_output=True, check=True)
        package = next(folder.glob("*.deb"))
        subprocess.run(["dpkg-deb", "-x", str(package), str(folder)], capture_output=True, check=True)
        return next(folder.glob("usr/share/python-wheels/pip-*.whl"))
    except (OSError, subprocess.SubprocessError, StopIteration) as error:
        raise SetupError(
            "this Python can make no virtual environment: it has neither ensurepip nor pip.",
            "Debian keeps both in packages of their own, and they could not be downloaded",
            "sudo apt-get install python3-venv",
        ) from error


def _install_offline(pip: Sequence[str], lock: Path) -> bool:
    """Install what an earlier bundle brought, if that is all of it: there may be no network now either."""
    if not (VENV / BROUGHT).is_dir():
        return False
    line = _line_of_pip(pip, lock, VENV / BROUGHT)
    return subprocess.run(line, env=_environment(), capture_output=True, check=False).returncode == 0


def _line_of_pip(pip: Sequence[str], lock: Path, wheels: Path | None) -> list[str]:
    options = ["--quiet", "--disable-pip-version-check", "--no-input", "--require-hashes"]
    options += ["--no-index", "--find-links", str(wheels)] if wheels else []
    return [*pip, "install", *options, "--requirement", str(lock)]


def _install(pip: Sequence[str], lock: Path, wheels: Path | None) -> None:
    cause = FROM_A_BUNDLE if wheels else FROM_AN_INDEX
    _run(_line_of_pip(pip, lock, wheels), "packages could not be installed", cause)


def _require_in_place() -> None:
    """Raise SetupError where pip has installed to another place."""
    # A pip.conf can say the same as these variables, and nothing overrules it without losing its index too.
    there = subprocess.run([VENV / "bin/python", "-c", "import rich, yaml"], capture_output=True, check=False)
    if there.returncode != 0:
        raise SetupError(
            f"pip installed the packages, but not into {VENV}.",
            "target, prefix, root or user is set in a pip.conf, which has to go",
            "python3 -m pip config list",
        )


def _environment() -> dict[str, str]:
    """What venv and pip get of ours."""
    return {name: value for name, value in os.environ.items() if name not in ELSEWHERE}


def _run(command: Sequence[str], what: str, cause: str = FROM_AN_INDEX) -> None:
    # A group of its own: venv and pip have children, which shall not work on when they are ended.
    with subprocess.Popen(command, env=_environment(), stdin=subprocess.DEVNULL, start_new_session=True) as process:
        try:
            code = process.wait()
        except BaseException:
            os.killpg(process.pid, signal.SIGKILL)
            raise
    if code != 0:
        raise SetupError(
            f"{what}; the last lines above say why.",
            cause,
            shlex.join(["df", "-h", str(ROOT)]) if cause == FROM_A_BUNDLE else AGAIN,
        )


def _no_room(error: OSError) -> tuple[str, str, str]:
    cause = "no room on the disk, or a folder that is not yours"
    return f"cannot make {VENV}: {error}.", cause, shlex.join(["df", "-h", str(ROOT)])


def _say(text: str) -> int:
    print(text, file=sys.stderr, flush=True)
    return EXIT_MISSING


if __name__ == "__main__":
    main(sys.argv[1:])
