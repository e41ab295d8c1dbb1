// The help texts: one for the program, one for each command, at most 80 columns wide.

import { REMOTE_COMMAND } from "../load/ssh_remote.ts";
import { FALLBACK_NAMES, STRATEGIES } from "../strategy/registry.ts";
import type { HelpTopic } from "./arguments.ts";
import { wrap } from "./output.ts";

/** The flag's texts begin in this column. */
const TEXT_COLUMN = 29;

/** Names, the first of them the default, as the text of a flag. */
function flagOf(flag: string, [first, ...others]: readonly string[]): string {
  const listed = wrap([`${first} (default)`, ...others].join(", "), 80 - TEXT_COLUMN);
  const lines = listed.split("\n").map((line) => " ".repeat(TEXT_COLUMN) + line.trim());
  return flag.padEnd(TEXT_COLUMN) + lines.join("\n").trimStart();
}

const STRATEGY_FLAG = flagOf("      --strategy NAME", STRATEGIES.map(({ name }) => name));

const CONFIG_FLAGS = `\
  -c, --config FILE          read FILE; flags win over what it says
      --listen ADDR,...      where clients come in: :22, 192.0.2.1:22, [::1]:22,
                             unix:/path; repeatable
      --backends HOST,...    where sessions go: host[:port][=cores]; without a
                             port, the port of --listen; repeatable
${STRATEGY_FLAG}
      --load SOURCE          how load is asked: nrpe (default), ssh, agent,
                             exec, gmond, http, none ("help load": ssh keys)
      --health PROBE         how life is asked: auto (default), tcp,
                             banner, none
      --engine KIND          auto (default), splice, portable
      --user NAME            whom to become once the sockets are bound
      --admin-socket PATH    what status and why ask: auto (default), off, or
                             a path
      --log-level LEVEL      error, warning, info (default), debug
      --log-format FORMAT    text (default), json
      --record PATH          record what placement saw and chose, for simulate;
                             off (default), or a path
      --shutdown-timeout T   how long sessions may go on after TERM: 30s, 1h, or
                             off (default), as long as they last
`;

const PROGRAM = `\
compute-lb: sends every new connection to the compute server with the most CPU
free.

Usage:
  compute-lb [run] --listen ADDR --backends HOST,... [flags]
  compute-lb [run] --config FILE [flags]
  compute-lb COMMAND [flags]

Commands:
  run       balance (the default)
  check     validate the configuration; with --probe, try it
  demo      the balancer on embedded backends, with a live table
  status    ask the running balancer
  why       why a connection landed where it did
  agent     on compute servers: tell balancers how busy this one is
  simulate  what other strategies would have done with recorded sessions
  echo      a test service that sends back what it gets
  help      this text, or that of a command: compute-lb help check
  version   print the version

Flags of run:
${CONFIG_FLAGS}\
  -h, --help                 this text
  -V, --version              print the version

Examples:
  compute-lb --listen :22 --backends hoek,kelvin=24,euler:2222
  compute-lb --config /etc/compute-lb/lb.conf
  compute-lb check --config /etc/compute-lb/lb.conf --probe

Exit codes: 0 done, 1 failed while running, 2 bad configuration, 64 bad usage.
`;

const RUN = `\
Usage: compute-lb [run] [flags]

Listens, and hands every new connection to the backend that the strategy picks.
What stands neither in a flag nor in a file has a default; "compute-lb check
--effective" prints it.

Signals:
  HUP    reads the file again; a bad one changes nothing; opens a recording
         anew that has been rotated away
  TERM   accepts nothing more and leaves with the last session, or after
         --shutdown-timeout
  INT    leaves at once and cuts what stands, as a second TERM does

Flags:
${CONFIG_FLAGS}
Flags about the listener go to the only frontend of the file, those about
backends to its only pool; without any, they make one that is called main.

Examples:
  compute-lb --listen :22 --backends hoek,kelvin=24,euler:2222
  compute-lb --listen :2222 --backends a:22,b:22 --load ssh
  compute-lb run --config /etc/compute-lb/lb.conf --log-level debug
`;

const CHECK = `\
Usage: compute-lb check [flags]

Reads the configuration and tells everything that is wrong with it in one run,
or "ok". Warns of what is sound but has no effect.
Ends with 0 when it is sound, 2 when it is not, and with --probe 1 when an
address cannot be listened on or a backend does not answer as it should.

Flags:
${CONFIG_FLAGS}\
      --probe                would it work? listen on every address for a
                             moment, try the recording, ask every backend once,
                             show the answers
      --effective            print the effective configuration, every default
                             filled in, as an lb.conf

Examples:
  compute-lb check --config /etc/compute-lb/lb.conf
  compute-lb check --listen :22 --backends hoek,kelvin=24 --probe
  compute-lb check --config /etc/compute-lb/lb.conf --effective
`;

const DEMO = `\
Usage: compute-lb demo [flags]

Runs the balancer on backends that it brings along: real sockets, a real load
protocol, invented load. Shows a live table of where sessions land and why.

Flags:
      --seconds N            end after N seconds (default: 20)
      --json                 only the summary, as one JSON object, at the end

Examples:
  compute-lb demo
  compute-lb demo --seconds 60
  compute-lb demo --seconds 5 --json
`;

