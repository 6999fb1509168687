"""What all commands have in common: examples in their help, and one way to end."""

from __future__ import annotations

import gc
import sys
from collections.abc import Sequence
from typing import Any

import click

from infrastructure.cli.exits import Exit

WIDEST_HELP = 100


class Commands(click.Group):
    """A group of commands that ends with a code of the table, whatever ends it."""

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,
        **extra: Any,
    ) -> Any:
        """Run a command. Ctrl-C is 130, as shells have it; click would say 1.

        What a command imports stays, so no search for cycles looks at it: that was a tenth of a start. One that goes on
        for long switches the search on again.
        """
        gc.disable()
        try:
            result = super().main(args, prog_name, complete_var, standalone_mode=False, **extra)
        except click.Abort:
            sys.exit(Exit.INTERRUPTED)
        except click.ClickException as ended:
            if not standalone_mode:
                raise
            ended.show()
            sys.exit(ended.exit_code)
        finally:
            gc.enable()
        if not standalone_mode:
            return result
        sys.exit(result if isinstance(result, int) else Exit.DONE)


def examples(*lines: str) -> str:
    """Write the end of a command's help. Each line works as it stands."""
    return "\n".join(["\b", "Examples:", *(f"  {line}" for line in lines)])


class Present(click.Option):
    """A flag whose variable counts when it is there, whatever it says: NO_COLOR (no-color.org)."""

    def value_from_envvar(self, ctx: click.Context) -> Any:
        """Tell whether there is something."""
        return True if self.resolve_envvar_value(ctx) else None
