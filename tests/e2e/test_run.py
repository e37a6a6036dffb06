"""What `make run` runs: from nothing to an instance that one can read and sign in to, and again."""

import http.cookiejar
import json
import os
import re
import signal
import stat
import subprocess
import sys
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from aiohttp.test_utils import unused_port

pytestmark = pytest.mark.e2e

RUN = Path(__file__).parents[2] / "tools/run.py"
STOP_WITHIN_S = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    process: subprocess.Popen[str]
    printed: str

    def told(self, what: str) -> str:
        found = re.search(rf"^{what}\s+(\S+)$", self.printed, re.MULTILINE)
        assert found is not None, self.printed
        return found[1]

    @property
    def url(self) -> str:
        found = re.search(r"^http://\S+$", self.printed, re.MULTILINE)
        assert found is not None, self.printed
        return found[0]

    def interrupt(self, *, whole_group: bool) -> str:
        """Ctrl-C goes to everything that the terminal started, ``kill -INT`` to one process. What is said at last."""
        if whole_group:
            os.killpg(self.process.pid, signal.SIGINT)
        else:
            self.process.send_signal(signal.SIGINT)
        rest, _ = self.process.communicate(timeout=STOP_WITHIN_S)
        return rest


@contextmanager
def run(folder: Path, port: int) -> Iterator[Running]:
    environment = {key: value for key, value in os.environ.items() if not key.startswith("FEDI_")}
    process = subprocess.Popen(
        [sys.executable, str(RUN), "--port", str(port), str(folder)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=environment,
        start_new_session=True,
    )
    lines: list[str] = []
    try:
        for line in process.stdout:  # the script itself waits a minute at most
            lines.append(line)
            if "Ctrl-C" in line:
                break
        printed = "".join(lines)
        assert process.poll() is None, printed
        yield Running(process=process, printed=printed)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def get(url: str) -> bytes:
    with urllib.request.urlopen(url, timeout=10) as answer:
        assert answer.status == 200
        return answer.read()


def timeline(url: str) -> list[dict]:
    return json.loads(get(f"{url}/api/v1/timelines/public?local=true"))


def sign_in(url: str, login: str, password: str) -> str:
    """Fills in the form as a browser without JavaScript would; the page that it leads to."""
    browser = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar()))
    with browser.open(f"{url}/auth/sign-in", timeout=10) as answer:
        page = answer.read().decode()
    fields = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', page))
    data = urllib.parse.urlencode({**fields, "login": login, "password": password}).encode()
    with browser.open(f"{url}/auth/sign-in", data, timeout=10) as answer:
        return answer.read().decode()


def test_an_instance_starts_from_nothing_can_be_used_and_is_still_there_the_next_time(tmp_path):
    folder, port = tmp_path / "instance", unused_port()
    with run(folder, port) as first:
        assert first.url == f"http://localhost:{port}"
        assert first.told("handle") == f"@owner@localhost:{port}"
        assert b"<h1" in get(first.url)
        posts = timeline(first.url)
        assert sorted(post["language"] for post in posts) == ["ar", "en", "fr"]
        assert {post["account"]["acct"] for post in posts} == {"owner"}
        signed_in = sign_in(first.url, first.told("email"), first.told("password"))
        assert 'href="/@owner"' in signed_in
        assert "/auth/sign-out" in signed_in
        with pytest.raises(urllib.error.HTTPError):
            sign_in(first.url, "owner", first.told("password") + "x")
        assert "Traceback" not in first.interrupt(whole_group=True)
        assert first.process.returncode == 0
    assert stat.S_IMODE((folder / "login.txt").stat().st_mode) == 0o600
    with pytest.raises(urllib.error.URLError):
        get(first.url)

    with run(folder, port) as second:
        assert [post["id"] for post in timeline(second.url)] == [post["id"] for post in posts]
        assert second.told("password") == first.told("password")
        assert 'href="/@owner"' in sign_in(second.url, "owner", second.told("password"))
        assert "Traceback" not in second.interrupt(whole_group=False)
        assert second.process.returncode == 0
