#!/bin/sh
# Installs compute-lb, the file beside this script, as a service. Needs root, no network, and nothing
# but a POSIX shell and the usual tools; may be run again at any time (that is how to upgrade). The
# program carries this script: "compute-lb install" runs it.
set -eu

prefix=${PREFIX:-/usr/local}
destdir=${DESTDIR:-}
user=compute-lb
etc=/etc/compute-lb
conf=$etc/lb.conf
state=/var/lib/compute-lb
cache=/var/cache/compute-lb
log=/var/log/compute-lb.log
# How long sessions may go on after "stop" or "restart" before they are cut.
stop_seconds=60
descriptors=524288
# The names of lbtk's programs, each a link to this one with --lbtk.
lbtk_names='refresh-static refresh-file refresh-zk refresh-etcd refresh-dns refresh-oio-cluster.sh
  refresh-oio-proxy.py gen proxy-tcp proxy-tcp-splice echo-tcp echo-tcp-splice'
# What is installed: the balancer, or its agent on compute servers.
service=compute-lb
agent_log=/var/log/compute-lb-agent.log
# How this script is called in messages, and the program to install.
called=./install.sh
source=
# A folder that is removed at the end.
scratch=
# su without "-" leaves out where useradd and its like are.
PATH=$PATH:/usr/sbin:/sbin

usage() {
  cat <<END
usage: $called [--listen ADDRESS] [--backends A,B,...] [--init NAME] [--no-start] [--lbtk]
       $called --agent [--listen ADDRESS] [--init NAME] [--no-start]
       $called --uninstall [--purge]

Installs the program beside this script as a service that starts at boot. Run again to upgrade:
sessions go on, the running balancer stays the old one until it is restarted.

  --agent            on a compute server: install the agent, which tells balancers how busy it is
  --listen ADDRESS   where clients come in (default :22), for the first lb.conf; where the agent
                     listens (default :9777)
  --backends LIST    the compute servers, host[:port][=cores] each, for the first lb.conf
  --init NAME        systemd, openrc, sysv, upstart or none (default: what this system runs)
  --no-start         do not start the service now
  --lbtk             make links by the names of lbtk's programs (gen, proxy-tcp, ...) beside the program
  --uninstall        stop balancer and agent and remove both; configuration, keys and logs stay
  --purge            with --uninstall: remove those and the user $user too
  --help             show this text

An existing $conf is never changed: what --listen and --backends ask for then goes
to lb.conf.new beside it. In the environment: PREFIX (/usr/local), and DESTDIR for an image or a
package: files go below it, no user is made, nothing is started, and the init system is the one found
there, or systemd.
END
}

say() {
  printf '%s\n' "$*"
}

die() {
  printf '%s: %s\n' "${called#./}" "$*" >&2
  exit 1
}

usage_error() {
  printf '%s: %s\n\n' "${called#./}" "$*" >&2
  # All of it would scroll the message away.
  usage | sed '/^$/q' >&2
  printf 'Try "%s --help".\n' "$called" >&2
  exit 64
}

has() {
  command -v "$1" >/dev/null 2>&1
}

# Files are written beside their place first, with this process's number behind their name.
remove_drafts() {
  rm -f "$destdir$prefix/bin/compute-lb.$$" "$destdir/etc"/*/compute-lb*".$$" \
    "$destdir/etc"/*/lb.conf*".$$" "$destdir/etc/systemd/system"/compute-lb*".$$" \
    "$destdir$prefix/share"/*/*/*compute-lb*".$$"
  [ -z "$scratch" ] || rm -rf "$scratch"
}

# Writes stdin to $destdir$1 with mode $2, whole or not at all; a file that is right stays as it is.
put() {
  mkdir -p "$destdir${1%/*}"
  cat >"$destdir$1.$$"
  chmod "$2" "$destdir$1.$$"
  if cmp -s "$destdir$1.$$" "$destdir$1"; then
    rm -f "$destdir$1.$$"
    chmod "$2" "$destdir$1"
  else
    mv -f "$destdir$1.$$" "$destdir$1"
    say "wrote $destdir$1"
  fi
}

# Fills names into a template.
fill() {
  sed -e "s|@program@|$prefix/bin/compute-lb|g" -e "s|@conf@|$conf|g" -e "s|@user@|$user|g" \
    -e "s|@log@|$log|g" -e "s|@cache@|$cache|g" -e "s|@stop_seconds@|$stop_seconds|g" \
    -e "s|@descriptors@|$descriptors|g" -e "s|@agent_conf@|$agent_conf|g" \
    -e "s|@agent_log@|$agent_log|g"
}

# What each init system is known by: the running one, or one whose files are below $destdir.
find_init() {
  if [ -z "$destdir" ]; then
    if [ -d /run/systemd/system ]; then
      echo systemd
    elif [ -e /run/openrc/softlevel ]; then
      echo openrc
    elif has initctl && initctl version 2>/dev/null | grep -q upstart; then
      echo upstart
    elif [ -d /etc/init.d ]; then
      echo sysv
    else
      echo none
    fi
    return
  fi
  for file in lib/systemd/systemd usr/lib/systemd/systemd; do
    [ ! -e "$destdir/$file" ] || { echo systemd && return; }
  done
  if [ -e "$destdir/sbin/openrc-run" ] || [ -e "$destdir/usr/sbin/openrc-run" ]; then
    echo openrc
  elif [ -d "$destdir/etc/init" ]; then
    echo upstart
  elif [ -d "$destdir/etc/init.d" ]; then
    echo sysv
  else
    echo systemd
  fi
}

