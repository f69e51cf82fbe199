"""Options of the commands that train students: where to test them, by which protocol, how many."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from ddcodec.cli.shared.options import COUNT, Decorator, named_number, whole_number

if TYPE_CHECKING:
    from ddcodec.evaluation import Protocol

PROTOCOLS = ("standard", "learned", "idc", "tuned", "muon", "patient", "quick", "glance")

DEFAULT_REPEATS = {"quick": 3, "glance": 1}
"""Networks where that differs from the protocol's own number."""

WHERE_TEST_IMAGES_ARE = (
    "Where the test images are: a dataset that `ddc datasets` lists, or an image folder, "
    "an archive or an .npz."
)

named_option = click.option(
    "--dataset", metavar="NAME", show_default="follows from --data",
    help="Name of the dataset at --data, such as cifar10 for its official archives.",
)  # fmt: skip
protocol_option_option = click.option(
    "--protocol-option", "protocol_options", type=named_number("updates=3000"), multiple=True,
    metavar="NAME=NUMBER", show_default="those of the protocol",
    help="Another number of the protocol, such as updates, epochs, learning_rate or network_width, "
    "which then stands in its name; may be repeated.",
)  # fmt: skip
first_seed_option = click.option(
    "--seed", type=whole_number(0, 2**62), default=0, metavar="N",
    help="Seed of the first network; the next ones count up.",
)  # fmt: skip


def repeats_option(help_text: str) -> Decorator:
    """Return --repeats, with what it counts in the words of a command."""
    return click.option(
        "--repeats", type=COUNT, metavar="N",
        show_default="standard and learned 5, glance 1, others 3",
        help=help_text,
    )  # fmt: skip


def networks_to_train(protocol: Protocol, repeats: int | None) -> int:
    """Return how many networks `--repeats`, if given, or else the protocol asks for."""
    from ddcodec.evaluation.protocols import named_protocol

    return repeats or DEFAULT_REPEATS.get(named_protocol(protocol.name).name, protocol.networks)
