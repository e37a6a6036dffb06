"""What of docs/reference is made from the code: settings, command line, and the codes that apps and people read.

    python tools/reference.py

writes it; a test compares it with the code, so run this after changing a setting, a command or a fault.
"""

import inspect
import re
from pathlib import Path

import click
from problem_codes import problem_codes

from fedi.cli.commands import main as fedi_command
from fedi.config import EXAMPLE

FOLDER = Path(__file__).parents[1] / "docs/reference"
_MADE = "<!-- The rest is made by tools/reference.py. -->"

_SETTINGS_HEAD = """# Settings

<!-- Made from config.example.toml by tools/reference.py; change that file, not this page. -->

One TOML file, named with `-c` or in the variable `FEDI_CONFIG`. Each key can also be given as a variable
`FEDI_SECTION__KEY`, which beats the file, and a flag of the command line beats both. An unknown key, a value of the
wrong kind or a combination that cannot work stops the start, and the message names file, line and key. Relative paths
start at the folder of the file. Sizes are written `16 MB` or `512 KiB`, rates `300/5m` (units s, m, h, d).

`fedi init` writes a first file; [config.example.toml](../../config.example.toml) is the same with every key.
"""

_COMMANDS_HEAD = """# Command line

<!-- Made from fedi/cli by tools/reference.py; change the help texts there, not this page. -->

`fedi` and `python -m fedi` are the same. Apart from `init`, commands need to know the instance: `-c DIR/config.toml`
before the noun, or the variable `FEDI_CONFIG`.

Commands work beside a running server: they hand their wish to it over a socket in the folder of the instance, which its
owner alone can open. When no server runs there, they open the database themselves.

Exit codes: 0 done; 1 refused or failed, and one line on standard error says why; 2 wrong usage; 3 could not finish.
Commands with `--json` print one JSON value; without it, lists print one line per row and single things `key: value`.
"""


def render_settings() -> str:
    """The comments of the example as descriptions; keys under one comment share it."""
    parts, comment = [_SETTINGS_HEAD], ""
    section, is_first_line_of_comment = "", True
    for line in EXAMPLE.read_text(encoding="utf-8").splitlines():
        if header := re.fullmatch(r"\[([\w.]+)\]", line):
            section, comment = header[1], ""
            parts.append(f"\n## [{section}]\n\n| key | value in the example | meaning |\n| --- | --- | --- |\n")
        elif key := re.match(r"(#?)(\w+) = (.*)", line):
            note = " Off unless given." if key[1] else ""
            value = key[3].replace("|", "\\|")
            parts.append(f"| `{section}.{key[2]}` | `{value}` | {comment}{note} |\n")
            is_first_line_of_comment = True
        elif line.startswith("# ") and section:
            text = line.removeprefix("# ")
            comment = text if is_first_line_of_comment else f"{comment} {text}"
            is_first_line_of_comment = False
    return "".join(parts)


def render_commands() -> str:
    parts = [_COMMANDS_HEAD]
    for path, command in _commands("fedi", fedi_command):
        context = click.Context(command, info_name=path)
        usage = " ".join((path, *command.collect_usage_pieces(context)))
        parts.append(f"\n## {path}\n\n{inspect.cleandoc(command.help or '')}\n\n    {usage}\n")
        options = [one for one in command.params if isinstance(one, click.Option)]
        rows = [record for option in options if (record := option.get_help_record(context)) is not None]
        if rows:
            parts.append("\n| option | |\n| --- | --- |\n")
            parts += [f"| `{_cell(name)}` | {_cell(text)} |\n" for name, text in rows]
    return "".join(parts)


def _commands(path: str, command: click.Command) -> list[tuple[str, click.Command]]:
    if not isinstance(command, click.Group):
        return [(path, command)]
    return [found for name, one in command.commands.items() for found in _commands(f"{path} {name}", one)]


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def render_errors() -> str:
    """The page as it is down to the mark, then the table."""
    head = (FOLDER / "error-codes.md").read_text(encoding="utf-8").partition(_MADE)[0]
    rows = []
    for code, found in sorted(problem_codes()["client"].items()):
        statuses = ", ".join(str(status) for status in sorted(found.statuses))
        sentences = re.sub(r"%\((\w+)\)s", r"{\1}", " / ".join(found.sentences))
        rows.append(f"| `{code}` | {statuses} | {_cell(sentences)} |\n")
    return f"{head}{_MADE}\n\n| code | status | sentence |\n| --- | --- | --- |\n{''.join(rows)}"


PAGES = {"configuration.md": render_settings, "command-line.md": render_commands, "error-codes.md": render_errors}


if __name__ == "__main__":
    for name, render in PAGES.items():
        (FOLDER / name).write_text(render(), encoding="utf-8")