# Tells whether $1, adduser or addgroup, is BusyBox's. Debian's take other flags, and are no help here:
# they need useradd and groupadd.
is_busybox() {
  "$1" --help 2>&1 | grep -q BusyBox
}

make_group() {
  if has groupadd; then
    groupadd --system "$user"
  else
    is_busybox addgroup && addgroup -S "$user"
  fi
}

make_user_in_group() {
  if has useradd; then
    useradd --system --gid "$user" --home-dir "$state" --no-create-home --shell "$shell" "$user"
  else
    is_busybox adduser && adduser -S -D -H -h "$state" -s "$shell" -G "$user" "$user"
  fi
}

# Says how to make by hand what no program here can make.
die_without_user() {
  id=999
  while grep -q ":$id:" /etc/passwd /etc/group; do id=$((id - 1)); done
  die "Cannot make the $1 $user: expected useradd and groupadd, or BusyBox's adduser and addgroup.
Make the user by hand, then run this again:
  grep -q '^$user:' /etc/group || echo '$user:x:$id:' >>/etc/group
  echo '$user:*:$id:$id::$state:$shell' >>/etc/passwd"
}

make_user() {
  shell=/bin/false
  for file in /usr/sbin/nologin /sbin/nologin; do
    if [ -x "$file" ]; then shell=$file; fi
  done
  if ! grep -q "^$user:" /etc/group; then
    make_group || die_without_user group
  fi
  if ! id "$user" >/dev/null 2>&1; then
    make_user_in_group || die_without_user user
    say "made the user $user"
  fi
}

make_directories() {
  mkdir -p "$destdir$prefix/bin" "$destdir$etc" "$destdir$state" "$destdir$cache"
  # The cache holds the unpacked program, which root may run too: it is root's.
  chmod 755 "$destdir$etc" "$destdir$cache"
  # The home of the service, with the keys that the load source "ssh" uses.
  chmod 750 "$destdir$state"
  if [ -z "$destdir" ]; then
    chown "$user:$user" "$state"
    mkdir -p /run/compute-lb
    chown "$user:$user" /run/compute-lb
  fi
}

# A rename puts the new program over the old one, which goes on running if it runs.
install_program() {
  target=$destdir$prefix/bin/compute-lb
  cmp -s "$source" "$target" && return
  cp "$source" "$target.$$"
  chmod 755 "$target.$$"
  mv -f "$target.$$" "$target"
  say "wrote $target"
  # The first start of a new file reads all of it; root's is remembered for everybody.
  [ -n "$destdir" ] || "$target" --version >/dev/null
}

# Makes links by lbtk's names. What has such a name and is no link to the program stays as it is.
install_links() {
  for name in $lbtk_names; do
    link=$destdir$prefix/bin/$name
    if is_link "$link"; then
      continue
    elif [ -e "$link" ] || [ -L "$link" ]; then
      say "kept $link as it is: it is another program's"
    else
      ln -s compute-lb "$link"
      say "wrote $link"
    fi
  done
}

# Tells whether $1 is a link that install_links has made.
is_link() {
  [ -L "$1" ] && [ "$(readlink "$1")" = compute-lb ]
}

# The manual page and what shells complete, which the program writes itself. One that cannot run here,
# because the image is for another machine, goes without.
install_documents() {
  folder=
  if [ -n "$destdir" ]; then
    # Not to unpack it into this machine's own cache.
    folder=$(mktemp -d) || return 0
    scratch=$folder
  fi
  share=$prefix/share
  install_document "$share/man/man8/compute-lb.8" man
  install_document "$share/bash-completion/completions/compute-lb" completion bash
  install_document "$share/zsh/site-functions/_compute-lb" completion zsh
  install_document "$share/fish/vendor_completions.d/compute-lb.fish" completion fish
}

# Installs as $1 what the program prints when it is given the other arguments.
install_document() {
  path=$1
  shift
  if text=$(CLB_RUNTIME_DIR=${CLB_RUNTIME_DIR:-$folder} "$source" "$@" 2>/dev/null </dev/null); then
    printf '%s\n' "$text" | put "$path" 644
  fi
}

# Prints lb.conf for --listen and --backends.
print_conf() {
  cat <<END
# The configuration of compute-lb. After a change:
#   compute-lb check --config $conf     says what is wrong with it, if anything
#   then reload the service: sessions go on
frontends:
  ssh:
    listen: "${listen:-:22}"
    pool: compute

pools:
  compute:
END
  if [ -z "$backends" ]; then
    cat <<END
    # The compute servers, one a line:
    #   - hoek                                  (the port is that of the frontend)
    #   - { address: "kelvin:22", cores: 24 }
    backends: []
END
    return
  fi
  echo '    backends:'
  echo "$backends" | tr ',' '\n' | while IFS= read -r backend; do
    case $backend in
      *=*) printf '      - { address: "%s", cores: %s }\n' "${backend%=*}" "${backend##*=}" ;;
      *) printf '      - "%s"\n' "$backend" ;;
    esac
  done
}

