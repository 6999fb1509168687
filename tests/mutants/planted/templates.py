"""Bugs in templates and workflows."""

from __future__ import annotations

from tests.mutants.mutant import Mutant

SANDBOX = "tests/unit/test_templating.py"
MESSAGES = "tests/integration/test_template_messages.py"
TEMPLATES = "tests/integration/test_templates_over_http.py"
WORDS = "tests/unit/test_template_words.py"
FACTS = "tests/contract/test_store_facts.py"
FILES = "tests/unit/test_workflow_files.py"
WORKFLOWS = "tests/integration/test_workflows_over_http.py"

PLANTED = (
    Mutant(
        name="attributes-of-objects",
        breaks="A template reaches nothing but data.",
        file="shared/templating/sandbox.py",
        text="return entry(obj, attribute) if holds(obj, attribute) else Missing(name=attribute)",
        instead="return super().getattr(obj, attribute)",
        looks_at=(SANDBOX,),
    ),
    Mutant(
        name="anything-can-be-called",
        breaks="What a template may not say is refused before it is kept.",
        file="shared/templating/grammar.py",
        text='return "" if is_habit and not has_words else',
        instead='return "" if is_habit else',
        looks_at=(SANDBOX,),
    ),
    Mutant(
        name="replacement-without-end",
        breaks="Nothing in a template makes much out of little.",
        file="shared/templating/filters.py",
        text="bear(len(text) + text.count(old) * max(0, len(new) - len(old)))",
        instead="bear(len(text))",
        looks_at=(SANDBOX,),
    ),
    Mutant(
        name="slices-for-nothing",
        breaks="Everything in a template whose cost depends on the data is paid for.",
        file="shared/templating/filters.py",
        text="spend(1 + len(taken) // (CHARACTERS if isinstance(taken, str) else 1))",
        instead="spend(1)",
        looks_at=(SANDBOX,),
    ),
    Mutant(
        name="html-believes-the-data",
        breaks="In HTML what the data says is text, never markup.",
        file="shared/templating/sandbox.py",
        text="autoescape=is_html",
        instead="autoescape=False",
        looks_at=(SANDBOX,),
    ),
    Mutant(
        name="key-told-in-the-reason",
        breaks="Why a template cannot be written is told without the data, also where data is the key.",
        file="shared/templating/sandbox.py",
        text='Missing(hint="it looks up what is not there")',
        instead="Missing(name=str(argument))",
        looks_at=(SANDBOX,),
    ),
    Mutant(
        name="draft-comes-along",
        breaks="What is published brings no draft along.",
        file="shared/store/templates.py",
        text="(published or latest if publish else latest)",
        instead="latest",
        looks_at=(TEMPLATES,),
    ),
    Mutant(
        name="version-forgotten",
        breaks="A notification keeps the version of its template, also on the next channel.",
        file="shared/store/plans.py",
        text='    "template_version": int,\n',
        instead="",
        looks_at=(WORDS, MESSAGES),
    ),
    Mutant(
        name="words-of-another-tenant",
        breaks="A notification is written in its own tenant's words.",
        file="shared/store/facts.py",
        text="LEFT JOIN templates t ON t.tenant = n.tenant",
        instead="LEFT JOIN templates t ON t.tenant <> ''",
        looks_at=(FACTS,),
    ),
    Mutant(
        name="template-of-another-tenant-shown",
        breaks="Nobody sees the templates of another tenant.",
        file="shared/store/templates.py",
        text="WHERE t.tenant = %s AND t.name = %s AND NOT t.is_deleted",
        instead="WHERE t.tenant <> %s || '-' AND t.name = %s AND NOT t.is_deleted",
        looks_at=(TEMPLATES,),
    ),
    Mutant(
        name="region-or-nothing",
        breaks="A reader gets the nearest language.",
        file="shared/templates.py",
        text="wanted = (*_from_near_to_far(locale),",
        instead="wanted = (locale,",
        looks_at=(WORDS,),
    ),
    Mutant(
        name="good-ones-kept-of-a-bad-file",
        breaks="Of many workflows all are kept or none.",
        file="shared/workflow_files.py",
        text="    if faults:\n        raise WorkflowsMalformed(sorted(",
        instead="    if faults and not found:\n        raise WorkflowsMalformed(sorted(",
        looks_at=(WORKFLOWS,),
    ),
    Mutant(
        name="second-key-wins",
        breaks="A key that occurs twice in a file of workflows is refused by its line.",
        file="shared/strict_yaml.py",
        text="if name in found:",
        instead="if name is found:",
        looks_at=(FILES,),
    ),
    Mutant(
        name="aliases-followed",
        breaks="A file of workflows cannot grow by aliases.",
        file="shared/strict_yaml.py",
        text='isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None)',
        instead="isinstance(event, str)",
        looks_at=(FILES,),
    ),
    Mutant(
        name="workflow-without-its-template",
        breaks="A workflow whose template nobody wrote is refused, not each of its notifications.",
        file="functions/directory/workflows.py",
        text="if built_in(template):",
        instead="if template:",
        looks_at=(WORKFLOWS,),
    ),
)
