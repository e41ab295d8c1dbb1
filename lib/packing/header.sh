#!/bin/sh
# compute-lb, the balancer in one file. What you read is its header: at the first start it unpacks
# the program that follows it into a cache, at every start it becomes that program (exec: same
# process, same signals, same exit code).
#
#   compute-lb --unpack-only     unpacks, prints where, and starts nothing
#
# The cache is the first of these that is set, or can be written:
#   $CLB_RUNTIME_DIR, $CACHE_DIRECTORY (systemd), /var/cache/compute-lb (root; others use what root
#   has unpacked there), $XDG_CACHE_HOME/compute-lb, ~/.cache/compute-lb, $TMPDIR/compute-lb-UID
set -eu

# What would end the program before it can listen to signals. Signals that are ignored stay so through
# exec, until the program asks for them: a service reads its configuration after a HUP that comes now.
trap '' USR1 USR2
called=${0##*/}
case $called in
  # lbtk's names: the program knows what they stand for.
  proxy-tcp | proxy-tcp-splice) command=proxy ;;
  gen | echo-tcp | echo-tcp-splice | refresh-*) command=$called ;;
  *) command=${1-} ;;
esac
case $command in
  run | agent | proxy | gen | '') service=yes ;;
  --version | -V | --help | -h) service=no ;;
  -*) service=yes ;;
  *) service=no ;;
esac
[ "$service" = no ] || trap '' HUP

version='@VERSION@'
digest='@DIGEST@'
payload_start='@PAYLOAD_START@'
unpacked_mib='@UNPACKED_MIB@'

system_cache=/var/cache/compute-lb
key=$version-$(printf '%.16s' "$digest")
why=

die() {
  printf '%s: %s\n' "${0##*/}" "$*" >&2
  exit 1
}

# Prints the absolute path of this file. A bare name is what "sh compute-lb" leaves in $0.
locate_self() {
  case $0 in
    /*) printf '%s\n' "$0" ;;
    */*) printf '%s/%s\n' "$(pwd)" "${0#./}" ;;
    *) if [ -f "./$0" ]; then printf '%s/%s\n' "$(pwd)" "$0"; else command -v "$0"; fi ;;
  esac
}

# Tells whether programs in directory $1 can be run without fear: a directory itself (no symbolic
# link to one), owned by us or by root, that nobody else can write. Leaves the reason in $why.
is_trusted() {
  # shellcheck disable=SC2012,SC2046 # the mode and the owner are wanted, in words; stat(1) is not POSIX
  set -- "$1" $(LC_ALL=C ls -ldn "$1" 2>/dev/null)
  case ${2-} in
    d????-??-*) ;;
    d*) why="others can write to it (mode $2)" && return 1 ;;
    l*) why='it is a symbolic link' && return 1 ;;
    '') why='it does not exist' && return 1 ;;
    *) why='it is not a directory' && return 1 ;;
  esac
  [ "$4" = "$uid" ] || [ "$4" = 0 ] || { why="it belongs to user $4" && return 1; }
}

is_unpacked() {
  [ -e "$1/.ok" ] && [ -s "$1/main.js" ] && [ -s "$1/compute-lb" ] && [ -x "$1/compute-lb" ]
}

# Makes directory $1 the cache: returns 1 if that cannot be, ends the program if it must not be.
try_base() {
  if ! [ -e "$1" ] && ! [ -L "$1" ]; then
    (umask "$mask" && mkdir -p "$1") 2>/dev/null ||
      [ -d "$1" ] || { why='it cannot be made' && return 1; }
  fi
  is_trusted "$1" || die "Cannot use $1 as the cache: $why; remove it or set CLB_RUNTIME_DIR"
  if ! is_unpacked "$1/$key" && ! [ -w "$1" ]; then
    why='it cannot be written' && return 1
  fi
  base=$1
}

# A directory of everybody's, where another user could swap ours, is no place for it.
is_safe_parent() {
  # shellcheck disable=SC2012 # as above
  case $(LC_ALL=C ls -ldn "$1/." 2>/dev/null) in
    d????-??-* | d????????[tT]*) ;;
    *) return 1 ;;
  esac
}

choose_base() {
  asked=${CLB_RUNTIME_DIR:-${CACHE_DIRECTORY:-}}
  if [ -n "$asked" ]; then
    [ -n "${CLB_RUNTIME_DIR:-}" ] || asked=${asked%%:*}
    case $asked in
      /*) ;;
      *) die "Cannot use \"$asked\" as the cache: expected an absolute path" ;;
    esac
    try_base "$asked" || die "Cannot use $asked as the cache: $why"
    return
  fi
  if [ "$uid" = 0 ]; then
    ! try_base "$system_cache" || return 0
  elif is_unpacked "$system_cache/$key" && is_trusted "$system_cache"; then
    base=$system_cache
    return
  fi
  case ${XDG_CACHE_HOME:-} in
    /*) ! try_base "$XDG_CACHE_HOME/compute-lb" || return 0 ;;
  esac
  case ${HOME:-} in
    /?*) ! try_base "$HOME/.cache/compute-lb" || return 0 ;;
  esac
  temporary=${TMPDIR:-/tmp}
  ! is_safe_parent "$temporary" || ! try_base "$temporary/compute-lb-$uid" || return 0
  die "Cannot unpack: no cache can be written, not even in $temporary; set CLB_RUNTIME_DIR"
}

# Removes what broken-off starts and other versions have left in the cache, unless it is in use.
prune() {
  running=$(ls -l /proc/[0-9]*/exe 2>/dev/null) || :
  for old in "$base"/.unpack.* "$base"/[0-9]*.[0-9]*.[0-9]*-????????????????; do
    if ! [ -d "$old" ] || [ "$old" = "$base/$key" ]; then continue; fi
    case $old in
      "$base"/.unpack.*)
        pid=${old#"$base"/.unpack.}
        ! kill -0 "${pid%%.*}" 2>/dev/null || continue
        ;;
      *)
        [ -e "$old/.ok" ] || continue
        case $running in *" -> $old/compute-lb"*) continue ;; esac
        ;;
    esac
    rm -rf "$old" 2>/dev/null || :
  done
}

