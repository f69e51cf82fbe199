"""Write a page for every command of `ddc`, and the table of them in cli.md, from the commands.

    python docs/cli_pages.py

A page is what the command says of itself, and below it the hand-written part in
`docs/cli/parts/COMMAND.md`, if there is one. A test checks that the pages are up to date.
"""

import inspect
from pathlib import Path

import click

from ddcodec.cli import ddc

DOCS = Path(__file__).parent
PAGES = DOCS / "cli"
PARTS = PAGES / "parts"
INDEX = DOCS / "cli.md"
BEGIN, END = "<!-- commands: python docs/cli_pages.py -->\n", "<!-- end of commands -->\n"


def main() -> None:
    """Write all pages and the table."""
    PAGES.mkdir(exist_ok=True)
    for name in ddc.commands:
        page_path(name).write_text(page(name), encoding="utf-8")
    INDEX.write_text(index(INDEX.read_text(encoding="utf-8")), encoding="utf-8")


def page_path(name: str) -> Path:
    """Return where the page of a command lies."""
    return PAGES / f"{name}.md"


def page(name: str) -> str:
    """Return the page of a command."""
    command = ddc.commands[name]
    context = _context(command, name)
    sections = [
        f"# ddc {name}",
        "```text\n" + " ".join(["ddc", name, *command.collect_usage_pieces(context)]) + "\n```",
        _help(command),
        _options(command, context),
    ]
    part = PARTS / f"{name}.md"
    if part.exists():
        sections.append(part.read_text(encoding="utf-8").strip())
    sections.append(
        "*Written by `docs/cli_pages.py` from the command itself. What commands have in common: "
        "[the command `ddc`](../cli.md).*"
    )
    return "\n\n".join(sections) + "\n"


def index(text: str) -> str:
    """Return the text of cli.md with the table of commands as it should be."""
    before, rest = text.split(BEGIN)
    after = rest.split(END)[1]
    rows = [
        f"| [`ddc {_usage(name)}`](cli/{name}.md) | {_cell(_first_sentence(name))} |\n"
        for name in ddc.commands
    ]
    return (
        before
        + BEGIN
        + "\n| command | what it does |\n| --- | --- |\n"
        + "".join(rows)
        + ("\n" + END + after)
    )


def _context(command: click.Command, name: str) -> click.Context:
    group = click.Context(ddc, info_name="ddc", **ddc.context_settings)
    return click.Context(command, info_name=name, parent=group)


def _usage(name: str) -> str:
    command = ddc.commands[name]
    context = _context(command, name)
    pieces = [
        piece
        for parameter in command.params
        if isinstance(parameter, click.Argument)
        for piece in parameter.get_usage_pieces(context)
    ]
    return " ".join([name, *(piece.replace("|", "\\|") for piece in pieces)])


def _first_sentence(name: str) -> str:
    paragraph = _help(ddc.commands[name]).partition("\n\n")[0].replace("\n", " ")
    return paragraph.removesuffix(".")


def _help(command: click.Command) -> str:
    return inspect.cleandoc(command.help or "").replace("\b\n", "")


def _options(command: click.Command, context: click.Context) -> str:
    lines = ["| option | default | |", "| --- | --- | --- |"]
    for option in command.params:
        if isinstance(option, click.Option) and not option.hidden:
            cells = (_names(option, context), _default(option, context), option.help or "")
            lines.append(f"| {' | '.join(_cell(cell) for cell in cells)} |")
    return "\n".join(lines)


def _names(option: click.Option, context: click.Context) -> str:
    names = ", ".join([*option.opts, *option.secondary_opts])
    if option.is_flag:
        return f"`{names}`"
    value = option.metavar or _choices(option) or option.type.name.upper()
    return f"`{names} {value}`"


def _choices(option: click.Option) -> str | None:
    return "|".join(option.type.choices) if isinstance(option.type, click.Choice) else None


def _default(option: click.Option, context: click.Context) -> str:
    if option.required:
        return "required"
    if isinstance(option.show_default, str):
        return option.show_default
    value = option.get_default(context)
    if option.is_flag:
        return f"`{option.opts[0]}`" if value and option.secondary_opts else ""
    return f"`{value}`" if isinstance(value, str | int | float | Path) else ""


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


if __name__ == "__main__":
    main()
