/*
 * Claim, lease, retry and sweep of one notification on one channel, in Promela. The names are those of the code.
 * README.md says how it is run, what was left out, and what each world is for. In every world any process may die, or
 * sleep for long, between any two atomic blocks. What the broker does differs:
 *   (none)   whatever was ever published may be handed over at any time, to anybody, any number of times, or never
 *   LOSSY    it loses, repeats and reorders, until it is `calm`
 *   OUTBOX   it loses nothing, and nobody sweeps: what a dead process had in hand comes again
 */
#ifndef MAX_TRIES
#define MAX_TRIES 2
#endif
#ifndef MAX_TAKEOVERS
#define MAX_TAKEOVERS 2
#endif
#ifndef EPOCHS
#define EPOCHS 1
#endif
#ifndef HOLD
#define HOLD 0
#endif

/* ---- The guards. -D<name>=0 takes one out ---- */

#ifndef ATTEMPT_ROW /* a result points at the attempt's row; what it says itself is not believed */
#define ATTEMPT_ROW 1
#endif
#ifndef TOKEN_UNDER_WAY /* a failure counts only for the attempt that is under way */
#define TOKEN_UNDER_WAY 1
#endif
#ifndef LEASE /* nobody claims what is under somebody's lease */
#define LEASE 1
#endif
#ifndef ATTEMPT_AND_EPOCH /* a command claims only the attempt and the epoch that it names */
#define ATTEMPT_AND_EPOCH 1
#endif
#ifndef RECORDED_FIRST /* an outcome on record is announced again, not taken over */
#define RECORDED_FIRST 1
#endif
#ifndef AMBIGUOUS_AT_TAKEOVER /* a takeover records an ambiguous attempt */
#define AMBIGUOUS_AT_TAKEOVER 1
#endif
#ifndef AMBIGUOUS_AT_GIVING_UP /* so does the sweep, where it gives up waiting for a claim after the expiry */
#define AMBIGUOUS_AT_GIVING_UP 1
#endif
#ifndef HOLD_AT_TAKEOVER /* where the workflow says hold, nothing is taken over */
#define HOLD_AT_TAKEOVER 1
#endif
#ifndef TRIES_BOUND /* a lost lease uses up a try, and there are so many */
#define TRIES_BOUND 1
#endif
#ifndef TAKEOVER_BOUND
#define TAKEOVER_BOUND 1
#endif
#ifndef CLAIM_LOCK /* the row is locked while a claim is judged */
#define CLAIM_LOCK 1
#endif
#ifndef SAGA_LOCK /* the row is locked while an occurrence is folded */
#define SAGA_LOCK 1
#endif
#ifndef GIVE_BACK_TOKEN /* only the holder gives a claim back */
#define GIVE_BACK_TOKEN 1
#endif
#ifndef RECORD_TOKEN /* an outcome marks the delivery only under the token that it holds now */
#define RECORD_TOKEN 1
#endif
#ifndef ROUTED_ONCE /* only what is pending is routed */
#define ROUTED_ONCE 1
#endif
#ifndef COMPENSATED_ONCE /* only what is compensating becomes failed */
#define COMPENSATED_ONCE 1
#endif
#ifndef COMMIT_BEFORE_PUBLISH
#define COMMIT_BEFORE_PUBLISH 1
#endif
#ifndef RECORD_BEFORE_RESULT
#define RECORD_BEFORE_RESULT 1
#endif
#ifndef PUBLISH_BEFORE_ACKNOWLEDGE
#define PUBLISH_BEFORE_ACKNOWLEDGE 1
#endif
#ifndef SAID_AGAIN /* a copy of finished work says again what is owed */
#define SAID_AGAIN 1
#endif
#ifndef LATE_SUCCESS_SWEPT /* the sweep folds a success on record whose result was lost */
#define LATE_SUCCESS_SWEPT 1
#endif
#ifndef EVENT_SWEPT /* the sweep publishes again what is owed: each of the four */
#define EVENT_SWEPT 1
#endif
#ifndef COMMAND_SWEPT
#define COMMAND_SWEPT 1
#endif
#ifndef RESULT_SWEPT
#define RESULT_SWEPT 1
#endif
#ifndef COMPENSATION_SWEPT
#define COMPENSATION_SWEPT 1
#endif
#ifndef OWED_AT_LEASE_END /* a command is owed to a claim whose lease ran out */
#define OWED_AT_LEASE_END 1
#endif

