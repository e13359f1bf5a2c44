#!/usr/bin/env bash
# Makes the prompts of sounds/prompts/ from the texts beside this script.
#
#   tools/prompts/make.sh [en|fr|tones]...     everything when nothing is named
#
# Needs Debian's flite (English, voice slt), espeak-ng (French) and sox. Every prompt becomes
# 8 kHz mono 16-bit WAV with a plain header, limited to the telephone band, its active speech at
# LEVEL dB below full scale unless its peak would pass PEAK, with 50 ms of silence at both ends.
# Nothing is dithered and nothing is random: the same packages give the same bytes.
set -euo pipefail

LEVEL=-22 # dBov of active speech: RFC 7874 section 4, RMS 2600 of 32768
PEAK=-3   # dB below full scale

here=$(cd "$(dirname "$0")" && pwd)
out=$here/../../sounds/prompts
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

need() {
    command -v "$1" >/dev/null || { echo "make.sh: $1 is missing: apt-get install $2" >&2; exit 1; }
}

# Level of the speech alone: pauses and the silence around it are not counted.
active_rms() {
    sox "$1" -n silence -l 1 0.02 1% -1 0.05 1% stats 2>&1 | awk '/^RMS lev dB/ { print $4 }'
}

# trim IN OUT: cut where the voice at its full band is silent; an "s" is all above the telephone's.
trim() {
    sox -D "$1" -e floating-point -b 32 "$2" remix - norm -1 \
        silence 1 0.005 0.5% reverse silence 1 0.005 0.5% reverse gain -11
}

# band LANGUAGE IN OUT: to the telephone's rate and band. The rise towards 3 kHz is that of a
# telephone's microphone (ITU-T P.48); without it consonants of a voice made for loudspeakers are
# lost. The English voice is the duller of the two.
band() {
    local rise=6
    if [[ $1 == en ]]; then rise=10; fi
    sox -D "$2" -e floating-point -b 32 "$3" pad 0.1 0.1 treble +$rise 2300 \
        rate -v 8000 sinc -a 80 -t 60 120-3700 trim 0.1 -0.1 norm -1
}

# finish IN OUT: from a peak of -1 dB to the level, pad, write as every player accepts it.
finish() {
    local rms gain
    rms=$(active_rms "$1")
    gain=$(awk -v rms="$rms" -v level=$LEVEL -v peak=$PEAK \
        'BEGIN { gain = level - rms; if (gain > peak + 1) gain = peak + 1; printf "%.2f", gain }')
    mkdir -p "$(dirname "$2")"
    # The fades end the cut without a click, well inside the consonants' own attack.
    sox -D "$1" -e signed-integer -b 16 -t wavpcm "$2" \
        gain "$gain" fade t 0.004 -0 0.008 pad 0.05 0.05
}

# speak LANGUAGE TEXT OUT: the raw voice.
speak() {
    case $1 in
    # The voice does not know the name; the texts are also printed, so they spell it right.
    en) flite -voice slt -t "${2//Diesis/Dye a sis}" -o "$3" ;;
    fr) espeak-ng -v fr-fr -s 158 -p 42 -g 1 -a 100 -w "$3" "$2" ;;
    esac
}

speech() {
    local language=$1 name text count=0
    while IFS=$'\t' read -r name text; do
        case $name in '' | '#'*) continue ;; esac
        speak "$language" "$text" "$work/voice.wav"
        trim "$work/voice.wav" "$work/trimmed.wav"
        band "$language" "$work/trimmed.wav" "$work/band.wav"
        finish "$work/band.wav" "$out/$language/$name.wav"
        count=$((count + 1))
    done <"$here/$language.txt"
    echo "$language: $count prompts"
}

# A struck bar: a tone with its octave, dying away.
bar() {
    sox -D -n -r 8000 -e floating-point -b 32 "$work/$1.wav" synth "$3" sine "$2" sine "$(awk -v f="$2" 'BEGIN { print f * 2 }')" \
        remix 1v0.8,2v0.2 fade l 0.004 "$3" "$(awk -v d="$3" 'BEGIN { print d - 0.01 }')"
}

# tone NAME GAIN FILE..: the files one after the other.
tone() {
    local name=$1 gain=$2
    shift 2
    sox -D "${@/#/$work/}" -e signed-integer -b 16 -t wavpcm "$out/en/$name.wav" \
        norm "$gain" pad 0.02 0.02
}

tones() {
    mkdir -p "$out/en"
    sox -D -n -r 8000 -e floating-point -b 32 "$work/beep.wav" synth 0.25 sine 1000 fade t 0.01 0.25 0.01
    sox -D -n -r 8000 -e floating-point -b 32 "$work/low.wav" synth 0.18 sine 400 fade t 0.01 0.18 0.01 pad 0 0.07
    bar do 523.25 0.16
    bar mi 659.25 0.16
    bar sol 783.99 0.32
    bar end 523.25 0.32
    tone beep -14 beep.wav
    tone beeperr -14 low.wav low.wav low.wav
    tone confbridge-join -14 do.wav mi.wav sol.wav
    tone confbridge-leave -14 sol.wav mi.wav end.wav
    echo "tones: 4 files"
}

need sox sox
need flite flite
need espeak-ng espeak-ng
for part in "${@:-en fr tones}"; do
    for one in $part; do
        case $one in
        en | fr) speech "$one" ;;
        tones) tones ;;
        *) echo "make.sh: no part named $one (en, fr, tones)" >&2; exit 2 ;;
        esac
    done
done