install_conf() {
  if [ -e "$source_dir/lb.conf.example" ]; then
    put "$etc/lb.conf.example" 644 <"$source_dir/lb.conf.example"
  fi
  if ! [ -e "$destdir$conf" ]; then
    print_conf | put "$conf" 644
  elif [ -n "$listen$backends" ] && ! print_conf | cmp -s - "$destdir$conf"; then
    print_conf | put "$conf.new" 644
    say "kept $destdir$conf as it is; what you asked for is in lb.conf.new beside it"
  fi
}

install_agent_conf() {
  wanted="# Flags of compute-lb agent; compute-lb help agent lists them.
AGENT_OPTIONS=\"--listen ${listen:-:9777}\""
  if ! [ -e "$destdir$agent_conf" ]; then
    printf '%s\n' "$wanted" | put "$agent_conf" 644
  elif [ -n "$listen" ] && [ "$wanted" != "$(cat "$destdir$agent_conf")" ]; then
    say "kept $destdir$agent_conf as it is: write --listen $listen there"
  fi
}

install_systemd() {
  fill <<'END' | put /etc/systemd/system/compute-lb.service 644
[Unit]
Description=compute-lb, load balancer for compute servers
Wants=network-online.target
After=network-online.target nss-lookup.target
StartLimitIntervalSec=30
StartLimitBurst=5

[Service]
Type=exec
EnvironmentFile=-/etc/default/compute-lb
ExecStartPre=@program@ check --config @conf@
ExecStart=@program@ run --config @conf@
# A reload keeps every session. A file with errors is refused, by the check and by the balancer.
ExecReload=@program@ check --config @conf@
ExecReload=/bin/kill -HUP $MAINPID
# Stop and restart: at TERM the balancer takes no new clients and lets sessions go on, until
# shutdown_timeout in lb.conf or, at the latest, shortly before the time below; then it cuts them and
# writes their records. The port is closed meanwhile (and systemd stops before it checks the
# configuration: check by hand before a restart), so a longer time keeps new clients out for longer.
# Change both together, in seconds or as infinity to let everybody finish (systemctl edit compute-lb).
TimeoutStopSec=@stop_seconds@
Environment=CLB_STOP_SECONDS=@stop_seconds@
KillSignal=SIGTERM
KillMode=mixed
Restart=on-failure
RestartSec=1
# Bad configuration, bad usage: trying again does not help.
RestartPreventExitStatus=2 64

User=@user@
Group=@user@
RuntimeDirectory=compute-lb
StateDirectory=compute-lb
StateDirectoryMode=0750
# No CacheDirectory: @cache@ holds the unpacked program and belongs to root, so that
# root can run it without trusting this service.
LimitNOFILE=@descriptors@
OOMScoreAdjust=-500

# Ports below 1024, and nothing else that root can do.
AmbientCapabilities=CAP_NET_BIND_SERVICE
CapabilityBoundingSet=CAP_NET_BIND_SERVICE
NoNewPrivileges=yes
ProtectSystem=strict
ProtectHome=read-only
PrivateTmp=yes
PrivateDevices=yes
ProtectClock=yes
ProtectControlGroups=yes
ProtectHostname=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
ProtectProc=invisible
RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX AF_NETLINK
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
LockPersonality=yes
RemoveIPC=yes
SystemCallArchitectures=native
SystemCallFilter=@system-service @pkey
SystemCallErrorNumber=EPERM
# Not MemoryDenyWriteExecute: JavaScript is compiled while it runs.

[Install]
WantedBy=multi-user.target
END
}

install_sysv() {
  fill <<'END' | put /etc/init.d/compute-lb 755
#!/bin/sh
### BEGIN INIT INFO
# Provides:          compute-lb
# Required-Start:    $network $remote_fs $syslog
# Required-Stop:     $network $remote_fs $syslog
# Should-Start:      $named
# Default-Start:     2 3 4 5
# Default-Stop:      0 1 6
# Short-Description: load balancer for compute servers
# Description:       Hands each new connection to the compute server with the most CPU free.
### END INIT INFO
# chkconfig: 2345 85 15

PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
program=@program@
config=@conf@
pidfile=/run/compute-lb.pid
log=@log@
# Stop and restart: so long after TERM the balancer is killed. Shortly before that, or after
# shutdown_timeout in lb.conf, it cuts the sessions that are left. Reload keeps them all.
stop_seconds=@stop_seconds@
# May set stop_seconds (for the next start), and export CLB_RUNTIME_DIR.
# shellcheck source=/dev/null
if [ -r /etc/default/compute-lb ]; then . /etc/default/compute-lb; fi
export CLB_STOP_SECONDS="$stop_seconds"

is_running() {
  pid=$(cat "$pidfile" 2>/dev/null) || return
  case $(cat "/proc/$pid/stat" 2>/dev/null) in
    "$pid (compute-lb) Z"*) return 1 ;;
    "$pid (compute-lb) "*) return 0 ;;
    *) return 1 ;;
  esac
}

