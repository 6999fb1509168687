"""The commands of `carillon`.

Nothing heavy is imported before a command needs it: `carillon --help` answers at once, and a test says so.
"""

from __future__ import annotations

import click

from infrastructure.cli.commands import WIDEST_HELP, Commands, Present, examples
from infrastructure.cli.database import keys, migrate
from infrastructure.cli.doctor import doctor
from infrastructure.cli.letters import dead_letters
from infrastructure.cli.measuring import bench, demo
from infrastructure.cli.replaying import replay
from infrastructure.cli.running import gateway, sandbox, serve, sources, up, worker
from infrastructure.cli.sending import send
from infrastructure.cli.showing import explain, show
from infrastructure.cli.tailing import tail
from shared.version import VERSION

COMMANDS: tuple[click.Command, ...] = (
    *(up, serve, sources, gateway, sandbox, worker, demo, bench),
    *(send, show, explain, tail, dead_letters, replay),
    *(migrate, keys, doctor),
)


@click.group(
    cls=Commands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": WIDEST_HELP},
    epilog=examples(
        "carillon up",
        'carillon send order.confirmed --user 1 --message "Order #42 confirmed" --channel email --wait',
        "carillon tail",
        "carillon doctor",
    ),
)
@click.version_option(VERSION, prog_name="carillon")
@click.option(
    "--no-color", "is_plain", is_flag=True, cls=Present, envvar="NO_COLOR", help="Print words without colours."
)
@click.pass_context
def main(context: click.Context, *, is_plain: bool) -> None:
    """Carillon, a notification platform.

    What runs it here (up, serve, sources, gateway, sandbox, migrate, keys, doctor) takes the server's settings from the
    environment. What speaks to one that runs (send, show, explain, tail, dead-letters, replay) finds it at --url or
    CARILLON_URL, and shows the key in CARILLON_API_KEY. Data goes to the standard output, words go to the standard
    error.
    """
    if is_plain:
        context.color = False


for command in COMMANDS:
    main.add_command(command)
