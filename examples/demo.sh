#!/bin/sh
# Trains the untouched scripts of this folder under `autolog run`, then looks at what was recorded.
# Runs go to $AUTOLOG_DIR, by default .autolog of this repository, into the project "demo".
# BIN: the directory of the `autolog` command, where it is not on the PATH.
set -eu
PATH="${BIN:+$BIN:}$PATH"
cd "$(dirname "$0")"
export AUTOLOG_PROJECT="${AUTOLOG_PROJECT:-demo}"

step() {
    line=
    for word in "$@"; do
        case $word in *[!A-Za-z0-9_./~=,-]*) word="\"$word\"" ;; esac
        line="$line $word"
    done
    printf '\n\033[1m$%s\033[0m\n' "$line"
    "$@"
}

step autolog run sklearn_digits.py --C 0.1
step autolog run sklearn_digits.py --C 10
step autolog run lightning_mlp.py --epochs 10 --lr 0.003
step autolog run lightning_mlp.py --epochs 10 --lr 0.0003

step autolog ls --project "$AUTOLOG_PROJECT"
step autolog ls "args.C > 1" --columns name,args.C,params.svc__kernel
step autolog plot last last~1 val_loss
step autolog diff last~1 last
step autolog show last
