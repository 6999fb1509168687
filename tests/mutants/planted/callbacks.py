"""Bugs in what is heard later: callbacks, unsubscribing, suppressions."""

from __future__ import annotations

from tests.mutants.mutant import Mutant

CALLBACKS = "tests/integration/test_callbacks_over_http.py"
UNSUBSCRIBING = "tests/integration/test_unsubscribing_over_http.py"
SUPPRESSIONS = "tests/integration/test_suppressions.py"

PLANTED = (
    Mutant(
        name="callback-believed-unsigned",
        breaks="A callback that Twilio has not signed changes nothing.",
        file="functions/callbacks/twilio.py",
        text="if not is_signed(self._token.get_secret_value(), url, form, signature):",
        instead="if signature is None:",
        looks_at=(CALLBACKS,),
    ),
    Mutant(
        name="signature-of-the-path-alone",
        breaks="A signature is good for one notification, not for every one.",
        file="functions/callbacks/twilio.py",
        text='(f"?{query}" if query else "")',
        instead='""',
        looks_at=(CALLBACKS,),
    ),
    Mutant(
        name="receipt-kept-to-itself",
        breaks="A receipt reaches its saga at once, not at the next sweep.",
        file="functions/callbacks/reports.py",
        text="await self._broker.publish([message])",
        instead="_ = message",
        looks_at=(CALLBACKS,),
    ),
    Mutant(
        name="complaint-passed-over",
        breaks="Who reports a mail as unwanted gets no more, even if it was known to have arrived.",
        file="functions/callbacks/mail.py",
        text="if receipt is Receipt.DELIVERED and found.suppress:",
        instead="if False:",
        looks_at=(CALLBACKS,),
    ),
    Mutant(
        name="look-unsubscribes",
        breaks="To look at the link in a mail changes nothing.",
        file="functions/callbacks/api.py",
        text="ASK_TO_UNSUBSCRIBE: unsubscribing.ask,",
        instead="ASK_TO_UNSUBSCRIBE: unsubscribing.stop,",
        looks_at=(UNSUBSCRIBING,),
    ),
    Mutant(
        name="any-post-unsubscribes",
        breaks="Only the one-click form unsubscribes.",
        file="functions/callbacks/unsubscribing.py",
        text="if pages.ONE_CLICK not in _fields(",
        instead="if None in _fields(",
        looks_at=(UNSUBSCRIBING,),
    ),
    Mutant(
        name="page-believes-its-words",
        breaks="What stands in a link is shown as text, never as part of the page.",
        file="functions/callbacks/pages.py",
        text="messages of the kind <b>{escape(category)}</b> by {NAMES[channel]}",
        instead="messages of the kind <b>{category}</b> by {NAMES[channel]}",
        looks_at=(UNSUBSCRIBING,),
    ),
    Mutant(
        name="suppression-of-another-tenant-lifted",
        breaks="A tenant lifts its own suppressions alone.",
        file="shared/store/suppressions.py",
        text='which="tenant = %b::text AND channel = %b::text AND address = %b::text"',
        instead='which="tenant >= %b::text AND channel = %b::text AND address = %b::text"',
        looks_at=(SUPPRESSIONS,),
    ),
    Mutant(
        name="page-begins-with-its-predecessor",
        breaks="A long list shows each suppression once.",
        file="shared/store/suppressions.py",
        text="(channel, address) > (%s, %s)",
        instead="(channel, address) >= (%s, %s)",
        looks_at=(SUPPRESSIONS,),
    ),
)