const STATUS = `\
Usage: compute-lb status [flags]

Asks the running balancer over its admin socket and shows frontends, pools and
backends: health, load, sessions. Without flags, the socket that
/etc/compute-lb/lb.conf names is asked first, then the usual places.

Flags:
  -c, --config FILE          the balancer's file, to learn its socket from
      --admin-socket PATH    the socket itself
      --json                 JSON instead of tables

Examples:
  compute-lb status
  compute-lb status --admin-socket /run/compute-lb/admin.sock --json
`;

const WHY = `\
Usage: compute-lb why [flags]

Asks the running balancer why a connection landed where it did: what every
backend of the pool looked like at that instant, and why each of them won or
lost. Without flags, the last connection. Ends with 1 when there is none to
tell of. The last 1024 are remembered; the access log tells of all.

Flags:
      --last N               the last N connections
      --client ADDR          only of this client: 192.0.2.7:53122, 192.0.2.7, or
                             the beginning of its address, such as 192.0.2
  -c, --config FILE          the balancer's file, to learn its socket from
      --admin-socket PATH    the socket itself
      --json                 JSON instead of text

Examples:
  compute-lb why
  compute-lb why --client 192.0.2.7
  compute-lb why --last 20 --json
`;

const AGENT = `\
Usage: compute-lb agent [flags]

Runs on a compute server and answers how busy it is: to HAProxy's agent-check
and to the load source "agent" with one line, to HTTP requests with JSON. Needs
no privileges and no configuration. While /etc/nologin or /run/nologin is there,
it says "drain": no new sessions. Ends at TERM.

Flags:
      --listen ADDR          where it listens (default: :9777)
      --allow NETWORK,...    who may ask, such as 192.0.2.0/24; without it,
                             anybody; repeatable
      --user NAME            whom to become once it listens

Examples:
  compute-lb agent
  compute-lb agent --listen 10.1.0.7:9777 --allow 10.1.0.1
`;

const SIMULATE = `\
Usage: compute-lb simulate --replay FILE [flags]

Takes a recording (run --record, or log.record) and places its sessions anew,
by one strategy or by all, with the samples and states that the balancer knew.
A session that lands elsewhere takes its load along, at the learnt cost of a
session; all other load stays where it was. Ends with 2 when the file is bad.

Flags:
      --replay FILE          the recording
      --strategy NAME        only this strategy; without, all are compared
      --json                 JSON instead of tables

Examples:
  compute-lb simulate --replay /var/lib/compute-lb/record.jsonl
  compute-lb simulate --replay record.jsonl --strategy least_connections
`;

const ECHO = `\
Usage: compute-lb echo ADDR...

Listens on every address and sends back what it gets: a backend to test with.

Examples:
  compute-lb echo :7001 :7002
  compute-lb echo 127.0.0.1:0
`;

/** In authorized_keys(5) only the quote needs a backslash. */
const FORCED_COMMAND = REMOTE_COMMAND.replaceAll('"', '\\"');

const LOAD = `\
The load source "ssh" takes a login without a password on every server, for the
user that runs the balancer: the service is compute-lb, whose home is
/var/lib/compute-lb. The key below can do nothing but tell the load.

1. On the balancer, make the key and learn the servers' host keys; compare those
   with what the servers themselves say:
     cd /var/lib/compute-lb
     sudo -u compute-lb mkdir -p -m 700 .ssh
     sudo -u compute-lb ssh-keygen -t ed25519 -N "" -f .ssh/id_ed25519
     ssh-keyscan hoek kelvin | sudo -u compute-lb tee -a .ssh/known_hosts

2. On every server, make a user for it (load.ssh.user in lb.conf says which) and
   put the last line below into .ssh/authorized_keys of its home, with the key
   of .ssh/id_ed25519.pub behind it.

3. Try it as the user that it is for:
     sudo -u compute-lb compute-lb check --probe

Examples:
  compute-lb check --listen :2222 --backends hoek:22 --load ssh --probe

restrict,command="${FORCED_COMMAND}" ssh-ed25519 AAAA...
`;

const STRATEGY_TEXTS = STRATEGIES.map(({ name, help }) => wrap(`  ${name}: ${help}.`, 78))
  .join("\n\n");

const STRATEGIES_HELP = `\
The strategy of a pool (--strategy, or strategy in lb.conf) says which server
the next session goes to. Each goes to:

${STRATEGY_TEXTS}

A server that is down, disabled, drained or full gets none, whatever the
strategy. Where the strategy needs a load and no server has a fresh one, the
pool's fallback places:
${wrap(FALLBACK_NAMES.join(", "), 78)}.

Examples:
  compute-lb --listen :22 --backends a,b --strategy least_connections
  compute-lb simulate --replay record.jsonl --strategy two_choices
`;

const HELP = `\
Usage: compute-lb help [COMMAND | load | strategies]

Prints the help of the program or of one command; so does --help behind it.
"help load" tells how to let the service ask servers for their load by ssh,
"help strategies" which server the next session goes to.

Examples:
  compute-lb help
  compute-lb help check
  compute-lb help load
`;

const VERSION = `\
Usage: compute-lb version

Prints the name and the version of the program.

Examples:
  compute-lb version
  compute-lb --version
`;

const TEXTS: Readonly<Record<HelpTopic, string>> = {
  run: RUN,
  check: CHECK,
  demo: DEMO,
  status: STATUS,
  why: WHY,
  agent: AGENT,
  simulate: SIMULATE,
  echo: ECHO,
  load: LOAD,
  strategies: STRATEGIES_HELP,
  help: HELP,
  version: VERSION,
};

/** The help text of a command, or of the program. */
export function usage(topic?: HelpTopic): string {
  return topic === undefined ? PROGRAM : TEXTS[topic];
}