check() {
  "$program" check --config "$config" >/dev/null && return
  echo "compute-lb: errors in $config, nothing was changed" >&2
  return 6
}

start() {
  if is_running; then return 0; fi
  check || return
  mkdir -p /run/compute-lb && chown @user@:@user@ /run/compute-lb
  (umask 027 && : >>"$log")
  # shellcheck disable=SC3045 # no POSIX, but every shell that is /bin/sh on Linux has it
  ulimit -n @descriptors@ 2>/dev/null || ulimit -n "$(ulimit -Hn)"
  # It binds its ports as root, then becomes the user. Neither it nor the shell in front of it forks,
  # so the process that is started here is the balancer.
  cd /
  setsid "$program" run --config "$config" --user @user@ </dev/null >>"$log" 2>&1 &
  echo "$!" >"$pidfile"
  sleep 1
  if is_running; then return 0; fi
  rm -f "$pidfile"
  echo "compute-lb: did not start, the end of $log says why:" >&2
  tail -n 5 "$log" >&2
  return 1
}

stop() {
  is_running || { rm -f "$pidfile" && return; }
  kill -TERM "$pid"
  left=$((stop_seconds * 5))
  while is_running && [ "$left" -gt 0 ]; do
    sleep 0.2
    left=$((left - 1))
  done
  if is_running; then
    echo "compute-lb: killing it, it has not ended within $stop_seconds s" >&2
    kill -KILL "$pid"
    while is_running; do sleep 0.2; done
  fi
  rm -f "$pidfile"
}

reload() {
  is_running || return 7
  check && kill -HUP "$pid"
}

status() {
  if is_running; then
    echo "compute-lb is running (pid $pid)"
  elif [ -e "$pidfile" ]; then
    echo "compute-lb is dead, but $pidfile exists"
    return 1
  else
    echo "compute-lb is not running"
    return 3
  fi
}

case ${1-} in
  start | stop | reload | status) "$1" ;;
  force-reload) reload ;;
  restart) check && stop && start ;;
  try-restart | condrestart) if is_running; then check && stop && start; fi ;;
  *)
    echo "usage: $0 start|stop|restart|try-restart|reload|force-reload|status" >&2
    exit 2
    ;;
esac
END
  install_logrotate
}

install_logrotate() {
  fill <<'END' | put /etc/logrotate.d/compute-lb 644
# The balancer keeps its log open, so the file is copied and emptied.
@log@ {
  weekly
  rotate 8
  compress
  delaycompress
  copytruncate
  missingok
  notifempty
}
END
}

install_openrc() {
  fill <<'END' | put /etc/init.d/compute-lb 755
#!/sbin/openrc-run
# Settings: /etc/conf.d/compute-lb

description="load balancer for compute servers"
extra_commands="check"
extra_started_commands="reload"
description_check="Tells whether the configuration is right"
description_reload="Takes the configuration over; sessions go on"

: "${config:=@conf@}"
: "${log:=@log@}"
# Stop and restart: so long after TERM the balancer is killed. Shortly before that, or after
# shutdown_timeout in lb.conf, it cuts the sessions that are left. Reload keeps them all.
: "${stop_seconds:=@stop_seconds@}"
export CLB_STOP_SECONDS="$stop_seconds"

# Started again when it dies, but not more than five times in half a minute.
supervisor=supervise-daemon
respawn_delay=1
respawn_max=5
respawn_period=30
command=@program@
# It binds its ports as root, then becomes the user.
command_args="run --config $config --user @user@"
output_log=$log
error_log=$log
retry="TERM/$stop_seconds/KILL/5"

depend() {
  need net
  use dns logger
  after firewall
}

check() {
  "$command" check --config "$config" >/dev/null && return
  eerror "errors in $config, nothing was changed"
  return 1
}

start_pre() {
  check || return
  checkpath -q -d -m 0755 -o @user@:@user@ /run/compute-lb
  checkpath -q -f -m 0640 "$log"
  # shellcheck disable=SC3045 # no POSIX, but every shell that is /bin/sh on Linux has it
  ulimit -n @descriptors@ 2>/dev/null || ulimit -n "$(ulimit -Hn)"
}

stop_pre() {
  [ "$RC_CMD" != restart ] || check
}

reload() {
  check || return
  ebegin "Reloading compute-lb"
  supervise-daemon "$RC_SVCNAME" --signal HUP
  eend $?
}
END
  install_logrotate
}

install_upstart() {
  fill <<'END' | put /etc/init/compute-lb.conf 644
description "load balancer for compute servers"

start on (filesystem and net-device-up IFACE!=lo)
stop on runlevel [!2345]

# Started again when it dies, except for bad configuration or usage, which trying again does not help.
respawn
respawn limit 5 30
normal exit 0 2 64 TERM

# Stop and restart: so long after TERM the balancer is killed. Shortly before that, or after
# shutdown_timeout in lb.conf, it cuts the sessions that are left. "reload compute-lb" keeps them all;
# a file with errors is refused by the balancer and the old configuration stays.
kill timeout @stop_seconds@
env CLB_STOP_SECONDS=@stop_seconds@
limit nofile @descriptors@ @descriptors@
console log

pre-start script
  @program@ check --config @conf@ >/dev/null
  mkdir -p /run/compute-lb
  chown @user@:@user@ /run/compute-lb
end script

# It binds its ports as root, then becomes the user.
exec @program@ run --config @conf@ --user @user@
END
}

