"""tools/tox.py brings tox along on any Python, however little that comes with."""

from __future__ import annotations

import ast
import base64
import functools
import hashlib
import os
import subprocess
import sys
import threading
import zipfile
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LAUNCHER = ROOT / "tools" / "tox.py"

# A distribution in place of tox: what is tested is how it is brought along, and with what it is started.
STAND_IN = "import os, sys\nprint(os.getcwd(), sys.flags.isolated, *sys.argv[1:])\nsys.exit(7)\n"


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """A package index on this machine, and the folder it serves: the pip that Python bundles, and a small `tox`."""
    folder = tmp_path_factory.mktemp("index")
    for package, wheel in (("pip", bundled_pip()), ("tox", stand_in(folder))):
        (folder / package).mkdir(parents=True)
        (folder / package / wheel.name).write_bytes(wheel.read_bytes())
        page = f'<!DOCTYPE html><a href="{wheel.name}#sha256={checksum(wheel)}">{wheel.name}</a>'
        (folder / package / "index.html").write_text(page)
    with ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(_Quiet, directory=str(folder))) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}", folder
        server.shutdown()
        thread.join()


@pytest.fixture
def project(tmp_path: Path, index: tuple[str, Path]) -> Path:
    """A project with the launcher and a lock of what the index holds."""
    root = tmp_path / "project"
    (root / "tools" / "python").mkdir(parents=True)
    (root / "tools" / "tox.py").write_bytes(LAUNCHER.read_bytes())
    pins = []
    for package in ("pip", "tox"):
        (wheel,) = (index[1] / package).glob("*.whl")
        pins.append(f"{package}=={wheel.name.split('-')[1]} \\\n    --hash=sha256:{checksum(wheel)}\n")
    (root / "tools" / "python" / "tox.txt").write_text("".join(pins))
    return root


def bundled_pip() -> Path:
    import ensurepip

    # Debian keeps the wheel of its ensurepip in a folder of the system.
    folders = [Path(ensurepip.__file__).parent / "_bundled", Path("/usr/share/python-wheels")]
    return next(wheel for folder in folders for wheel in folder.glob("pip-*.whl"))


def checksum(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


def stand_in(folder: Path) -> Path:
    wheel = folder / "tox-4.99.0-py3-none-any.whl"
    files = {
        "tox/__init__.py": "",
        "tox/__main__.py": STAND_IN,
        "tox-4.99.0.dist-info/METADATA": "Metadata-Version: 2.1\nName: tox\nVersion: 4.99.0\n",
        "tox-4.99.0.dist-info/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = "".join(
        f"{name},sha256={base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b'=').decode()},\n"
        for name, text in files.items()
    )
    with zipfile.ZipFile(wheel, "w") as archive:
        for name, text in {**files, "tox-4.99.0.dist-info/RECORD": record}.items():
            archive.writestr(name, text)
    return wheel


def launch(
    root: Path, *arguments: str, without: tuple[str, ...] = (), environment: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Start the launcher from another folder, with a Python that lacks some modules."""
    start = (
        f"import runpy, sys; sys.modules.update(dict.fromkeys({without!r})); "
        f"sys.argv = sys.argv[1:]; runpy.run_path(sys.argv[0], run_name='__main__')"
    )
    kept = {key: value for key, value in os.environ.items() if not key.startswith("PIP_")}
    return subprocess.run(
        [sys.executable, "-c", start, str(root / "tools" / "tox.py"), *arguments],
        cwd="/",
        env=kept | {"PIP_CONFIG_FILE": os.devnull, "PIP_NO_COMPILE": "1"} | (environment or {}),
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    "without",
    [
        pytest.param((), id="with ensurepip"),
        pytest.param(("ensurepip",), id="with pip only"),
        pytest.param(("ensurepip", "pip"), id="with neither"),
    ],
)
def test_tox_is_brought_along_once(project: Path, index: tuple[str, Path], without: tuple[str, ...]) -> None:
    first = launch(project, "run", "-e", "x y", without=without, environment={"PIP_INDEX_URL": index[0]})
    assert (first.returncode, first.stdout) == (7, f"{project} 1 run -e x y\n"), first.stderr
    assert first.stderr.startswith("installing tox 4.99.0 into .tools/tox …\n")
    again = launch(project, "list", without=without)
    assert (again.returncode, again.stdout, again.stderr) == (7, f"{project} 1 list\n", "")


def test_index_may_be_named_in_the_configuration_of_pip(project: Path, index: tuple[str, Path], tmp_path: Path) -> None:
    config = tmp_path / "pip.conf"
    config.write_text(f"[global]\nindex-url = {index[0]}/\n")
    done = launch(project, without=("ensurepip", "pip"), environment={"PIP_CONFIG_FILE": str(config)})
    assert done.returncode == 7, done.stderr


def test_python_without_any_pip_is_told_what_to_install(project: Path) -> None:
    done = launch(project, without=("ensurepip", "pip"))
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1] == (
        "error: this Python comes without the modules ensurepip and pip: install them (on Debian and Ubuntu: "
        "apt install python3-venv), or name a package index by PIP_INDEX_URL"
    )


@pytest.mark.parametrize(
    ("package", "without", "expected"),
    [
        ("tox", ("ensurepip",), "THESE PACKAGES DO NOT MATCH THE HASHES"),
        ("pip", ("ensurepip", "pip"), "is not the one that tools/python/tox.txt pins by hash"),
    ],
)
def test_package_with_another_hash_is_refused(
    project: Path, index: tuple[str, Path], package: str, without: tuple[str, ...], expected: str
) -> None:
    lock = project / "tools" / "python" / "tox.txt"
    (wheel,) = (index[1] / package).glob("*.whl")
    lock.write_text(lock.read_text().replace(checksum(wheel), "0" * 64))
    done = launch(project, without=without, environment={"PIP_INDEX_URL": index[0]})
    assert done.returncode == 2
    assert expected in done.stderr
    assert "Traceback" not in done.stderr


def test_index_that_does_not_answer_is_told(project: Path) -> None:
    done = launch(project, without=("ensurepip", "pip"), environment={"PIP_INDEX_URL": "http://127.0.0.1:9/simple"})
    assert done.returncode == 2
    assert "error: http://127.0.0.1:9/simple/pip/ cannot be read" in done.stderr


def test_new_lock_and_interrupted_installation_are_installed_anew(project: Path, index: tuple[str, Path]) -> None:
    def environment() -> Path:
        done = launch(project, without=("ensurepip",), environment={"PIP_INDEX_URL": index[0]})
        assert done.returncode == 7, done.stderr
        (home,) = [path for path in (project / ".tools" / "tox").iterdir() if path.is_dir()]
        return home

    first = environment()
    (first / "ready").unlink()
    for half in first.glob("lib/python*/site-packages/tox/__main__.py"):
        half.unlink()
    assert environment() == first
    lock = project / "tools" / "python" / "tox.txt"
    lock.write_text("# changed\n" + lock.read_text())
    assert environment() != first


def test_older_python_can_read_the_launcher_and_is_told_its_age() -> None:
    ast.parse(LAUNCHER.read_text(), feature_version=(3, 7))
    script = (
        f"import runpy, sys; sys.version_info = (3, 10, 4); sys.argv = [{str(LAUNCHER)!r}]; "
        f"runpy.run_path(sys.argv[0], run_name='__main__')"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (2, "error: Python 3.11 or newer is needed, this is 3.10\n")
