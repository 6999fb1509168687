"""A real Prometheus for the tests: an installed one, else Debian's package unpacked into a private folder."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any
from urllib.error import URLError
from urllib.parse import urlencode
from urllib.request import urlopen

import yaml

from infrastructure.local.debian_packages import SYSTEM_PATH, PackagesNotAvailable, unpack
from infrastructure.local.processes import die_with_parent, free_port

ROOT = Path(__file__).resolve().parents[1]
UNPACKED = ROOT / ".tools" / "prometheus"
CONFIGURATION = ROOT / "infrastructure" / "prometheus"
START_SECONDS = 30.0
REMEDY = "install prometheus"


def find_program(name: str, folder: Path = UNPACKED) -> str:
    """Find `prometheus` or `promtool`, installed or unpacked. It is one file that needs no libraries of others.

    Raises:
        PackagesNotAvailable: neither is possible here.
    """
    installed = shutil.which(name, path=f"{os.environ.get('PATH', '')}:{SYSTEM_PATH}")
    if installed:
        return installed
    try:
        unpack(folder, lambda options, place: ["prometheus"])
    except PackagesNotAvailable as unavailable:
        raise PackagesNotAvailable(f"no {name} here, and {unavailable}: {REMEDY}") from unavailable
    return str(folder / "usr" / "bin" / name)


def missing_prometheus() -> str | None:
    """Say why there is no Prometheus for the tests here, or None if there is one."""
    try:
        find_program("promtool")
    except PackagesNotAvailable as missing:
        return str(missing)
    return None


def promtool(*arguments: str, folder: Path) -> str:
    """Run promtool; return what it said, and fail when it did."""
    done = subprocess.run(
        [find_program("promtool"), *arguments], cwd=folder, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


class PrometheusForTests:
    """A server with the rules of the installation, which scrapes these addresses every second."""

    def __init__(self, targets: Mapping[str, str]) -> None:
        self._targets = targets
        self._folder = Path(tempfile.mkdtemp(prefix="carillon-prometheus-"))
        self.port = free_port()
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it and wait until it answers."""
        shutil.copytree(CONFIGURATION / "rules", self._folder / "rules")
        (self._folder / "targets").mkdir()
        found = [{"targets": [address], "labels": {"instance": name}} for name, address in self._targets.items()]
        (self._folder / "targets" / "tests.json").write_text(json.dumps(found))
        (self._folder / "prometheus.yml").write_text(_quick((CONFIGURATION / "prometheus.yml").read_text()))
        with (self._folder / "log").open("wb") as log:
            self._process = self._launched(log)
        deadline = time.monotonic() + START_SECONDS
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"Prometheus did not start:\n{(self._folder / 'log').read_text()}")
            time.sleep(0.05)

    def _launched(self, log: IO[bytes]) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [
                find_program("prometheus"),
                f"--config.file={self._folder}/prometheus.yml",
                f"--storage.tsdb.path={self._folder}/data",
                f"--web.listen-address=127.0.0.1:{self.port}",
            ],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=log,
            preexec_fn=die_with_parent(),
        )

    def ask(self, query: str) -> list[dict[str, Any]]:
        """Ask for what a query finds now."""
        document = self._get(f"/api/v1/query?{urlencode({'query': query})}")
        found: list[dict[str, Any]] = document["data"]["result"]
        return found

    def rules(self) -> dict[str, str]:
        """Say of each rule how it is."""
        groups = self._get("/api/v1/rules")["data"]["groups"]
        return {rule["name"]: rule["health"] for group in groups for rule in group["rules"]}

    def discard(self) -> None:
        """End it for good."""
        if self._process:
            self._process.kill()
            self._process.wait()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _get(self, path: str) -> Any:
        with urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=10) as answer:
            return json.load(answer)

    def _answers(self) -> bool:
        try:
            with urlopen(f"http://127.0.0.1:{self.port}/-/ready", timeout=2) as answer:
                return bool(answer.status == 200)
        except (URLError, OSError):
            return False


def _quick(configuration: str) -> str:
    """Look every second, and at nothing but the targets of the tests."""
    document = yaml.safe_load(configuration)
    document["global"] |= {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"}
    for job in document["scrape_configs"]:
        job.pop("static_configs", None)
    return str(yaml.safe_dump(document))