install_agent_systemd() {
  fill <<'END' | put /etc/systemd/system/compute-lb-agent.service 644
[Unit]
Description=compute-lb agent, tells balancers how busy this server is
Wants=network-online.target
After=network-online.target
StartLimitIntervalSec=30
StartLimitBurst=5

[Service]
Type=exec
EnvironmentFile=-@agent_conf@
ExecStart=@program@ agent $AGENT_OPTIONS
Restart=on-failure
RestartSec=1
RestartPreventExitStatus=64

User=@user@
Group=@user@
CapabilityBoundingSet=
NoNewPrivileges=yes
ProtectSystem=strict
ProtectHome=yes
PrivateTmp=yes
PrivateDevices=yes
ProtectClock=yes
ProtectControlGroups=yes
ProtectHostname=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
LockPersonality=yes
RemoveIPC=yes
SystemCallArchitectures=native
SystemCallFilter=@system-service @pkey
SystemCallErrorNumber=EPERM
# Only the balancer may ask (systemctl edit compute-lb-agent):
#   IPAddressDeny=any
#   IPAddressAllow=10.1.0.1

[Install]
WantedBy=multi-user.target
END
}

install_agent_sysv() {
  fill <<'END' | put /etc/init.d/compute-lb-agent 755
#!/bin/sh
### BEGIN INIT INFO
# Provides:          compute-lb-agent
# Required-Start:    $network $remote_fs $syslog
# Required-Stop:     $network $remote_fs $syslog
# Default-Start:     2 3 4 5
# Default-Stop:      0 1 6
# Short-Description: tells balancers how busy this server is
# Description:       Answers HAProxy's agent-check and HTTP requests with idle CPU and load.
### END INIT INFO
# chkconfig: 2345 85 15

PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
program=@program@
pidfile=/run/compute-lb-agent.pid
log=@agent_log@
AGENT_OPTIONS=
# shellcheck source=/dev/null
if [ -r @agent_conf@ ]; then . @agent_conf@; fi

is_running() {
  pid=$(cat "$pidfile" 2>/dev/null) || return
  case $(cat "/proc/$pid/stat" 2>/dev/null) in
    "$pid (compute-lb) Z"*) return 1 ;;
    "$pid (compute-lb) "*) return 0 ;;
    *) return 1 ;;
  esac
}

start() {
  if is_running; then return 0; fi
  (umask 027 && : >>"$log")
  # It listens as root, then becomes the user. Neither it nor the shell in front of it forks, so the
  # process that is started here is the agent.
  cd /
  # shellcheck disable=SC2086 # words are meant
  setsid "$program" agent --user @user@ $AGENT_OPTIONS </dev/null >>"$log" 2>&1 &
  echo "$!" >"$pidfile"
  sleep 1
  if is_running; then return 0; fi
  rm -f "$pidfile"
  echo "compute-lb-agent: did not start, the end of $log says why:" >&2
  tail -n 5 "$log" >&2
  return 1
}

stop() {
  is_running || { rm -f "$pidfile" && return; }
  kill -TERM "$pid"
  left=50
  while is_running && [ "$left" -gt 0 ]; do
    sleep 0.1
    left=$((left - 1))
  done
  if is_running; then kill -KILL "$pid"; fi
  while is_running; do sleep 0.1; done
  rm -f "$pidfile"
}

status() {
  if is_running; then
    echo "compute-lb-agent is running (pid $pid)"
  elif [ -e "$pidfile" ]; then
    echo "compute-lb-agent is dead, but $pidfile exists"
    return 1
  else
    echo "compute-lb-agent is not running"
    return 3
  fi
}

case ${1-} in
  start | stop | status) "$1" ;;
  restart | force-reload) stop && start ;;
  try-restart | condrestart) if is_running; then stop && start; fi ;;
  *)
    echo "usage: $0 start|stop|restart|try-restart|force-reload|status" >&2
    exit 2
    ;;
esac
END
}

install_agent_openrc() {
  fill <<'END' | put /etc/init.d/compute-lb-agent 755
#!/sbin/openrc-run
# Settings: @agent_conf@

description="tells balancers how busy this server is"
: "${log:=@agent_log@}"

# Started again when it dies, but not more than five times in half a minute.
supervisor=supervise-daemon
respawn_delay=1
respawn_max=5
respawn_period=30
command=@program@
# It listens as root, then becomes the user.
command_args="agent --user @user@ $AGENT_OPTIONS"
output_log=$log
error_log=$log

depend() {
  need net
  after firewall
}

start_pre() {
  checkpath -q -f -m 0640 "$log"
}
END
}

install_agent_upstart() {
  fill <<'END' | put /etc/init/compute-lb-agent.conf 644
description "tells balancers how busy this server is"

start on (filesystem and net-device-up IFACE!=lo)
stop on runlevel [!2345]

respawn
respawn limit 5 30
normal exit 0 64 TERM
console log

# It listens as root, then becomes the user.
script
  AGENT_OPTIONS=
  if [ -r @agent_conf@ ]; then . @agent_conf@; fi
  exec @program@ agent --user @user@ $AGENT_OPTIONS
end script
END
}

