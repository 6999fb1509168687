"""Templates that strangers write: Jinja's syntax, of which only what costs little and reaches nothing is let in.

What a template may say is checked on its syntax tree before it is compiled (`grammar`), and what is left is linear in
its size and its data, and paid for out of a budget while it is rendered (`budget`): docs/decisions/0021-templates.md.
"""

from shared.templating.failures import RenderingFailed, TemplateMalformed
from shared.templating.sandbox import Limits, check, write
from shared.templating.variables import Variables, missing, variables_of

__all__ = [
    "Limits",
    "RenderingFailed",
    "TemplateMalformed",
    "Variables",
    "check",
    "missing",
    "variables_of",
    "write",
]