mtype = { N_PENDING, N_QUEUED, N_SENT, N_COMPENSATING, N_FAILED, N_EXPIRED, N_UNKNOWN };
mtype = { D_NONE, D_QUEUED, D_SENDING, D_RETRYING, D_SENT, D_FAILED, D_CANCELLED, D_UNKNOWN };
mtype = { NO_OUTCOME, ACCEPTED, TRANSIENT, AMBIGUOUS };
mtype = { STALE, RECORDED, LEASED, LOST, TAKEOVER, TOO_LATE, CLAIMED };
mtype = { IN_TIME, EXPIRED, PATIENCE_OVER };

/* ---- The database: one row of notifications, one of deliveries, and the attempts by token ---- */

/* No two claims have one token: while the guards hold, tries number them; else they are drawn. 0 is no token. */
#if CLAIM_LOCK && SAGA_LOCK && GIVE_BACK_TOKEN && ROUTED_ONCE
#define TOKENS (EPOCHS * MAX_TRIES)
#define NEW_TOKEN (epoch * MAX_TRIES + tries)
#else
#define TOKENS 4
byte drawn = 0;
#define NEW_TOKEN drawn
#define DRAWN
#endif
#define bit(n) (1 << (n))

mtype notification = N_PENDING;
byte epoch = 0;
mtype delivery = D_NONE;
byte delivery_epoch = 0, attempt = 0, tries = 0, takeovers = 0, token = 0;
bool lease = false;                  /* lease_until is in the future */
mtype outcome = NO_OUTCOME;          /* recorded, and not yet folded */
mtype said[TOKENS + 1] = NO_OUTCOME; /* attempts.outcome */
byte ambiguous = 0;                  /* attempts.ambiguous, a bit per token: it stays whatever is learnt later */
mtype time = IN_TIME;                /* before expires_at, after it, or ten minutes after it */

/* ---- In the hands of two deliverers, and what only the world knows ---- */

byte mine[2] = 0; /* the token of a claim */
byte taken = 0;   /* the tokens under which the provider took a message */
byte excused = 0; /* the tokens whose lease ran out, or whose call had no answer */

#if defined(LOSSY) || defined(OUTBOX)
bool calm = false; /* from here on nothing is lost, and nobody dies or oversleeps: the faults are finitely many */
#else
#define calm false
#endif

/* ---- The broker: which messages are there ---- */

#define NOTHING 0
#define EVENT 1
#define LOOK 2
#define COMPENSATION 3
#define COMMAND(a, e) (3 + (e) * MAX_TRIES + (a))
#define RESULT(t) (3 + TOKENS + (t))
#define COMMANDS ((bit(TOKENS) - 1) << 4)
#define RESULTS ((bit(TOKENS) - 1) << (4 + TOKENS))
#define TO_ORCHESTRATE (bit(EVENT) | bit(LOOK) | RESULTS)
#define publish(m) broker = broker | ((m) -> bit(m) : 0)

int broker = bit(EVENT);

/* Choose any message of a set that is not empty. */
inline choose(m, set)
{
    m = 1;
    do
    :: (set) & bit(m) -> break
    :: (set) >> (m + 1) -> m++
    od
}

#ifdef OUTBOX
#define HAND byte hand = NOTHING;
#define take(m) broker = broker & ~bit(m); hand = m
#define acknowledge hand = NOTHING
#define comes_again publish(hand); hand = NOTHING
#else
#define HAND
#define acknowledge skip
#define comes_again skip
#ifdef LOSSY
/* What stays stands for a copy, and for what its reader had in hand when it died. */
inline take(m)
{
    if
    :: broker = broker & ~bit(m)
    :: !calm
    fi
}
#else
#define take(m) skip
#endif
#endif

/* ---- What must hold at every step ---- */

#ifndef STALE_MATTERS /* 0: see what else breaks when a stale result moves a saga */
#define STALE_MATTERS 1
#endif

