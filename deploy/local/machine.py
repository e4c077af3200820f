"""Which programs of the operating system are needed, and how do they get here?"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import msgspec

from deploy.local.places import CHECKOUT
from deploy.local.programs import locked
from deploy.local.progress import Progress, StackError

JAVA_AT_LEAST = 17
NODE_AT_LEAST = 16


class Need(msgspec.Struct, frozen=True):
    """A program and the Debian package that brings it."""

    program: str
    package: str
    what_for: str


JAVA = Need("java", "default-jre-headless", "Kafka")
MAVEN = Need("mvn", "maven", "downloading Kafka")
NODE = Need("node", "nodejs", "downloading the page's libraries")
NPM = Need("npm", "npm", "downloading the page's libraries")
CHROMIUM = Need("chromium", "chromium", "tests of the pages in a browser")
NGINX = Need("nginx", "nginx-light", "the reference of the benchmark")
MOSQUITTO = Need("mosquitto", "mosquitto", "sensors over MQTT")
WRK = Need("wrk", "wrk", "the load of the benchmark")
APT = Need("apt-get", "apt", "downloading PostgreSQL")
DPKG = Need("dpkg-deb", "dpkg", "unpacking PostgreSQL")

FOR_STACK = (JAVA, MAVEN, APT, DPKG)
FOR_PAGE = (NODE, NPM)
FOR_TESTS = (CHROMIUM, MOSQUITTO)
FOR_BENCH = (NGINX, WRK)


def is_there(need: Need) -> bool:
    if need is JAVA:
        return java_version() >= JAVA_AT_LEAST
    if need is NODE:
        return _version(["node", "--version"], r"v(\d+)") >= NODE_AT_LEAST
    return shutil.which(need.program, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin") is not None


def java_version() -> int:
    return _version(["java", "-version"], r'version "(\d+)')


def _version(argv: list[str], pattern: str) -> int:
    """The major version a program says it has; 0 when it is not there."""
    try:
        said = subprocess.run(argv, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return 0
    found = re.search(pattern, said.stdout + said.stderr)
    return int(found[1]) if found else 0


def install_missing(needs: Sequence[Need], progress: Progress) -> None:
    """Install by apt as root; otherwise say the one line to run.

    Raises StackError that names what is missing and what for.
    """
    missing = [need for need in needs if not is_there(need)]
    packages = sorted({need.package for need in missing})
    if not Path("/usr/share/zoneinfo/UTC").exists():
        packages.append("tzdata")
    if not packages:
        return
    line = f"apt-get update && apt-get install -y --no-install-recommends {' '.join(packages)}"
    if os.geteuid() != 0 or not is_there(APT):
        wanted = "; ".join(f"{need.program} for {need.what_for}" for need in missing)
        raise StackError(f"missing: {wanted or 'tzdata'}\nAs root:  {line}")
    with progress.step(f"Installing {', '.join(packages)}"):
        for argv in (["update"], ["install", "-y", "--no-install-recommends", *packages]):
            _apt(argv, line)
    still = [need.program for need in missing if not is_there(need)]
    if still:
        raise StackError(f"still missing after installing {', '.join(packages)}: {', '.join(still)}")


def _apt(arguments: list[str], line: str) -> None:
    environ = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    argv = ["apt-get", "-q", "-o", "DPkg::Lock::Timeout=120", *arguments]
    done = subprocess.run(argv, capture_output=True, text=True, check=False, env=environ)
    if done.returncode:
        raise StackError(f"apt failed:\n{(done.stderr or done.stdout).strip()[-1500:]}\nTry by hand:  {line}")


def install_page_libraries(progress: Progress) -> None:
    """`npm ci` when package-lock.json is another than the one node_modules was made from."""
    listing, stamp = CHECKOUT / "package-lock.json", CHECKOUT / "node_modules" / ".made-from"
    wanted = listing.read_text(encoding="utf-8")
    with locked(CHECKOUT / ".local" / "npm.lock"):
        if stamp.exists() and stamp.read_text(encoding="utf-8") == wanted:
            return
        install_missing(FOR_PAGE, progress)
        with progress.step("Libraries of the pages: npm ci (once)"):
            done = subprocess.run(["npm", "ci"], capture_output=True, text=True, check=False, cwd=CHECKOUT)
            if done.returncode:
                raise StackError(f"npm ci failed:\n{(done.stderr or done.stdout).strip()[-1500:]}")
            stamp.write_text(wanted, encoding="utf-8")
