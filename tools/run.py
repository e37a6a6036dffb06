"""`make run`: an instance on this machine, made at the first call, with an owner and three posts to look at.

    python tools/run.py [--port 8080] DIR

Needs nothing but the package itself. The login is kept in DIR/login.txt, readable by its owner only.
"""

import argparse
import os
import secrets
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import seed

OWNER = "owner"
START_TIMEOUT_S = 60


def fedi(*arguments: str, text: str | None = None) -> str:
    """Runs one command of fedi and returns what it printed; its own message says what went wrong."""
    command = [sys.executable, "-m", "fedi", *arguments]
    done = subprocess.run(command, input=text, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        sys.exit(done.returncode)
    return done.stdout.strip()


def make_instance(folder: Path, config: str, domain: str) -> None:
    """Instance, then owner: each step is skipped where an earlier run has done it."""
    login = folder / "login.txt"
    if not Path(config).exists():
        print(f"Making an instance in {folder}/ …")
        fedi("init", str(folder), "--domain", domain, "--http")
    if not login.exists():
        password = secrets.token_urlsafe(12)
        fedi(
            "-c", config, "account", "create", OWNER,
            "--role", "owner", "--email", f"{OWNER}@localhost", "--password-stdin", text=password,
        )  # fmt: skip
        with os.fdopen(os.open(login, os.O_WRONLY | os.O_CREAT, 0o600), "w") as file:
            file.write(f"handle    @{OWNER}@{domain}\nemail     {OWNER}@localhost\npassword  {password}\n")


def wait_until_live(url: str, server: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline:
        if server.poll() is not None:
            sys.exit(server.returncode or 1)
        try:
            with urllib.request.urlopen(f"{url}/readyz", timeout=2):
                return
        except (urllib.error.URLError, TimeoutError, ConnectionError):
            time.sleep(0.1)
    server.terminate()
    sys.exit(f"The server did not answer within {START_TIMEOUT_S} s.")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--port", type=int, default=8080)
    arguments = parser.parse_args()
    folder, domain = arguments.folder, f"localhost:{arguments.port}"
    config, url = str(folder / "config.toml"), f"http://{domain}"

    make_instance(folder, config, domain)
    server = subprocess.Popen([sys.executable, "-m", "fedi", "-c", config, "serve", "--port", str(arguments.port)])
    # The server stops in order, however often it is told to; this process waits for it.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: server.terminate())
    wait_until_live(url, server)
    seeded = folder / "seeded"
    if not seeded.exists():
        seed.sow(url, fedi("-c", config, "token", "create", OWNER, "--scopes", "read write"))
        seeded.touch()
    print(f"\n{url}\n{(folder / 'login.txt').read_text()}\nCtrl-C stops it; make run-reset forgets it.\n", flush=True)
    sys.exit(server.wait())


if __name__ == "__main__":
    main()