#define PROMISE(words, condition) if :: (condition) :: else -> printf(words); assert(false) fi

/* The rows of shared/statuses.py between the statuses that are here; a test holds them together. */
#define NOTIFICATION_TABLE(old, new) ( \
    (old == N_PENDING && new == N_QUEUED) || \
    (old == N_PENDING && new == N_SENT) || \
    (old == N_PENDING && new == N_COMPENSATING) || \
    (old == N_PENDING && new == N_EXPIRED) || \
    (old == N_QUEUED && new == N_SENT) || \
    (old == N_QUEUED && new == N_COMPENSATING) || \
    (old == N_QUEUED && new == N_EXPIRED) || \
    (old == N_QUEUED && new == N_UNKNOWN) || \
    (old == N_SENT && new == N_QUEUED) || \
    (old == N_SENT && new == N_COMPENSATING) || \
    (old == N_COMPENSATING && new == N_SENT) || \
    (old == N_COMPENSATING && new == N_FAILED) || \
    (old == N_FAILED && new == N_PENDING) || \
    (old == N_FAILED && new == N_SENT) || \
    (old == N_EXPIRED && new == N_SENT) || \
    (old == N_UNKNOWN && new == N_PENDING) || \
    (old == N_UNKNOWN && new == N_SENT))
#define DELIVERY_TABLE(old, new) ( \
    (old == D_NONE && new == D_QUEUED) || \
    (old == D_QUEUED && new == D_SENDING) || \
    (old == D_QUEUED && new == D_SENT) || \
    (old == D_QUEUED && new == D_FAILED) || \
    (old == D_QUEUED && new == D_CANCELLED) || \
    (old == D_SENDING && new == D_QUEUED) || \
    (old == D_SENDING && new == D_RETRYING) || \
    (old == D_SENDING && new == D_SENT) || \
    (old == D_SENDING && new == D_FAILED) || \
    (old == D_SENDING && new == D_CANCELLED) || \
    (old == D_SENDING && new == D_UNKNOWN) || \
    (old == D_RETRYING && new == D_SENDING) || \
    (old == D_RETRYING && new == D_SENT) || \
    (old == D_RETRYING && new == D_FAILED) || \
    (old == D_RETRYING && new == D_CANCELLED) || \
    (old == D_SENT && new == D_QUEUED) || \
    (old == D_SENT && new == D_FAILED) || \
    (old == D_FAILED && new == D_QUEUED) || \
    (old == D_FAILED && new == D_SENT) || \
    (old == D_CANCELLED && new == D_QUEUED) || \
    (old == D_CANCELLED && new == D_SENT) || \
    (old == D_UNKNOWN && new == D_QUEUED) || \
    (old == D_UNKNOWN && new == D_SENT))

#if SAID_AGAIN
#define SAYS_NOTHING_NEW false
#define note_change skip
#define forget_change skip
#else
bool changed = false;
#define SAYS_NOTHING_NEW !changed
#define note_change changed = true
#define forget_change changed = false
#endif

inline becomes(status)
{
    printf("    notification: %e -> %e\n", notification, status);
    PROMISE("broken: table\n", status == notification || NOTIFICATION_TABLE(notification, status));
    PROMISE("broken: sent\n", status != N_SENT || taken);
    notification = status;
    note_change
}

inline delivery_becomes(status)
{
    printf("    delivery: %e -> %e\n", delivery, status);
    PROMISE("broken: table\n", status == delivery || DELIVERY_TABLE(delivery, status));
    delivery = status;
    lease = false;
    outcome = NO_OUTCOME;
    note_change
}

#define UNRECORDED (taken & ~ambiguous) /* acceptances without an ambiguous record of their own: one at most */

inline the_provider_takes_it(t)
{
    printf("  the provider takes it under token %d\n", t);
    taken = taken | bit(t);
    PROMISE("broken: once\n", (UNRECORDED & (UNRECORDED - 1)) == 0);
    PROMISE("broken: hold\n", !HOLD || (taken & (taken - 1)) == 0)
}

