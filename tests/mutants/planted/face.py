"""Bugs in the API's face: the gate, its description, and the client."""

from __future__ import annotations

from tests.mutants.mutant import Mutant

OPERATIONS = "tests/unit/test_operations.py"
REFERENCE = "tests/integration/test_reference_over_http.py"
CLIENT = "tests/integration/test_python_client.py"

PLANTED = (
    Mutant(
        name="route-around-the-gate",
        breaks="Every operation stands behind the gate.",
        file="shared/step/guarding.py",
        text="caller = await gate.admit(request, operation)",
        instead='caller = Caller(tenant="default", name="anybody")',
        looks_at=(OPERATIONS,),
    ),
    Mutant(
        name="one-method-for-an-address",
        breaks="A 405 names every method that its address takes.",
        file="shared/step/guarding.py",
        text="methods=list(endpoints))",
        instead="methods=list(endpoints)[:1])",
        looks_at=(OPERATIONS,),
    ),
    Mutant(
        name="operation-left-out-of-the-specification",
        breaks="The specification has every operation of every function.",
        file="infrastructure/openapi/tables.py",
        text="found = [operation for table in _tables() for operation in table]",
        instead="found = [operation for table in _tables() for operation in table[:1]]",
        looks_at=("tests/unit/test_openapi.py",),
    ),
    Mutant(
        name="page-loads-from-anywhere",
        breaks="The page of the API loads nothing from elsewhere.",
        file="functions/console/reference.py",
        text="script-src 'self'",
        instead="script-src *",
        looks_at=(REFERENCE,),
    ),
    Mutant(
        name="any-file-of-the-page",
        breaks="Only the files that the page is made of are handed out.",
        file="functions/console/reference.py",
        text="if name in SWAGGER_UI:",
        instead="if (swagger_ui() / name).is_file():",
        looks_at=(REFERENCE,),
    ),
    Mutant(
        name="another-key-for-each-repetition",
        breaks="What a client sends again is the same notification.",
        file="infrastructure/client/carillon.py",
        text="headers = {**(call.headers or {}), **({",
        instead="headers = {**dict.fromkeys(call.headers or (), str(uuid4())), **({",
        looks_at=(CLIENT,),
    ),
    Mutant(
        name="client-comes-back-too-soon",
        breaks="A client that was asked to wait waits as long.",
        file="infrastructure/client/patience.py",
        text="least = max(min(doubled, LONGEST_WAIT_SECONDS), asked_seconds or 0.0)",
        instead="least = min(doubled, LONGEST_WAIT_SECONDS)",
        looks_at=(CLIENT,),
    ),
    Mutant(
        name="refusal-sent-again",
        breaks="What is refused for good is not sent again.",
        file="infrastructure/client/carillon.py",
        text="if answer.status not in AGAIN:",
        instead="if answer.status not in AGAIN and answer.status != 422:",
        looks_at=(CLIENT,),
    ),
    Mutant(
        name="broken-headers-of-a-batch",
        breaks="A broken header is refused in every form of an event, also where there is none.",
        file="functions/ingest/checking.py",
        text="    for name, pattern in CHECKED_HEADERS.items():",
        instead="    for name, pattern in {}.items():",
        looks_at=("tests/unit/test_ingest_headers.py",),
    ),
)
