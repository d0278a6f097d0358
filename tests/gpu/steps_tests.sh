#!/usr/bin/env bash
# Tests of steps.sh: what a run leaves of steps that fail, hang or crash. Prints "N passed, N failed".
set -uo pipefail
out=$(mktemp -d) gpu='a "GPU"' nvcc= commit=abc seconds_in_all=1000
trap 'rm -rf "$out"' EXIT
source "$(dirname "${BASH_SOURCE[0]}")/steps.sh"
: >"$out/steps/all"
passed=0 failed=0

# expect <what> <pattern> <text>
expect() {
    if [[ $3 == $2 ]]; then
        passed=$((passed + 1))
        echo "ok   $1"
    else
        failed=$((failed + 1))
        printf 'FAIL %s: %s\n' "$1" "$3"
    fi
}

expect "counts of our programs" "*ok*12 passed     3 failed*" "$(step 20 ours echo '12 passed, 3 failed')"
expect "counts of an NUnit program" "*7 passed     1 failed     2 skipped" "$(step 20 nunit printf '  failed: 1\n  succeeded: 7\n  skipped: 2\n')"

log_of_a_crash='printf "begin A.B(cuda:0).C\nend Passed A.B(cuda:0).C\nbegin A.B(cuda:0).D(1, 2)\n" >"$HALFBYTE_TEST_LOG"; kill -SEGV $$'
expect "a crash names its test" "*FAILED*1 passed*at A.B(cuda:0).D(1, 2)*" "$(step 20 crash bash -c "$log_of_a_crash" 2>&1)"
log_of_a_failure='printf "begin x.A\nend Passed x.A\nbegin x.B\nend Failed x.B\nbegin x.C\nend Failed x.C\n" >"$HALFBYTE_TEST_LOG"; exit 2'
expect "a failure names the first that failed" "*FAILED*at x.B*" "$(step 20 failure bash -c "$log_of_a_failure")"

begin=$SECONDS
expect "a step that hangs is ended" "*too-long*" "$(step 5 hang sleep 100)"
expect "one that will not be ended, too" "*too-long*" "$(step 5 stubborn bash -c 'trap "" TERM; while :; do sleep 1; done')"
expect "and soon" yes "$( ((SECONDS - begin < 30)) && echo yes || echo "$((SECONDS - begin)) seconds")"

begin=$SECONDS steps_at_once=3
for i in 1 2 3; do start 20 "beside-$i" sleep 2 >/dev/null; done
finish
expect "steps run beside each other" yes "$( ((SECONDS - begin < 6)) && echo yes || echo "$((SECONDS - begin)) seconds")"

seconds_in_all=$SECONDS
expect "no time is left out aloud" "*left-out*" "$(step 20 late false)"
expect "the summary has a line per step" 10 "$(awk 'END { print NR }' "$out/summary.txt")"
expect "what has failed is counted" 4 "$(failed_steps)"
summary=$(cat "$out/summary.json")
expect "JSON says the same" '*"gpu": "a \\"GPU\\""*"name": "ours", "status": 0*"name": "late", "status": 125*]*}' "$summary"
if command -v python3 >/dev/null; then
    expect "and is JSON" 10 "$(python3 -c 'import json, sys; print(len(json.load(open(sys.argv[1]))["steps"]))' "$out/summary.json" 2>&1)"
fi
printf '%d passed, %d failed\n' "$passed" "$failed"
((failed == 0))