/* Keep an attempt's row: the first says what it says, a later one replaces an ambiguous one. */
inline keep_attempt(t, what)
{
    printf("    attempt under token %d: %e\n", t, what);
    if
    :: said[t] == NO_OUTCOME ->
        said[t] = what;
        ambiguous = ambiguous | (what == AMBIGUOUS -> bit(t) : 0)
    :: said[t] == AMBIGUOUS -> said[t] = what
    :: else
    fi;
    PROMISE("broken: invented\n", (ambiguous & ~excused) == 0)
}

inline keep_abandoned()
{
    if
    :: said[token] == NO_OUTCOME -> keep_attempt(token, AMBIGUOUS)
    :: else
    fi
}

/* ---- A row as it was read, for the guards that are locks ---- */

#if CLAIM_LOCK && SAGA_LOCK && COMMIT_BEFORE_PUBLISH
#define ROW
#define remember_row skip
#define restore_row skip
#else
#define ROW mtype r_notification, r_delivery, r_outcome; \
    byte r_delivery_epoch, r_attempt, r_tries, r_takeovers, r_token; bool r_lease;
#define remember_row \
    r_notification = notification; r_delivery = delivery; r_outcome = outcome; r_delivery_epoch = delivery_epoch; \
    r_attempt = attempt; r_tries = tries; r_takeovers = takeovers; r_token = token; r_lease = lease
#define restore_row \
    notification = r_notification; delivery = r_delivery; outcome = r_outcome; delivery_epoch = r_delivery_epoch; \
    attempt = r_attempt; tries = r_tries; takeovers = r_takeovers; token = r_token; lease = r_lease; \
    r_notification = 0; r_delivery = 0; r_outcome = 0; r_delivery_epoch = 0; r_attempt = 0; r_tries = 0; \
    r_takeovers = 0; r_token = 0; r_lease = false
#endif

/* ---- shared/store/claims.py ---- */

#if HOLD
#define MAY_RESEND false
#else
#define MAY_RESEND (time == IN_TIME)
#endif

#define IS_LOST ((TAKEOVER_BOUND && takeovers + 1 >= MAX_TAKEOVERS) || (TRIES_BOUND && tries >= MAX_TRIES) || \
    (!MAY_RESEND && HOLD_AT_TAKEOVER))
#define MAY_BE_CLAIMED (notification == N_QUEUED && \
    (delivery == D_QUEUED || delivery == D_RETRYING || delivery == D_SENDING))

#define VERDICT(wanted) ( \
    (delivery == D_NONE || (ATTEMPT_AND_EPOCH && wanted != COMMAND(attempt, delivery_epoch))) -> STALE : ( \
    (RECORDED_FIRST && delivery == D_SENDING && outcome != NO_OUTCOME) -> RECORDED : ( \
    (!MAY_BE_CLAIMED) -> STALE : ( \
    (LEASE && delivery == D_SENDING && lease) -> LEASED : ( \
    (delivery == D_SENDING && IS_LOST) -> LOST : ( \
    (delivery == D_SENDING) -> TAKEOVER : ( \
    (time != IN_TIME) -> TOO_LATE : CLAIMED)))))))

/* Judge a command, and take its claim. Leaves the verdict. */
inline claim(wanted)
{
    verdict = VERDICT(wanted);
    printf("deliver %d finds: %e\n", _pid - 1, verdict);
    if
    :: verdict == TAKEOVER || verdict == LOST ->
        if
        :: AMBIGUOUS_AT_TAKEOVER -> keep_abandoned()
        :: else
        fi;
        takeovers++;
        lease = false;
        PROMISE("broken: bounds\n", verdict == LOST || takeovers < MAX_TAKEOVERS)
    :: else
    fi;
    if
    :: verdict == LOST -> outcome = AMBIGUOUS
    :: verdict == CLAIMED || verdict == TAKEOVER ->
        PROMISE("broken: stale\n", wanted == COMMAND(attempt, delivery_epoch));
        delivery_becomes(D_SENDING);
        tries++;
        PROMISE("broken: bounds\n", tries <= MAX_TRIES);
#ifdef DRAWN
        drawn++;
#endif
        token = NEW_TOKEN;
        lease = true
    :: else
    fi
}

#define IS_HELD_BY(t) (delivery == D_SENDING && outcome == NO_OUTCOME && token == t)
#define IS_UNSETTLED (delivery == D_SENDING && outcome == NO_OUTCOME)

