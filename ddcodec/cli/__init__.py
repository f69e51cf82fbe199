"""The command `ddc`: parse, one call, hand the result to the console.

One file per command. They import what computes only when they run, so that help is instant.
"""

import io
import os
import sys
import warnings

import click

from ddcodec.cli.looking.compare import compare_command
from ddcodec.cli.looking.decode import decode_command
from ddcodec.cli.looking.eval import eval_command
from ddcodec.cli.looking.inspect import inspect_command
from ddcodec.cli.looking.plot import plot_command
from ddcodec.cli.looking.report import report_command
from ddcodec.cli.looking.verify import verify_command
from ddcodec.cli.looking.view import view_command
from ddcodec.cli.making.datasets import datasets_command
from ddcodec.cli.making.distill import distill_command
from ddcodec.cli.making.encode import encode_command
from ddcodec.cli.making.experts import experts_command
from ddcodec.cli.making.pool import pool_command
from ddcodec.cli.making.recipes import recipes_command
from ddcodec.cli.making.sweep import sweep_command
from ddcodec.cli.making.teacher import teacher_command
from ddcodec.cli.shared.freed_memory import keep_freed_memory
from ddcodec.cli.shared.group import SHARED_BY_RANKS, SentenceGroup, silence_stdout
from ddcodec.format.container import VERSION
from ddcodec.format.printable import printable
from ddcodec.kept.notices import KeptWarning
from ddcodec.ranks import HandedOver, asked
from ddcodec.version import __version__

_VERSION_LINE = f"ddc {__version__} (.ddc format version {VERSION})"

_EXAMPLES = """\b
Start here, nothing to download:
  ddc distill glyphs --bpc 1k --loss none
  ddc inspect glyphs-1k.ddc
  ddc decode glyphs-1k.ddc
"""


WORK_OF_ONE = ("encode", "teacher", "compare", "sweep")
"""Commands of which several processes would each do all."""


@click.group(
    cls=SentenceGroup,
    epilog=_EXAMPLES,
    invoke_without_command=True,
    context_settings={
        "help_option_names": ["-h", "--help"],
        "show_default": True,
        "max_content_width": 100,
    },
)
@click.version_option(__version__, "-V", "--version", message=_VERSION_LINE)
@click.pass_context
def ddc(context: click.Context) -> None:
    """The codec for training sets.

    Turn an image dataset into one small .ddc file whose every bit is counted, and the file back
    into a training set that is the same on every machine.
    """
    if context.invoked_subcommand is None:
        click.echo(context.get_help(), err=True)
        context.exit(2)
    if context.invoked_subcommand in WORK_OF_ONE and (ranks := asked()).count > 1:
        sentence = (
            f"'ddc {context.invoked_subcommand}' is the work of one process; start it without "
            f"torchrun, which is for {', '.join(SHARED_BY_RANKS)}."
        )
        raise click.UsageError(sentence) if ranks.is_first else HandedOver(sentence)


for _command in (
    datasets_command,
    experts_command,
    pool_command,
    teacher_command,
    recipes_command,
    distill_command,
    encode_command,
    inspect_command,
    verify_command,
    decode_command,
    view_command,
    eval_command,
    compare_command,
    sweep_command,
    plot_command,
    report_command,
):
    ddc.add_command(_command)


def _show_warning(
    message: Warning | str, category: type[Warning], *where: object, **more: object
) -> None:
    if issubclass(category, KeptWarning):
        click.echo(f"ddc: {printable(str(message))}", err=True)


def main() -> None:
    """Run `ddc` as a program."""
    # Threads that spin while they wait slow training many times over on a shared machine. OpenMP
    # reads this when torch is imported.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    keep_freed_memory()
    if not sys.warnoptions:
        warnings.simplefilter("ignore")
        warnings.simplefilter("always", KeptWarning)
    warnings.showwarning = _show_warning
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    try:
        code = ddc.main(prog_name="ddc", standalone_mode=False)
        sys.stdout.flush()
    except BrokenPipeError:
        silence_stdout()
        code = 1
    sys.exit(code)
