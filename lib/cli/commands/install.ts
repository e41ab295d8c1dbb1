// `compute-lb install`: the installer that the program carries.

import { success } from "../../core/values/result.ts";
import { command } from "../command.ts";

export const install = command({
  name: "install",
  summary: "install this file as a service that starts at boot",
  usage: "install [flags]",
  text: `\
Runs install.sh, which this file carries, as root: it installs the program, its
manual page and its completions, and makes a service for systemd, OpenRC, SysV
init or upstart. Run it again to upgrade: sessions go on, and the running
balancer stays the old one until it is restarted. It never changes an lb.conf
that exists; what --listen and --backends ask for goes to lb.conf.new then.
`,
  flags: [
    { name: "agent", text: "on a compute server: install the agent instead" },
    {
      name: "listen",
      argument: "ADDRESS",
      text: "where clients come in (default: :22), for the first lb.conf; with --agent, where " +
        "the agent listens (default: :9777)",
    },
    {
      name: "backends",
      argument: "LIST",
      text: "the compute servers, host[:port][=cores] each, for the first lb.conf",
    },
    {
      name: "init",
      argument: "NAME",
      text: "systemd, openrc, sysv, upstart or none (default: what this system runs)",
      offers: ["systemd", "openrc", "sysv", "upstart", "none"],
    },
    { name: "no-start", text: "do not start the service now" },
    {
      name: "lbtk",
      text: "make links by the names of lbtk's programs beside the program: called by one of " +
        "them, it does what that one did (compute-lb help lbtk)",
    },
    {
      name: "uninstall",
      text: "stop the service and remove the program; configuration, keys and logs stay",
    },
    { name: "purge", text: "with --uninstall: remove those and the user compute-lb too" },
  ],
  notes: `\
Environment: PREFIX (default: /usr/local), and DESTDIR for an image or a
package: files go below it, no user is made and nothing is started.
`,
  examples: [
    "install --listen :22 --backends hoek,kelvin=24",
    "install --agent",
    "install --uninstall",
  ],
  read: ({ argv }) => success({ argv }),
  run: async ({ argv }) => await (await import("../installer.ts")).runInstaller(argv),
});