inline record(t, what)
{
    printf("deliver %d records\n", _pid - 1);
    if
    :: IS_HELD_BY(t) || (!RECORD_TOKEN && IS_UNSETTLED) -> outcome = what; lease = false
    :: else
    fi;
    keep_attempt(t, what)
}

/* Undo a claim under which nothing was called. From here on its token is nobody's, and its number free. */
inline give_back(t)
{
    printf("deliver %d gives token %d back: too little is left of its lease\n", _pid - 1, t);
    if
    :: IS_HELD_BY(t) || (!GIVE_BACK_TOKEN && IS_UNSETTLED) ->
#ifndef DRAWN
        excused = excused & ~bit(t);
#endif
        delivery_becomes(D_QUEUED);
        token = 0;
        tries--;
        say = COMMAND(attempt, delivery_epoch)
    :: else
    fi
}

/* ---- shared/saga: decide, and owed ---- */

inline route()
{
    if
    :: notification != N_PENDING && ROUTED_ONCE
    :: else ->
        if
        :: time != IN_TIME -> becomes(N_EXPIRED)
        :: else ->
            delivery_becomes(D_QUEUED);
            delivery_epoch = epoch;
            attempt = 1;
            tries = 0;
            takeovers = 0;
            token = 0;
            becomes(N_QUEUED)
        fi
    fi
}

inline again()
{
    delivery_becomes(D_RETRYING);
    attempt++
}

inline fold_failure(what)
{
    if
    :: what == TRANSIENT && tries < MAX_TRIES -> again()
    :: what == TRANSIENT && tries >= MAX_TRIES -> delivery_becomes(D_FAILED); becomes(N_COMPENSATING)
    :: what == AMBIGUOUS && MAY_RESEND && tries < MAX_TRIES && takeovers < MAX_TAKEOVERS -> again()
    :: else -> delivery_becomes(D_UNKNOWN); becomes(N_UNKNOWN)
    fi
}

inline fold_success()
{
    if
    :: delivery != D_SENT -> delivery_becomes(D_SENT); becomes(N_SENT)
    :: else
    fi
}

/* Fold the attempt that a result points at. A success counts whenever it comes. */
inline fold(t)
{
    if
    :: said[t] == NO_OUTCOME
    :: said[t] == ACCEPTED -> fold_success()
    :: said[t] != NO_OUTCOME && said[t] != ACCEPTED && notification == N_QUEUED && delivery == D_SENDING &&
        (token == t || !TOKEN_UNDER_WAY) ->
        PROMISE("broken: stale\n", t == token || !STALE_MATTERS);
        fold_failure(said[t])
    :: else
    fi
}

inline expire()
{
    if
    :: delivery == D_QUEUED || delivery == D_RETRYING -> delivery_becomes(D_CANCELLED)
    :: else
    fi;
    becomes(N_EXPIRED)
}

/* Time has passed. */
inline look()
{
    if
    :: time == IN_TIME || (notification != N_PENDING && notification != N_QUEUED)
    :: time != IN_TIME && (notification == N_PENDING || (notification == N_QUEUED && delivery != D_SENDING)) -> expire()
    :: time == PATIENCE_OVER && notification == N_QUEUED && IS_UNSETTLED ->
        if
        :: AMBIGUOUS_AT_GIVING_UP -> keep_abandoned()
        :: else
        fi;
        delivery_becomes(D_UNKNOWN);
        becomes(N_UNKNOWN)
    :: else
    fi
}

#define OWED ( \
    (SAYS_NOTHING_NEW) -> NOTHING : ( \
    (notification == N_PENDING) -> EVENT : ( \
    (notification == N_COMPENSATING) -> COMPENSATION : ( \
    (notification != N_QUEUED) -> NOTHING : ( \
    (delivery == D_QUEUED || delivery == D_RETRYING) -> COMMAND(attempt, epoch) : ( \
    (delivery == D_SENDING && outcome != NO_OUTCOME) -> RESULT(token) : ( \
    (delivery == D_SENDING && !lease && OWED_AT_LEASE_END) -> COMMAND(attempt, epoch) : NOTHING)))))))

