#!/usr/bin/env bash
# GNU parallel and one curl a row, with a job log to go on from: parallel.sh CSV URL ROWS
set -eu
export URL=$2
log=$(mktemp)
trap 'rm -f "$log"' EXIT
ask() {
  curl -s -H 'content-type: application/json' -d "{\"unionid\":\"$1\",\"openid\":\"$2\"}" "$URL"
  echo
}
export -f ask
tail -n +2 "$1" | head -n "$3" |
  parallel --will-cite -j 64 --colsep , --joblog "$log" --resume ask {1} {2} |
  grep -c external_userid_info
