// The load generator of the data plane benches, its backend, and the network namespace both run in.
// Each command prints one line of JSON; bench.ts reads it.
package main

import (
	"flag"
	"os"
	"runtime"
	"runtime/debug"
	"time"
)

const usage = "usage: load backend | sandbox COMMAND... | conns | bulk | ping | hold [flags]"

func main() {
	if len(os.Args) < 2 {
		die(usage)
	}
	raiseLimit()
	if os.Args[1] == "sandbox" {
		enterSandbox(os.Args[2:])
	}
	// What is allocated is allocated at the start; a collection could only disturb.
	debug.SetGCPercent(-1)
	flags := flag.NewFlagSet("load", flag.ExitOnError)
	port := flags.Int("port", 0, "port of 127.0.0.1 to connect to")
	connections := flags.Int("connections", 1, "connections at a time")
	seconds := flags.Float64("seconds", 1, "how long")
	sources := flags.Int("sources", 0, "how many addresses 127.0.1.x to connect from")
	rate := flags.Float64("rate", 0, "bytes a second to take at most; 0: all there are")
	interval := flags.Duration("interval", 0, "one message each so often; 0: one on every connection")
	ahead := flags.Bool("realtime", false, "run ahead of all else, where that is allowed")
	flags.Parse(os.Args[2:])
	length := time.Duration(*seconds * float64(time.Second))
	dialer := newDialer(*port, *sources)
	if os.Args[1] == "backend" {
		runtime.GOMAXPROCS(3)
		runBackend()
	}
	runtime.GOMAXPROCS(1)
	runtime.LockOSThread()
	switch os.Args[1] {
	case "conns":
		runConns(dialer, *connections, length)
	case "bulk":
		runBulk(dialer, *connections, length, *rate)
	case "ping":
		runPing(dialer, *connections, length, *interval, *ahead)
	case "hold":
		runHold(dialer, *connections)
	default:
		die(usage)
	}
}