#define ENDED (notification != N_PENDING && notification != N_QUEUED && notification != N_COMPENSATING)

/* ---- The steps: commit, publish, acknowledge ---- */

#if defined(STEPWISE) || defined(OUTBOX)
#define THEN_TELL goto telling
#else
/* To die before publishing cannot be told from publishing what is then lost, so it need not be a step of its own. */
#define THEN_TELL publish(say); say = NOTHING; goto idle
#endif

#ifdef OUTBOX
#define MAY_DIE_HOLDING false /* only the sweep finds out, when the lease ends */
#else
#define MAY_DIE_HOLDING !calm
#endif

#define DIES_SILENT printf("who has not published yet dies\n")
#if PUBLISH_BEFORE_ACKNOWLEDGE
#define TELLING \
    if \
    :: atomic { publish(say); acknowledge; say = NOTHING; goto idle } \
    :: atomic { !calm -> DIES_SILENT; comes_again; say = NOTHING; goto idle } \
    fi
#else
#define TELLING \
    acknowledge; \
    if \
    :: atomic { publish(say); say = NOTHING; goto idle } \
    :: atomic { !calm -> DIES_SILENT; say = NOTHING; goto idle } \
    fi
#endif

inline handle(m)
{
    forget_change;
    if
    :: m == EVENT -> printf("orchestrate %d takes the event\n", _pid + 1); route()
    :: m == LOOK -> printf("orchestrate %d looks\n", _pid + 1); look()
    :: else -> printf("orchestrate %d takes the result of token %d\n", _pid + 1, m - RESULT(0)); fold(m - RESULT(0))
    fi
}

active [2] proctype orchestrate()
{
    byte m = NOTHING, say = NOTHING;
    HAND
    ROW
idle:
    atomic {
        (broker & TO_ORCHESTRATE) ->
        choose(m, broker & TO_ORCHESTRATE);
        take(m);
#if !SAGA_LOCK
        remember_row
    }
    atomic {
        restore_row;
#endif
#if !COMMIT_BEFORE_PUBLISH
        remember_row;
        handle(m);
        publish(OWED);
        restore_row
    }
    if
    :: true
    :: atomic { !calm -> comes_again; m = NOTHING; goto idle }
    fi;
    atomic {
#endif
        handle(m);
        say = (COMMIT_BEFORE_PUBLISH -> OWED : NOTHING);
        m = NOTHING;
        THEN_TELL
    }
telling:
    TELLING
}

#define HELD mine[_pid - 2]
#define DIES_HOLDING atomic { MAY_DIE_HOLDING -> \
    printf("deliver %d dies\n", _pid - 1); HELD = 0; answer = NO_OUTCOME; goto idle }

active [2] proctype deliver()
{
    byte m = NOTHING, say = NOTHING;
    mtype verdict = STALE, answer = NO_OUTCOME;
    HAND
    ROW
idle:
    atomic {
        (broker & COMMANDS) ->
        choose(m, broker & COMMANDS);
        take(m);
#if !CLAIM_LOCK
        remember_row
    }
    atomic {
        restore_row;
#endif
        claim(m);
        m = NOTHING;
        if
        :: verdict == CLAIMED || verdict == TAKEOVER -> HELD = token; verdict = STALE; goto claimed
        :: (verdict == RECORDED && SAID_AGAIN) || verdict == LOST -> say = RESULT(token); verdict = STALE; THEN_TELL
        :: verdict == TOO_LATE -> say = LOOK; verdict = STALE; THEN_TELL
        :: else -> verdict = STALE; acknowledge; goto idle
        fi
    }
claimed: /* the frame looks at its clock; then it may still sleep over the end of its lease */
    if
    :: atomic { token == HELD && lease -> goto calling }
    :: atomic { !(token == HELD && lease) -> give_back(HELD); HELD = 0; THEN_TELL }
    :: DIES_HOLDING
    fi;
calling:
    if
    :: atomic { the_provider_takes_it(HELD); answer = ACCEPTED; goto answered }
    :: atomic { the_provider_takes_it(HELD); answer = AMBIGUOUS; excused = excused | bit(HELD); goto answered }
    :: atomic { answer = AMBIGUOUS; excused = excused | bit(HELD); goto answered }
    :: atomic { answer = TRANSIENT; goto answered }
    :: DIES_HOLDING
    fi;
answered:
#if !RECORD_BEFORE_RESULT
    publish(RESULT(HELD));
#endif
    if
    :: atomic {
        record(HELD, answer);
        say = (RECORD_BEFORE_RESULT -> RESULT(HELD) : NOTHING);
        HELD = 0;
        answer = NO_OUTCOME;
        THEN_TELL
    }
    :: DIES_HOLDING
    fi;
telling:
    TELLING
}

