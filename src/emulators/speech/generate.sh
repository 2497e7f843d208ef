#!/bin/sh
# Makes one raw G.711 µ-law file (8 kHz, mono, no header) for each line of lines.tsv. Needs espeak-ng and sox.
set -eu
cd "$(dirname "$0")"
wav=$(mktemp --suffix=.wav)
trap 'rm -f "$wav"' EXIT
while IFS="$(printf '\t')" read -r id voice text; do
    case "$voice" in
        agent) espeak-ng -v en-us+f3 -s 185 -p 55 -w "$wav" "$text" ;;
        caller) espeak-ng -v en-us+m3 -s 180 -p 40 -w "$wav" "$text" ;;
        *) echo "unknown voice $voice of $id" >&2; exit 1 ;;
    esac
    # Both ends are trimmed, so that a line's length is the length of its speech.
    sox -D "$wav" -t raw -e u-law -r 8000 -c 1 "$id.ulaw" gain -n -4 highpass 200 \
        silence 1 0.01 0.5% reverse silence 1 0.01 0.5% reverse gain -n -4
done < lines.tsv