register() {
  case $init in
    systemd) systemctl daemon-reload && systemctl enable --quiet "$service.service" ;;
    openrc) rc-update --quiet add "$service" default ;;
    upstart) initctl reload-configuration ;;
    sysv)
      if has update-rc.d; then
        update-rc.d "$service" defaults >/dev/null
      elif has chkconfig; then
        chkconfig --add "$service"
      else
        say "Start /etc/init.d/$service at boot by your system's own means."
      fi
      ;;
  esac
}

# How this system does $1 (start, stop, restart, reload, status) to the service.
service_command() {
  case $init in
    systemd) echo "systemctl $1 $service" ;;
    openrc) echo "rc-service $service $1" ;;
    upstart) echo "initctl $1 $service" ;;
    sysv) echo "/etc/init.d/$service $1" ;;
  esac
}

tell_service() {
  # shellcheck disable=SC2046 # words are meant
  set -- $(service_command "$1")
  "$@"
}

is_service_running() {
  case $init in
    systemd) systemctl --quiet is-active "$service" ;;
    upstart) initctl status "$service" 2>/dev/null | grep -q running ;;
    *) tell_service status >/dev/null 2>&1 ;;
  esac
}

# The last complaint of the service, or else its last word.
last_error() {
  case $init in
    systemd)
      journalctl --sync 2>/dev/null || :
      journalctl "_SYSTEMD_UNIT=$service.service" --no-pager --output=cat --lines=20 2>/dev/null
      ;;
    upstart) tail -n 20 "/var/log/upstart/$service.log" 2>/dev/null ;;
    *) tail -n 20 "/var/log/$service.log" 2>/dev/null ;;
  esac | awk '/Cannot/ { why = $0 } END { print why == "" ? $0 : why }'
}

# Tells who listens on TCP port $1, such as "sshd (pid 812)"; nothing where /proc does not show it.
holder_of() {
  end=$(printf ':%04X' "$1")
  inodes=$(awk -v end="$end" '$4 == "0A" && substr($2, length($2) - 4) == end { print $10 }' \
    /proc/net/tcp /proc/net/tcp6 2>/dev/null) || :
  for inode in $inodes; do
    # shellcheck disable=SC2012 # find(1) of POSIX cannot ask where links lead
    folder=$(ls -l /proc/[0-9]*/fd 2>/dev/null |
      awk -v socket="socket:[$inode]" '/^\/proc/ { folder = $1 } $NF == socket { print folder; exit }')
    pid=${folder#/proc/}
    pid=${pid%%/*}
    [ -n "$pid" ] && echo "$(cat "/proc/$pid/comm") (pid $pid)" && return
  done
}

# Waits until the service does its work. A supervisor starts at once, and again and again, what ends
# a moment later. The agent cannot be asked, nor a balancer without admin socket: they have to last.
is_service_well() {
  if [ "$service" = compute-lb ]; then polls=40; else polls=6; fi
  while [ "$polls" -gt 0 ]; do
    is_service_running || return 1
    if [ "$service" = compute-lb ] && "$program" status --config "$conf" >/dev/null 2>&1; then
      return 0
    fi
    sleep 0.5
    polls=$((polls - 1))
  done
}

# Does $1 (start or restart) and waits until the service is well, or says what is wrong and ends.
start_service() {
  if [ "$service" = compute-lb ] && "$program" status --config "$conf" >/dev/null 2>&1; then
    die "A compute-lb runs on this machine that is not the service (compute-lb status shows it): \
end it, then: $(service_command start)"
  fi
  # What failed before does not count.
  [ "$init" != systemd ] || systemctl reset-failed "$service" 2>/dev/null || :
  if tell_service "$1" && is_service_well; then return; fi
  # Not to be started again and again meanwhile.
  tell_service stop >/dev/null 2>&1 || :
  reason=$(last_error) || :
  reason="${reason:-$(service_command status) and the log may say why}"
  port=$(printf '%s\n' "$reason" |
    sed -n 's/.* on "\{0,1\}[^ "]*:\([0-9]\{1,5\}\)[": ].*already in use.*/\1/p')
  [ -n "$port" ] || die "$service does not run: $reason
Then: $(service_command start)"
  holder=$(holder_of "$port") || :
  case $holder in
    sshd*) move="write \"Port 2222\" into /etc/ssh/sshd_config, restart sshd, and log in there \
(ssh -p 2222) before you close this session" ;;
    systemd*) move="it is a socket unit, such as ssh.socket: systemctl list-sockets shows which, \
systemctl edit changes its ListenStream" ;;
    *) move="make it listen on another port" ;;
  esac
  if [ "$service" = compute-lb ]; then where="listen in $conf"; else where="--listen in $agent_conf"; fi
  die "$service does not run: port $port is taken by ${holder:-another program}
Move that: $move.
Or take another port for $service: $where.
Then: $(service_command start)"
}

