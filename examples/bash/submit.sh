#!/usr/bin/env bash
# Submits a document, waits for its end and prints the result as JSON.
#
#   EXTRACTQ_SERVER=http://127.0.0.1:8080 examples/bash/submit.sh tax_forms examples/tax_form.pdf
#
# EXTRACTQ_API_KEY is the API key, where the server wants one. The document's
# digest is its Idempotency-Key: the same command again, after whatever has
# happened, gives the same extraction and never a second one.
set -euo pipefail
type=$1 document=$2
server=${EXTRACTQ_SERVER:-http://127.0.0.1:8080}

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

# authorize is the API key as a file for curl: a list of processes must not
# show it.
authorize() { printf '%s\n' "${EXTRACTQ_API_KEY:+header = \"Authorization: Bearer $EXTRACTQ_API_KEY\"}"; }

# call PATH ARGUMENT… makes one call, and repeats it while the server is away or
# busy. The answer is in body and headers.
call() {
  local path=$1
  shift
  if ! curl --silent --show-error --fail-with-body --retry 5 --retry-connrefused --max-time 120 \
    --config <(authorize) \
    --output "$tmp/body" --dump-header "$tmp/headers" "$@" "$server$path"; then
    [[ ! -s $tmp/body ]] || cat "$tmp/body" >&2
    return 1
  fi
}

# header NAME prints a header of the last answer.
header() { tr -d '\r' <"$tmp/headers" | sed -n "s/^$1: //Ip" | tail -n 1; }

key=$( (echo "$type" && cat "$document") | sha256sum | cut -d ' ' -f 1)
call /v1/extractions --header "Idempotency-Key: $key" \
  --form-string "type=$type" --form "document=@\"$document\""
location=$(header Location)
echo "submitted: $location" >&2

# An answer about what is not final says when to look again. Each call waits up to
# a minute on its own.
while [[ -n $(header Retry-After) ]]; do
  call "$location?wait=60s"
done

# There is no result where the extraction has ended without SUCCESS:
# the extraction itself says why.
if ! call "$location/result"; then
  call "$location"
  cat "$tmp/body" >&2
  exit 1
fi
cat "$tmp/body"
