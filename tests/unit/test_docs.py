"""What the papers say is what the code has."""

import hashlib
import importlib.util
import re
import subprocess
import tomllib
from pathlib import Path

import pytest

from fedi.config import load_config

ROOT = Path(__file__).parents[2]


def name_of(requirement: str) -> str:
    return re.match(r"[A-Za-z0-9_.-]+", requirement)[0].lower()


def test_every_dependency_has_a_reason_and_no_reason_is_left_over():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = {name_of(text) for text in project["dependencies"]}
    for extra in project["optional-dependencies"].values():
        wanted |= {name_of(text) for text in extra if not text.startswith("fedi[")}
    rows = re.findall(r"^\| `([^`]+)` \|(.*)\|$", (ROOT / "docs/dependencies.md").read_text(), re.MULTILINE)
    assert {name.lower() for name, _ in rows} == wanted
    assert len(rows) == len(wanted)
    assert all(len(reason.split()) >= 2 for _, reason in rows)


def test_the_licence_is_the_whole_agpl():
    # The text published at gnu.org/licenses/agpl-3.0.txt, as distributions record its checksum.
    assert hashlib.md5((ROOT / "LICENSE").read_bytes()).hexdigest() == "eb1e647870add0502f8f010b19de32af"


@pytest.fixture(scope="module")
def changelog():
    spec = importlib.util.spec_from_file_location("changelog", ROOT / "tools/changelog.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_changelog_fragment_can_be_read(changelog):
    found = changelog.fragments(ROOT / "changes")
    section = changelog.render_section(found, "9.9.9", "2030-01-01")
    assert section.startswith("## 9.9.9 (2030-01-01)\n")
    for paths in found.values():
        for path in paths:
            assert path.read_text().split()[0] in section


@pytest.mark.parametrize(("name", "text"), [("thing.news.md", "x"), ("thing.md", "x"), ("thing.added.md", " \n")])
def test_a_fragment_that_is_none_is_named(changelog, tmp_path, name, text):
    (tmp_path / name).write_text(text)
    with pytest.raises(ValueError, match=re.escape(name)):
        changelog.fragments(tmp_path)


def test_every_make_target_is_listed_by_help():
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)) - {"help", "system"}
    shown = subprocess.run(["make", "-s", "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert {line.split()[0] for line in shown.splitlines()} >= targets


def test_the_samples_of_proxies_and_units_agree_with_the_settings(tmp_path):
    path = tmp_path / "config.toml"
    path.write_text('[instance]\ndomain = "social.example"\n')
    config = load_config(path)
    for name in ("contrib/Caddyfile", "contrib/nginx.conf"):
        text = (ROOT / name).read_text()
        assert f"127.0.0.1:{config.server.port}" in text
        megabytes = int(re.search(r"(?:client_max_body_size|max_size) (\d+)", text)[1])
        assert 2 * config.media.max_image_size < megabytes * 10**6 < 2.2 * config.media.max_image_size
        assert ".well-known/webfinger" in text
    image = (ROOT / "Dockerfile").read_text()
    assert "/livez" in image
    assert re.search(r"^USER fedi$", image, re.MULTILINE)
    for variable in re.findall(r"(FEDI_\w+__\w+)=(\S+)", image):
        load_config(path, dict([variable]))