# Says what is left to do, and starts the service where nothing is.
finish() {
  if [ "$init" = none ]; then
    if grep -q '^ *backends: \[\]' "$conf"; then
      say "Next: write your compute servers into $conf"
    fi
    say "No init system was found. Run it by hand: $program run --config $conf --user $user"
  elif is_service_running; then
    say "compute-lb is running. After a change of $conf: $(service_command reload)"
    say "The program that was just installed runs after: $(service_command restart)"
    say "(a restart ends the sessions that last longer than $stop_seconds s; a reload ends none)"
  elif grep -q '^ *backends: \[\]' "$conf"; then
    say "Next: write your compute servers into $conf, then: $(service_command start)"
  elif ! "$program" check --config "$conf" >/dev/null; then
    say "Next: mend $conf, then: $(service_command start)"
  elif [ "$start" = no ]; then
    say "Next: $(service_command start)"
  else
    start_service start
    say "compute-lb is running. See where sessions go: compute-lb status"
  fi
}

# The same for the agent: nobody's session goes through it, so an upgrade restarts it.
finish_agent() {
  if [ "$init" = none ]; then
    say "No init system was found. Run it by hand: $program agent --user $user"
  elif is_service_running; then
    start_service restart
    say "The agent is running: $program"
  elif [ "$start" = no ]; then
    say "Next: $(service_command start)"
  else
    start_service start
    say "The agent is running. Its flags are in $agent_conf"
  fi
}

# Lets the program check what --listen and --backends come to, before anything is written. One for another
# machine, which may be put into an image, cannot be asked.
check_conf() {
  if ! "$source" --version >/dev/null 2>&1; then return; fi
  draft=$(mktemp)
  print_conf | sed 's/^    backends: \[\]$/    backends: [backend]/' >"$draft"
  if ! found=$("$source" check --config "$draft" 2>&1); then
    found=$(printf '%s\n' "$found" | sed "s|^$draft:|lb.conf:|")
    rm -f "$draft"
    die "--listen and --backends give an lb.conf with errors, so nothing was changed:
$found"
  fi
  rm -f "$draft"
}

install() {
  [ -f "$source" ] || die "Cannot find the program: expected it beside this script, as $source"
  [ -s "$source" ] || die "Cannot install $source: the file is empty, copy it again"
  if [ "$service" = compute-lb ] && [ -n "$listen$backends" ]; then check_conf; fi
  if [ -z "$destdir" ]; then
    # Also unpacks it, if it is of the kind that unpacks itself, so that the first start is quick. A file
    # that was cut off early may end with 0 and say nothing.
    [ -n "$("$source" --version)" ] || die "Cannot run $source on this system"
    make_user
  fi
  make_directories
  install_program
  [ "$lbtk" = no ] || install_links
  install_documents
  if [ "$service" = compute-lb-agent ]; then
    install_agent_conf
    [ "$init" = none ] || "install_agent_$init"
    if [ -z "$destdir" ]; then
      register
      finish_agent
    else
      say "The agent is installed below $destdir"
    fi
    return
  fi
  install_conf
  case $init in
    systemd) install_systemd ;;
    openrc) install_openrc ;;
    sysv) install_sysv ;;
    upstart) install_upstart ;;
  esac
  if [ -z "$destdir" ]; then
    register
    finish
    return
  fi
  say "compute-lb is installed below $destdir"
  if grep -q '^ *backends: \[\]' "$destdir$conf"; then
    say "Next: write your compute servers into $destdir$conf"
  fi
}

# Removes what is named; what cannot be removed is told at the end.
remove() {
  for path in "$@"; do
    rm -rf "$path" 2>/dev/null || keep "$path"
  done
}

keep() {
  kept="$kept
  $1"
}

unregister() {
  if is_service_running; then tell_service stop || keep "$service, which still runs"; fi
  case $init in
    systemd) systemctl --quiet disable "$service.service" 2>/dev/null || : ;;
    openrc) rc-update --quiet delete "$service" default 2>/dev/null || : ;;
  esac
}

uninstall() {
  kept=
  for service in compute-lb-agent compute-lb; do
    if [ -z "$destdir" ]; then unregister; fi
    remove "$destdir/etc/systemd/system/$service.service" "$destdir/etc/init.d/$service" \
      "$destdir/etc/init/$service.conf"
  done
  remove "$destdir$prefix/bin/compute-lb" "$destdir/etc/logrotate.d/compute-lb" "$destdir$cache" \
    "$destdir$prefix/share/man/man8/compute-lb.8" \
    "$destdir$prefix/share/bash-completion/completions/compute-lb" \
    "$destdir$prefix/share/zsh/site-functions/_compute-lb" \
    "$destdir$prefix/share/fish/vendor_completions.d/compute-lb.fish"
  for name in $lbtk_names; do
    if is_link "$destdir$prefix/bin/$name"; then remove "$destdir$prefix/bin/$name"; fi
  done
  if [ -z "$destdir" ]; then
    case $init in
      systemd) systemctl daemon-reload || : ;;
      upstart) initctl reload-configuration || : ;;
      sysv)
        if has update-rc.d; then
          update-rc.d compute-lb remove || :
          update-rc.d compute-lb-agent remove || :
        fi
        ;;
    esac
    remove /run/compute-lb
  fi
  if [ "$purge" = yes ]; then purge_rest; fi
  [ -z "$kept" ] || die "Cannot remove everything. What is left, of all that was to go:$kept
