# shellcheck shell=bash
# What every script here starts with: strict mode, the repository as current directory, a few words.

set -euo pipefail
# A command that fails within $( ) fails.
shopt -s inherit_errexit
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# The same place cargo takes.
# shellcheck disable=SC2034 # used by those that source this
target_dir=${CARGO_TARGET_DIR:-target}

# rustup's place is often missing from a non-login shell's PATH. Debian's /usr/bin comes after it either way.
if [[ -d ${CARGO_HOME:-${HOME:-/root}/.cargo}/bin ]]; then
  PATH="${CARGO_HOME:-${HOME:-/root}/.cargo}/bin:$PATH"
fi

say() { printf '== %s\n' "$*"; }

# die MESSAGE NEXT_STEP
die() {
  printf 'error: %s\n' "$1" >&2
  [[ $# -lt 2 ]] || printf '  next: %s\n' "$2" >&2
  exit 1
}

# step NAME COMMAND…: runs it and says how long it took.
step() {
  local name=$1 started=$SECONDS
  shift
  say "$name"
  "$@" || die "$name failed after $((SECONDS - started)) s" "see the output above"
  say "$name: $((SECONDS - started)) s"
}

as_root() {
  if [[ $(id -u) == 0 ]]; then "$@"; else sudo "$@"; fi
}