#if !ATTEMPT_ROW
active proctype forge()
{
    do
    :: atomic {
        notification == N_QUEUED && delivery == D_SENDING ->
        printf("a forged result\n");
        if
        :: true -> fold_success()
        :: true -> fold_failure(TRANSIENT)
        fi
    }
    od
}
#endif

active proctype compensate()
{
    byte say = NOTHING;
    HAND
idle:
    atomic {
        (broker & bit(COMPENSATION)) ->
        take(COMPENSATION);
        printf("compensate\n");
        forget_change;
        if
        :: notification != N_COMPENSATING && COMPENSATED_ONCE
        :: else -> becomes(N_FAILED)
        fi;
        say = OWED;
        THEN_TELL
    }
telling:
    TELLING
}

/* ---- Time: the sweep, leases, expiry, and a person who replays ---- */

/* A success on record that no delivery under way will bring: its lease was somebody else's when it came. */
#define LATE_SUCCESS ((said[1] == ACCEPTED || said[TOKENS] == ACCEPTED) && notification != N_SENT && \
    !(delivery == D_SENDING && outcome == ACCEPTED))

#define SWEPT ((EVENT_SWEPT -> bit(EVENT) : 0) | (COMMAND_SWEPT -> COMMANDS : 0) | \
    (RESULT_SWEPT -> RESULTS : 0) | (COMPENSATION_SWEPT -> bit(COMPENSATION) : 0))

#ifndef OUTBOX
active proctype sweep()
{
    byte say = NOTHING;
idle:
    atomic {
#if LATE_SUCCESS_SWEPT && defined(LOSSY)
        (!ENDED || LATE_SUCCESS) ->
        printf("sweep\n");
        if
        :: LATE_SUCCESS -> fold_success()
        :: else -> look()
        fi;
#else
        !ENDED ->
        printf("sweep\n");
        look();
#endif
        say = (SWEPT & bit(OWED) -> OWED : NOTHING);
        THEN_TELL
    }
telling:
    if
    :: atomic { publish(say); say = NOTHING; goto idle }
    :: atomic { !calm -> say = NOTHING; goto idle }
    fi
}

active proctype lease_clock()
{
    do
    :: atomic {
        lease && (!calm || (mine[0] != token && mine[1] != token)) ->
        printf("the lease of token %d runs out\n", token);
        lease = false;
        excused = excused | bit(token)
    }
    od
}
#endif

#ifdef EXPIRY
active proctype expiry_clock()
{
    do
    :: atomic { time == IN_TIME -> printf("it expires\n"); time = EXPIRED }
    :: atomic { time == EXPIRED && !lease -> printf("ten minutes pass\n"); time = PATIENCE_OVER }
    od
}
#endif

#if EPOCHS > 1
active proctype replay()
{
    atomic {
        (notification == N_FAILED || notification == N_UNKNOWN) ->
        printf("a person replays it\n");
        epoch++;
        time = IN_TIME;
        becomes(N_PENDING);
        publish(EVENT)
    }
}
#endif

#if defined(LOSSY) || defined(OUTBOX)
active proctype calm_comes() { printf("from here on all is calm\n"); calm = true }

#ifdef LATE
ltl late { [] (LATE_SUCCESS -> <> (notification == N_SENT)) }
#else
ltl ends { []<> ENDED }
#endif
#endif

#ifdef LOSSY
active proctype losing()
{
    byte m = NOTHING;
    do
    :: atomic {
        (!calm && broker) ->
        choose(m, broker);
        printf("the broker loses message %d\n", m);
        broker = broker & ~bit(m);
        m = NOTHING
    }
    :: calm -> break
    od
}
#endif
