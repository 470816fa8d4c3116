# shellcheck shell=bash
# Debian in directories: to build in, and to boot. Sourced after common.sh; needs root.

# shellcheck disable=SC2154 # of common.sh
chroots=$(realpath -m "$target_dir")/chroots

need_root() {
  [[ $(id -u) == 0 ]] || die "this makes chroots and boots machines, which only root may do" "run it again with sudo"
}

# The mirror that this machine's own apt uses; Debian's own where it uses none.
mirror() {
  local uri
  # shellcheck disable=SC2016 # apt's own words
  uri=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 2>/dev/null |
    sed -n 's#^\(https\{0,1\}://[^ ]*/debian\)/*$#\1#p' | head -n 1)
  echo "${uri:-http://deb.debian.org/debian}"
}

# sources RELEASE: its lines of sources.list, security updates included.
sources() {
  local at
  at=$(mirror)
  printf 'deb %s %s main\n' "$at" "$1" "$at" "$1-updates"
  printf 'deb %s %s-security main\n' "$at-security" "$1"
}

# A download may fail once.
bootstrap() {
  local into=$1 release=$2 tries=0
  shift 2
  mkdir -p "$chroots"
  until mmdebstrap --mode=root --quiet --aptopt='APT::Install-Recommends "false"' --aptopt='Acquire::Retries "5"' \
    --dpkgopt=force-unsafe-io --skip=cleanup/apt/lists "$@" "$release" "$into.new" - < <(sources "$release"); do
    rm -rf "$into.new"
    ((++tries < 3)) || return 1
    say "mmdebstrap failed; once more"
  done
  rm -rf "$into"
  mv "$into.new" "$into"
}

# within ROOT [OPTION…] -- COMMAND…: runs it there, with this machine's network.
within() {
  local root=$1 options=()
  shift
  while [[ $1 != -- ]]; do options+=("$1") && shift; done
  shift
  systemd-nspawn --quiet --register=no --keep-unit --as-pid2 --pipe --resolv-conf=replace-host --timezone=off \
    --setenv=DEBIAN_FRONTEND=noninteractive --setenv=LC_ALL=C.UTF-8 "${options[@]}" -D "$root" "$@"
}

# A root like another one, sharing what both have: layer NAME BASE prints where it is mounted. Ends with `unlayer NAME`.
layer() {
  local name=$1 base=$2
  unlayer "$name"
  mkdir -p "$chroots/layers/$name"/{upper,work,root}
  mount -t overlay overlay -o "lowerdir=$base,upperdir=$chroots/layers/$name/upper,workdir=$chroots/layers/$name/work" \
    "$chroots/layers/$name/root"
  echo "$chroots/layers/$name/root"
}

unlayer() {
  local at="$chroots/layers/$1"
  ! mountpoint -q "$at/root" || umount "$at/root"
  rm -rf "$at"
}
