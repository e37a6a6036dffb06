"""An instance of its own in a temporary folder, as a process, for measuring from outside."""

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path
from typing import Any, Self

HZ = os.sysconf("SC_CLK_TCK")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class BenchInstance:
    """``with BenchInstance() as it: …``: started, with accounts made on demand; stopped and removed at the end."""

    def __init__(self) -> None:
        self.port = free_port()
        self.domain = f"localhost:{self.port}"
        self.folder = Path(tempfile.mkdtemp(prefix="fedi-bench-"))
        self.config = str(self.folder / "instance" / "config.toml")
        self.process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.run("init", str(self.folder / "instance"), "--domain", self.domain, "--http")
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def run(self, *arguments: str, text: str | None = None) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "fedi", *arguments], input=text, stdout=subprocess.PIPE, text=True, check=True
        )
        return done.stdout.strip()

    def start(self) -> float:
        """Seconds from the call until ``/readyz`` answers."""
        log = (self.folder / "server.log").open("ab")
        started = time.perf_counter()
        self.process = subprocess.Popen(
            [sys.executable, "-m", "fedi", "-c", self.config, "serve"], stdout=log, stderr=log
        )
        while True:
            try:
                urllib.request.urlopen(f"http://{self.domain}/readyz", timeout=1).close()
                return time.perf_counter() - started
            except OSError:
                if self.process.poll() is not None:
                    sys.exit((self.folder / "server.log").read_text())
                time.sleep(0.02)

    def stop(self) -> None:
        if self.process is not None:
            self.process.terminate()
            self.process.wait(30)

    @property
    def database(self) -> Path:
        return self.folder / "instance" / "fedi.db"

    @property
    def cpu_s(self) -> float:
        """CPU time the server has used, all its threads."""
        assert self.process is not None
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / HZ

    @property
    def rss_mib(self) -> float:
        assert self.process is not None
        for line in Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS"):
                return int(line.split()[1]) / 1024
        return 0.0

    def account(self, name: str) -> str:
        """Makes an account and returns a token of it."""
        self.run("-c", self.config, "account", "create", name, "--password-stdin", text="correct horse battery\n")
        return self.run("-c", self.config, "token", "create", name, "--scopes", "read write follow")

    def api(self, method: str, path: str, token: str, body: dict[str, Any] | None = None) -> Any:
        request = urllib.request.Request(
            f"http://{self.domain}{path}",
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": f"Bearer {token}", "Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.loads(answer.read())


def fsync_ms(folder: Path, times: int = 200) -> float:
    """The median time this disk takes to make 4 KiB durable: the price of every promise."""
    taken = []
    with (folder / "fsync-probe").open("wb") as file:
        for _ in range(times):
            file.write(os.urandom(4096))
            file.flush()
            started = time.perf_counter()
            os.fsync(file.fileno())
            taken.append((time.perf_counter() - started) * 1000)
    return sorted(taken)[times // 2]
