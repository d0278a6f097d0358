# What run.sh is made of: steps with a time limit, a log and a line in the summary. Sourced by run.sh.
#
#   step <seconds> <name> <command...>      runs it, now
#   start <seconds> <name> <command...>     the same, beside others; at most $steps_at_once of them
#   finish                                  waits for all that start() has begun
#
# A step gets the seconds it asks for, or what is left of the whole run's. Nothing that happens in one stops the others: each is processes of
# its own, a hung one is killed, and one that cannot be killed is left behind. summary.txt and summary.json in $out are complete after
# each step, so that a run which is cut off leaves what it has found.

steps_at_once=1
mkdir -p "$out/steps"

# Seconds that are left of the run, never fewer than none.
left() {
    local seconds=$((seconds_in_all - SECONDS))
    echo $((seconds > 0 ? seconds : 0))
}

# bounded <seconds> <command...>: its exit status; 124 if it ran longer.
bounded() {
    local seconds=$1 pid deadline
    shift
    timeout --kill-after=5 "$seconds" "$@" &
    pid=$!
    deadline=$((SECONDS + seconds + 15))
    # A process that waits for a lost device may survive even SIGKILL: then timeout waits forever, and we do not.
    while kill -0 "$pid" 2>/dev/null && ((SECONDS < deadline)); do sleep 0.1; done
    if kill -0 "$pid" 2>/dev/null; then return 124; fi
    wait "$pid"
    local status=$?
    return $((status == 137 ? 124 : status)) # killed
}

# counts <log>: passed, failed and skipped. "succeeded: 7" is how an NUnit program says it, "7 passed, 0 failed" how ours do.
counts() {
    awk '$1 == "succeeded:" { p = $2 } $1 == "failed:" { f = $2 } $1 == "skipped:" { s = $2 }
        /^[0-9]+ passed, [0-9]+ failed$/ { p = $1; f = $3 }
        END { print p + 0, f + 0, s + 0 }' "$1"
}

# culprit <tests>: of a file that the NUnit programs write (HALFBYTE_TEST_LOG), the test that had begun and not ended, or else the first
# that failed.
culprit() {
    [[ -s $1 ]] || return 0
    awk '$1 == "begin" { $1 = ""; open = substr($0, 2) }
        $1 == "end" { open = ""; outcome = $2; $1 = $2 = ""; if (outcome == "Failed" && first == "") first = substr($0, 3) }
        END { print open != "" ? open : first }' "$1"
}

text_of_json() { sed 's/[\\"]/\\&/g' <<<"$1"; }

step() {
    local seconds=$1 name=$2 log=$out/$2.log tests=$out/steps/$2.tests status=0 begin=$EPOCHREALTIME wall p f s word note= line
    shift 2
    ((seconds <= $(left))) || seconds=$(left)
    rm -f "$tests"
    if ((seconds < 5)); then
        status=125 word=left-out wall=0 p=0 f=0 s=0
        : >"$log"
    else
        HALFBYTE_TEST_LOG=$tests bounded "$seconds" "$@" >"$log" 2>&1 || status=$?
        wall=$(awk -v a="$begin" -v b="$EPOCHREALTIME" 'BEGIN { printf "%.1f", b - a }')
        read -r p f s < <(counts "$log")
        case $status in
        0) word=ok ;;
        124) word=too-long ;;
        *) word=FAILED ;;
        esac
        if ((status != 0)); then
            note=$(culprit "$tests")
            # A program that was ended had no time to count.
            [[ $p != 0 || ! -s $tests ]] || p=$(awk '$1 == "end" && $2 == "Passed"' "$tests" | awk 'END { print NR }')
        fi
    fi
    line=$(printf '%-38s %-8s %6s s  %5d passed %5d failed %5d skipped%s' "$name" "$word" "$wall" "$p" "$f" "$s" "${note:+  at $note}")
    printf '{"name": "%s", "status": %d, "seconds": %s, "passed": %d, "failed": %d, "skipped": %d, "at": "%s"}\n' \
        "$name" "$status" "$wall" "$p" "$f" "$s" "$(text_of_json "$note")" >>"$out/steps/all"
    printf '%s\n' "$line" >>"$out/summary.txt"
    printf '%s\n' "$line"
    ((status == 0 || status == 125)) || tail -n 15 "$log"
    write_summary
    return "$status"
}

start() {
    while (($(jobs -rp | awk 'END { print NR }') >= steps_at_once)); do sleep 0.1; done
    step "$@" &
}

finish() { while [[ -n $(jobs -rp) ]]; do sleep 0.1; done; }

# What is in steps/all, as summary.json. Written beside and renamed: steps may end at the same time.
write_summary() {
    local file=$out/steps/summary.$BASHPID
    {
        printf '{\n  "gpu": "%s",\n  "nvcc": "%s",\n  "commit": "%s",\n  "steps": [\n' "$(text_of_json "$gpu")" "$(text_of_json "$nvcc")" \
            "$(text_of_json "$commit")"
        awk '{ printf "%s    %s", (NR > 1 ? ",\n" : ""), $0 }' "$out/steps/all"
        printf '\n  ]\n}\n'
    } >"$file"
    mv -f "$file" "$out/summary.json"
}

failed_steps() { awk '!/"status": (0|125),/' "$out/steps/all" | awk 'END { print NR }'; }
