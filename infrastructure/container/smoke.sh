#!/bin/sh
# Post one event to a Carillon that runs, and read the mail: sh infrastructure/container/smoke.sh [address] [header]
set -eu
address=${1:-http://localhost:8000}
header=${2:-X-Smoke: test}
mark="smoke-$(date +%s)-$$"
event='{"event_type": "order_created", "user_id": 1, "data": {"message": "'$mark'", "preferred_channel": "email"}}'

ask() {
    curl --silent --show-error --fail-with-body --max-time 20 --header "$header" "$@"
}

said=$(ask --retry 60 --retry-delay 2 --retry-all-errors --header "Content-Type: application/json" \
    --data "$event" "$address/events")
id=$(printf '%s' "$said" | sed -n 's/.*"id": *"\([^"]*\)".*/\1/p')
[ -n "$id" ] || { echo "smoke: no id in $said" >&2; exit 1; }

tries=60
until ask "$address/api/v1/notifications/$id" | grep -q '"status": *"sent"'; do
    tries=$((tries - 1))
    [ "$tries" -gt 0 ] || { echo "smoke: $id was not sent" >&2; ask "$address/api/v1/notifications/$id" >&2; exit 1; }
    sleep 1
done

ask "$address/sandbox/messages" | grep -q "$mark" || { echo "smoke: $id was sent, and no mail is there" >&2; exit 1; }
echo "smoke: $id was sent, and its mail is there"
