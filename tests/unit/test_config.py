"""Settings are read strictly, and the example file, the fields and their use stay the same."""

import ast
import re
import tomllib
from pathlib import Path

import msgspec
import pytest

from fedi.config import (
    EXAMPLE,
    SECTIONS,
    VERSION,
    ConfigError,
    Domain,
    Rate,
    Secret,
    example_with,
    is_loopback_name,
    load_config,
)

ROOT = Path(__file__).parents[2]


@pytest.fixture
def written(tmp_path):
    def write(text, env=None, overrides=None):
        path = tmp_path / "config.toml"
        path.write_text(text, encoding="utf-8")
        return load_config(path, env, overrides)

    return write


def refusal(written, text, env=None, overrides=None) -> str:
    with pytest.raises(ConfigError) as caught:
        written(text, env, overrides)
    return str(caught.value)


MINIMAL = '[instance]\ndomain = "social.example"\n'


def test_one_key_is_enough_and_the_rest_is_derived(written, tmp_path):
    config = written(MINIMAL)
    assert config.origin == "https://social.example"
    assert config.public_host == config.handle_domain == "social.example"
    assert config.state_dir == tmp_path
    assert config.database_path == tmp_path / "fedi.db"
    assert config.media_dir == tmp_path / "media"
    assert not config.rates_lifted
    assert config.user_agent == f"fedi/{VERSION} (+https://social.example/)"


def test_variables_beat_the_file_and_flags_beat_variables(written):
    text = MINIMAL + "[server]\nport = 1\n"
    assert written(text).server.port == 1
    assert written(text, {"FEDI_SERVER__PORT": "2", "FEDI_CONFIG": "x", "HOME": "/"}).server.port == 2
    assert written(text, {"FEDI_SERVER__PORT": "2"}, {"server.port": 3}).server.port == 3


def test_variables_are_text_of_any_kind(written):
    config = written(
        MINIMAL,
        {
            "FEDI_FEDERATION__AUTHORIZED_FETCH": "true",
            "FEDI_INSTANCE__LANGUAGES": "ar, fr",
            "FEDI_INSTANCE__RULES": '["Be kind, always.", "No spam."]',
            "FEDI_MEDIA__MAX_IMAGE_SIZE": "2 MiB",
            "FEDI_LIMITS__UPLOADS": "5/10s",
            "FEDI_DATABASE__PASSWORD": "hunter2",
        },
    )
    assert config.federation.authorized_fetch is True
    assert config.instance.languages == ("ar", "fr")
    assert config.instance.rules == ("Be kind, always.", "No spam.")
    assert config.media.max_image_size == 2 * 1024 * 1024
    assert config.limits.uploads == Rate(5, 10)
    assert config.database.password.reveal() == "hunter2"


def test_an_unknown_key_names_file_line_and_the_nearest_key(written, tmp_path):
    text = refusal(written, MINIMAL + "\n[server]\n# a comment\nprot = 8080\n")
    assert text == f"{tmp_path}/config.toml:6: server.prot is not a setting; did you mean 'port'?"


def test_an_unknown_section_and_an_unknown_variable_are_refused(written, tmp_path):
    assert refusal(written, MINIMAL + "[sever]\nport = 1\n").startswith(f"{tmp_path}/config.toml:4: [sever] is not")
    assert refusal(written, MINIMAL + "[sever]\n").startswith(f"{tmp_path}/config.toml:3: [sever] is not")
    assert refusal(written, "port = 3\n" + MINIMAL).startswith(f"{tmp_path}/config.toml:1: port stands outside")
    text = refusal(written, MINIMAL, {"FEDI_SERVER__PROT": "1"})
    assert text == "FEDI_SERVER__PROT: server.prot is not a setting; did you mean 'port'?"
    assert "flag for server.prot" in refusal(written, MINIMAL, None, {"server.prot": 1})


def test_every_fault_is_told_at_once(written):
    text = refusal(written, MINIMAL + '[server]\nport = "x"\n[log]\nlevel = "loud"\n')
    assert [line.split(": ")[1] for line in text.splitlines()] == ["server.port", "log.level"]


def test_what_is_not_toml_or_not_there_is_refused(written, tmp_path):
    assert "line 1" in refusal(written, "[instance\n")
    assert "instance.domain is missing" in refusal(written, "")
    with pytest.raises(ConfigError, match="cannot be read"):
        load_config(tmp_path / "absent.toml")


