#!/usr/bin/env bash
# Counts the instructions that one frame of audio costs in the data plane, and holds them against benches/instructions.tsv.
# Instructions, not seconds: the same on a busy machine as on a quiet one.
#
#   benches/instructions.sh            count and compare (needs `cargo build --release` and valgrind)
#   benches/instructions.sh --record   count and write the file anew
set -euo pipefail
cd "$(dirname "$0")/.."
program=target/release/clearline
budget=benches/instructions.tsv
# A count may be so many hundredths over its budget, which another compiler or C library may cost, and so many under it. Further
# under, the budget is to be lowered, so that it stays one.
over=10
under=20

command -v valgrind >/dev/null || { echo "valgrind is missing: apt-get install valgrind" >&2; exit 1; }

instructions() { # direction format frames
    valgrind --tool=callgrind --callgrind-out-file=/dev/null "$program" bench replay "$@" 2>&1 |
        awk '/Collected/ { print $4; found = 1 } END { exit !found }'
}

per_frame() { # direction format
    local few many
    few=$(instructions "$1" "$2" 500)
    many=$(instructions "$1" "$2" 4500)
    echo $(((many - few) / 4000))
}

cases=("to_agent ulaw_8000" "to_carrier ulaw_8000" "to_agent pcm_16000" "to_carrier pcm_16000")
if [[ ${1:-} == --record ]]; then
    printf '# direction\tformat\tinstructions a frame\n' >"$budget"
    for case in "${cases[@]}"; do
        read -r direction format <<<"$case"
        printf '%s\t%s\t%s\n' "$direction" "$format" "$(per_frame "$direction" "$format")" | tee -a "$budget"
    done
    exit
fi

failed=0
for case in "${cases[@]}"; do
    read -r direction format <<<"$case"
    allowed=$(awk -v d="$direction" -v f="$format" '$1 == d && $2 == f { print $3 }' "$budget")
    [[ -n $allowed ]] || { echo "$budget has no budget for: $case" >&2; exit 1; }
    counted=$(per_frame "$direction" "$format")
    verdict=ok
    if ((counted * 100 > allowed * (100 + over))); then
        verdict="OVER BUDGET" failed=1
    elif ((counted * 100 < allowed * (100 - under))); then
        verdict="FAR UNDER: lower the budget with --record" failed=1
    fi
    printf '%-10s %-10s %6d instructions a frame, budget %6d: %s\n' "$direction" "$format" "$counted" "$allowed" "$verdict"
done
exit "$failed"
