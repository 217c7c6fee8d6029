#!/usr/bin/env bash
# Prints what changes in a batch, one extraction as JSON a line, until stopped.
#
#   EXTRACTQ_SERVER=http://127.0.0.1:8080 examples/bash/follow.sh monday
#
# EXTRACTQ_API_KEY is the API key, where the server wants one. A stream that breaks
# is resumed behind the last event that was received: nothing is missed.
set -euo pipefail
batch=$1
server=${EXTRACTQ_SERVER:-http://127.0.0.1:8080}

# authorize is the API key as a file for curl: a list of processes must not
# show it.
authorize() { printf '%s\n' "${EXTRACTQ_API_KEY:+header = \"Authorization: Bearer $EXTRACTQ_API_KEY\"}"; }

resume=()
while :; do
  while IFS= read -r line; do
    case $line in
      'id: '*) resume=(--header "Last-Event-ID: ${line#id: }") ;;
      'data: {}') ;; # The server is stopping.
      'data: '*) printf '%s\n' "${line#data: }" ;;
    esac
  done < <(curl --silent --show-error --fail --no-buffer --get --data-urlencode "batch=$batch" \
    --config <(authorize) \
    "${resume[@]}" "$server/v1/events")
  sleep 1
done