@pytest.mark.parametrize(
    ("lines", "key"),
    [
        ('[server]\nport = "8080"', "server.port"),
        ("[server]\nport = 70000", "server.port"),
        ("[server]\nport = true", "server.port"),
        ('[server]\ntrusted_proxies = ["all"]', "server.trusted_proxies"),
        ('[database]\nurl = "mysql://x"', "database.url"),
        ('[database]\nurl = "sqlite://fedi.db"', "database.url"),
        ('[database]\nurl = "postgresql://me:secret@db/fedi"', "database.url"),
        ('[media]\nmax_image_size = "16 parsecs"', "media.max_image_size"),
        ("[media]\nmax_image_size = true", "media.max_image_size"),
        ("[media]\nmax_image_pixels = 0", "media.max_image_pixels"),
        ('[limits]\nuploads = "many"', "limits.uploads"),
        ('[limits]\nuploads = "0/5m"', "limits.uploads"),
        ("[limits]\nuploads = 5", "limits.uploads"),
        ('[registrations]\nmode = "open"', "registrations.mode"),
        ('[federation]\nrelays = ["http://relay.example/inbox"]', "federation.relays"),
        ("[posts]\nmin_poll_duration_s = 9999999", "posts.min_poll_duration_s"),
        ('[policies]\norder = "noop"', "policies.order"),
    ],
)
def test_a_wrong_value_names_its_line_and_key(written, tmp_path, lines, key):
    assert refusal(written, MINIMAL + lines).startswith(f"{tmp_path}/config.toml:4: {key}: ")


@pytest.mark.parametrize("domain", ["https://x.example", "x.example/", "a b", "", "x:99999", "me@x.example", "-x.example", "10.0.0.1", "x.example:443"])  # fmt: skip
def test_a_domain_that_is_none_is_refused(written, domain):
    assert "instance.domain" in refusal(written, f'[instance]\ndomain = "{domain}"\n')


def test_an_international_domain_becomes_its_ascii_form():
    assert Domain.parse("Épices.Example") == "xn--pices-9ra.example"
    assert Domain.parse("[::1]:8080").host == "[::1]"
    assert Domain.parse("[::1]").port is None
    assert Domain.parse("localhost:8080").port == 8080


@pytest.mark.parametrize("domain", ["localhost", "localhost:8080", "b.localhost:8081", "127.0.0.2:9", "[::1]:9"])
def test_an_http_instance_may_have_a_loopback_name(written, domain):
    config = written(f'[instance]\ndomain = "{domain}"\nhttp = true\n')
    assert config.origin == f"http://{domain}"
    assert config.rates_lifted


@pytest.mark.parametrize("domain", ["social.example", "localhost.example", "10.0.0.1", "notlocalhost:80", "128.0.0.1"])
def test_an_http_instance_may_have_no_other_name(written, domain):
    assert "http is for tests" in refusal(written, f'[instance]\ndomain = "{domain}"\nhttp = true\n')
    handle = f'[instance]\ndomain = "localhost"\nhandle_domain = "{domain}"\nhttp = true\n'
    assert "instance.handle_domain: http is for tests" in refusal(written, handle)


def test_loopback_names():
    assert is_loopback_name("LOCALHOST.")
    assert not is_loopback_name("localhost.evil.example")
    assert not is_loopback_name("::ffff:10.0.0.1")


def test_secrets_print_as_stars_and_come_from_files(written, tmp_path):
    (tmp_path / "pw").write_text("p/ss\n")
    (tmp_path / "key").write_text("k" * 32)
    config = written(
        MINIMAL + '[server]\nsecret_file = "key"\n[database]\nurl = "postgresql://me@db/fedi"\npassword_file = "pw"\n'
    )
    assert "p/ss" not in repr(config)
    assert "kkk" not in f"{config} {config.server.secret!s}"
    assert config.database_path is None
    assert config.database_dsn == Secret("postgresql://me:p%2Fss@db/fedi")
    assert len(config.derived_key("media")) == 32
    assert config.derived_key("media") != config.derived_key("forms")


def test_a_secret_file_that_is_missing_empty_or_doubled_is_refused(written, tmp_path):
    (tmp_path / "empty").write_text("\n")
    for line in ('password_file = "nowhere"', 'password_file = "empty"', 'password = "x"\npassword_file = "empty"'):
        assert "database.password_file: " in refusal(written, MINIMAL + "[database]\n" + line)


def test_no_secret_gives_no_key(written):
    with pytest.raises(ConfigError):
        written(MINIMAL).derived_key("media")


def test_the_socket_form_of_a_postgres_url_survives(written):
    config = written(MINIMAL + '[database]\nurl = "postgresql:///fedi?host=/run/pg"\n')
    assert config.database_dsn.reveal() == "postgresql:///fedi?host=/run/pg"
    config = written(
        MINIMAL + '[database]\nurl = "postgresql://me:@/fedi?host=/run/pg"\n', {"FEDI_DATABASE__PASSWORD": "a@b"}
    )
    assert config.database_dsn.reveal() == "postgresql://me:a%40b@/fedi?host=/run/pg"