# Tells whether this very file was whole when it was last read to the end: reading it takes a tenth of
# a second. Size, times and inode are kept with what was unpacked from it.
is_verified() {
  [ -n "$stamp" ] && [ -r "$runtime/.verified" ] && read -r known <"$runtime/.verified" &&
    [ "$known" = "$stamp" ]
}

verify() {
  [ -r "$self" ] || die "Cannot read $self"
  found=$(tail -c "+$payload_start" "$self" | sha256sum) || die "Cannot read $self"
  [ "${found%% *}" = "$digest" ] ||
    die "Cannot run $self: the file is damaged (SHA-256 differs), copy it again"
}

# Unpacks into a directory of its own and renames that, so that there is a whole one or none,
# whoever else does the same at this moment.
unpack() {
  umask "$mask"
  fresh=$(mktemp -d "$base/.unpack.$$.XXXXXX") || die "Cannot write to $base"
  trap 'rm -rf "$fresh"' EXIT
  [ "$service" = yes ] || trap 'exit 129' HUP
  trap 'exit 130' INT
  trap 'exit 143' TERM
  tail -c "+$payload_start" "$self" | gzip -dc | (cd "$fresh" && tar -xmf -) ||
    die "Cannot unpack into $base: is it full? $unpacked_mib MiB are needed there"
  if ! answer=$("$fresh/compute-lb" --version 2>&1); then
    [ -x "$fresh/compute-lb" ] ||
      die "Cannot run programs in $base (mounted noexec?): set CLB_RUNTIME_DIR to another place"
    die "Cannot run on this system (Linux with glibc 2.27 or newer, @ARCHITECTURE@, is needed): $answer"
  fi
  # The files must be on the disk before the name is: after a power cut there must be no half.
  sync "$fresh/compute-lb" "$fresh/main.js" 2>/dev/null || :
  printf '%s\n' "$digest" >"$fresh/.ok"
  [ "$uid" != 0 ] || chmod 755 "$fresh"
  if ! mv -T "$fresh" "$runtime" 2>/dev/null && ! is_unpacked "$runtime"; then
    # Something has eaten at the old one (a cleaner of /tmp): out of the way with it.
    mv -T "$runtime" "$fresh.broken" && mv -T "$fresh" "$runtime" || is_unpacked "$runtime" ||
      die "Cannot write to $base"
  fi
  rm -rf "$fresh" "$fresh.broken"
  trap - EXIT HUP INT TERM
  prune
}

main() {
  # In a directory that was removed under us Deno would not start.
  case ${PWD-} in
    /*) [ -d "$PWD" ] || cd / ;;
    *) cd / ;;
  esac
  self=$(locate_self) || die "Cannot find $0"
  uid=$(id -u)
  # Everybody runs what root has unpacked, and the program itself when it has become another user.
  mask=077
  [ "$uid" != 0 ] || mask=022
  choose_base
  runtime=$base/$key
  stamp=$(TZ=UTC0 stat -Lc '%d %i %s %y %z' "$self" 2>/dev/null) || stamp=
  is_verified || verify
  is_unpacked "$runtime" || (unpack) || exit
  is_verified || ! [ -w "$runtime" ] || (umask "$mask" && echo "$stamp" >"$runtime/.verified")
  if [ "${1-}" = --unpack-only ]; then
    printf '%s\n' "$runtime"
    exit 0
  fi
  COMPUTE_LB_SELF=$self
  COMPUTE_LB_CALLED_AS=$called
  # A service may become another user, which must not hold root's caches open. It starts without
  # them; in a path below a file none can be made.
  set -- "$runtime/main.js" "$@"
  DENO_DIR=$runtime/deno
  if [ "$service" = yes ]; then
    DENO_DIR=/dev/null/none
    set -- --no-code-cache "$@"
  fi
  DENO_NO_PACKAGE_JSON=1
  DENO_NO_UPDATE_CHECK=1
  export COMPUTE_LB_SELF COMPUTE_LB_CALLED_AS DENO_DIR DENO_NO_PACKAGE_JSON DENO_NO_UPDATE_CHECK
  # The runtime dies of a HUP between the instant at which it asks for signals and the one at which it
  # knows our listener, and for USR1 it opens its inspector. GNU's env keeps HUP waiting until the program lets
  # it in, and the others for good: the program ignores them.
  block=
  if [ "$service" = yes ] && env --block-signal=HUP,USR1,USR2 true 2>/dev/null; then
    block='env --block-signal=HUP,USR1,USR2'
  fi
  # shellcheck disable=SC2086 # words are meant
  exec $block "$runtime/compute-lb" run -A --no-config --no-lock --no-npm --no-remote --cached-only \
    --no-prompt --no-check --v8-flags=@V8_FLAGS@ "$@"
}

main "$@"
exit 1
