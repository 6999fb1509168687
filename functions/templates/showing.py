"""Show a version of a template, with the variables that it needs."""

from __future__ import annotations

from functions.templates.documents import TemplateAnswer, VariablesAnswer, WordsAnswer
from shared.rendering import needs
from shared.templates import TemplateVersion
from shared.templating import Variables


def show(version: TemplateVersion, published: int | None) -> TemplateAnswer:
    """Show every word, and what each needs."""
    found = [(channel, language, one, needs(channel, one)) for channel, language, one in version.every()]
    return TemplateAnswer(
        name=version.name,
        version=version.version,
        published=published,
        default_language=version.default_language,
        contents=tuple(
            WordsAnswer(
                channel=channel,
                language=language,
                subject=one.subject,
                body=one.text,
                html=one.html,
                variables=_variables(wanted),
            )
            for channel, language, one, wanted in found
        ),
        variables=_variables(Variables.together(wanted for *_, wanted in found)),
    )


def _variables(found: Variables) -> VariablesAnswer:
    return VariablesAnswer(required=found.required, conditional=found.conditional, optional=found.optional)