def test_a_policy_has_its_own_table(written):
    config = written(MINIMAL + "[policies]\norder = ['noop']\n[policies.settings.noop]\nword = 3\n")
    assert config.policies.settings == {"noop": {"word": 3}}


def test_the_version_is_that_of_the_package():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["version"] == VERSION


# The example file


def keys_of_code() -> set[str]:
    return {f"{name}.{field.name}" for name, kind in SECTIONS.items() for field in msgspec.structs.fields(kind)}


def example_lines() -> list[tuple[str, int]]:
    """``section.key`` and line number of each key of the example, optional ones included."""
    found, section = [], ""
    for number, line in enumerate(EXAMPLE.read_text().splitlines()):
        if header := re.fullmatch(r"\[([\w.]+)\]", line):
            section = header[1]
        elif key := re.match(r"#?(\w+) = ", line):
            found.append((f"{section}.{key[1]}", number))
    return found


def test_the_example_holds_every_key_once_and_no_other():
    named = [key for key, _ in example_lines()]
    assert len(named) == len(set(named))
    assert set(named) == keys_of_code()


def test_every_key_of_the_example_has_a_comment():
    lines = EXAMPLE.read_text().splitlines()
    for key, number in example_lines():
        # A few keys that belong together share the comment above the first of them.
        above = number - 1
        while re.match(r"#?\w+ = ", lines[above]):
            above -= 1
        assert lines[above].startswith("# "), f"{key} has no comment"


def test_the_example_is_valid_and_shows_the_defaults():
    config = load_config(EXAMPLE)
    for name, kind in SECTIONS.items():
        section = getattr(config, name)
        expected = kind(domain="social.example") if name == "instance" else kind()
        assert section == expected


def test_the_optional_lines_of_the_example_are_toml():
    text = re.sub(r"^#(\w+ = )", r"\1", EXAMPLE.read_text(), flags=re.MULTILINE)
    tables = tomllib.loads(text)
    assert {f"{section}.{key}" for section, table in tables.items() for key in table} == keys_of_code()


def test_the_example_at_the_root_is_the_one_that_ships():
    assert (ROOT / "config.example.toml").read_bytes() == EXAMPLE.read_bytes()


def test_a_first_file_is_the_example_with_other_values(written):
    text = example_with(
        {"instance.domain": "localhost:8080", "instance.http": True, "instance.languages": ["fr", "ar"]}
    )
    config = written(text)
    assert config.origin == "http://localhost:8080"
    assert config.instance.languages == ("fr", "ar")
    assert text.count("#") == EXAMPLE.read_text().count("#")
    with pytest.raises(KeyError):
        example_with({"instance.nonsense": "x"})


# No key without a reader


def reads(tree: ast.Module) -> set[str]:
    """Attribute names read, and ``parent.name`` where the parent is named too."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            found.add(node.attr)
            parent = node.value
            if isinstance(parent, ast.Attribute):
                found.add(f"{parent.attr}.{node.attr}")
            elif isinstance(parent, ast.Name):
                found.add(f"{parent.id}.{node.attr}")
    return found


def derived() -> dict[str, set[str]]:
    """For each key, the properties and methods of config.py that stand on it."""
    classes = {node.name: node for node in ast.parse((ROOT / "fedi/config.py").read_text()).body if isinstance(node, ast.ClassDef)}  # fmt: skip
    users: dict[str, set[str]] = {}
    for section, kind in SECTIONS.items():
        for function in ast.walk(classes[kind.__name__]):
            if isinstance(function, ast.FunctionDef):
                for key in reads(function):
                    users.setdefault(f"{section}.{key.removeprefix('self.')}", set()).add(function.name)
    for function in classes["Config"].body:
        if isinstance(function, ast.FunctionDef):
            for key in reads(function):
                users.setdefault(key, set()).add(function.name)
    return users


def test_every_key_is_read_somewhere():
    modules = [
        (path.read_text(), reads(ast.parse(path.read_text())))
        for path in (ROOT / "fedi").rglob("*.py")
        if path != ROOT / "fedi/config.py"
    ]

    def is_read(section: str, key: str) -> bool:
        kind = SECTIONS[section].__name__
        return any(
            f"{section}.{key}" in names or (key in names and (kind in text or f".{section}" in text))
            for text, names in modules
        )

    users = derived()
    unread = []
    for dotted in sorted(keys_of_code()):
        section, _, key = dotted.partition(".")
        if key.endswith("_file") and key.removesuffix("_file") in {k.partition(".")[2] for k in keys_of_code()}:
            continue  # read while loading, as its value
        through = users.get(dotted, set())
        if not is_read(section, key) and not any(name in names for _, names in modules for name in through):
            unread.append(dotted)
    assert not unread, f"settings that nothing reads: {', '.join(unread)}"