Run this again when that can be written."
  if [ "$purge" = no ]; then
    tell_kept
  else
    say "Removed compute-lb and all that belonged to it"
  fi
}

# Says what is still there after a removal.
tell_kept() {
  left=
  for path in "$etc" "$state" "$log" "$agent_log" /etc/default/compute-lb /etc/conf.d/compute-lb \
    /etc/default/compute-lb-agent /etc/conf.d/compute-lb-agent; do
    if [ -e "$destdir$path" ]; then left="$left $destdir$path"; fi
  done
  if [ -z "$destdir" ] && id "$user" >/dev/null 2>&1; then left="$left and the user $user"; fi
  say "Removed compute-lb and its agent.${left:+ Kept:$left (--purge removes them)}"
}

purge_rest() {
  remove "$destdir$etc" "$destdir$state" "$destdir/etc/default/compute-lb" \
    "$destdir/etc/conf.d/compute-lb" "$destdir/etc/systemd/system/compute-lb.service.d" \
    "$destdir/etc/default/compute-lb-agent" "$destdir/etc/conf.d/compute-lb-agent" \
    "$destdir/etc/systemd/system/compute-lb-agent.service.d"
  remove "$destdir$log" "$destdir$log".* "$destdir$agent_log"
  if [ -z "$destdir" ] && id "$user" >/dev/null 2>&1; then
    if has userdel; then userdel "$user"; else deluser "$user"; fi || keep "the user $user"
  fi
  if [ -z "$destdir" ] && grep -q "^$user:" /etc/group; then
    if has groupdel; then groupdel "$user"; else delgroup "$user"; fi || keep "the group $user"
  fi
}

# Checks $2, given as option $1, against a pattern: what goes into lb.conf is to be what was meant.
check_words() {
  if [ "$(printf '%s\n' "$2" | wc -l)" -ne 1 ] || ! printf '%s\n' "$2" | grep -Eq "^$3\$"; then
    usage_error "Cannot read \"$2\" as $1: expected $4"
  fi
}

main() {
  umask 022
  action=install init='' listen='' backends='' start=yes purge=no lbtk=no
  while [ $# -gt 0 ]; do
    case $1 in
      --help | -h) usage && exit 0 ;;
      --agent) service=compute-lb-agent ;;
      --uninstall) action=uninstall ;;
      --purge) purge=yes ;;
      --no-start) start=no ;;
      --lbtk) lbtk=yes ;;
      --listen=* | --backends=* | --init=* | --program=*)
        option=$1
        shift
        set -- "${option%%=*}" "${option#*=}" "$@"
        continue
        ;;
      --listen | --backends | --init | --program)
        [ $# -ge 2 ] || usage_error "Option $1 needs a value"
        case $1 in
          --listen) listen=$2 ;;
          --backends) backends=$2 ;;
          --init) init=$2 ;;
          # The program has unpacked this script and says where it is itself.
          --program) source=$2 called='compute-lb install' ;;
        esac
        shift
        ;;
      *) usage_error "Unknown option \"$1\"" ;;
    esac
    shift
  done
  host='(\[[0-9A-Fa-f:.]+(%[A-Za-z0-9]+)?\]|[A-Za-z0-9._-]+)'
  backend="$host(:[0-9]+)?(=[0-9]+(\.[0-9]+)?)?"
  [ -z "$listen" ] || check_words --listen "$listen" "$host?:[0-9]+" '":22" or "address:22"'
  [ -z "$backends" ] ||
    check_words --backends "$backends" "$backend(,$backend)*" 'host[:port][=cores], with commas'
  check_words PREFIX "$prefix" '/[A-Za-z0-9/._+-]*' 'an absolute path'
  if [ -n "$listen" ] && [ "${listen##*:}" -gt 65535 ]; then
    usage_error "Cannot read \"$listen\" as --listen: expected a port up to 65535"
  fi
  if [ "$purge" = yes ] && [ "$action" = install ]; then usage_error "--purge needs --uninstall"; fi
  if [ "$service" = compute-lb-agent ]; then
    [ "$action" = install ] || usage_error "--uninstall removes the agent too: leave --agent out"
    [ -z "$backends" ] || usage_error "--backends is for the balancer, not for --agent"
  fi
  case ${init:=$(find_init)} in
    systemd | openrc | sysv | upstart | none) ;;
    *) usage_error "Cannot read \"$init\" as --init: expected systemd, openrc, sysv, upstart or none" ;;
  esac
  if [ -z "$destdir" ] && [ "$(id -u)" != 0 ]; then die "Run this as root (or with DESTDIR)"; fi
  # Where each init system keeps settings of services.
  case $init in
    openrc) agent_conf=/etc/conf.d/compute-lb-agent ;;
    *) agent_conf=/etc/default/compute-lb-agent ;;
  esac
  program=$prefix/bin/compute-lb
  source_dir=$(cd "$(dirname "$0")" && pwd)
  source=${source:-$source_dir/compute-lb}
  trap remove_drafts EXIT
  trap 'exit 129' HUP
  trap 'exit 130' INT
  trap 'exit 143' TERM
  "$action"
}

main "$@"
