// Takes a system's log as syslogd does: binds a unix datagram socket at the path that is its argument, and
// prints each message as a line of JSON. Needs --unstable-net.

const [path = ""] = Deno.args;
await Deno.remove(path).catch(() => {});
const socket = Deno.listenDatagram({ transport: "unixpacket", path });
console.log(JSON.stringify("bound"));
for await (const [message] of socket) {
  console.log(JSON.stringify(new TextDecoder().decode(message)));
}
