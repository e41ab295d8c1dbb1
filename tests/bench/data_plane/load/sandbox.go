// The bench's own network namespace: its loopback carries nobody else's traffic, has the ports for
// 10,000 sessions, and keeps no TIME_WAIT, so that no rival suffers from what ran before it.
package main

import (
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"unsafe"
)

const networkVariable = "COMPUTE_LB_BENCH_NETWORK"

// enterSandbox becomes the command, inside the namespace where that is permitted; the environment says
// whether it was: "own" or "shared".
func enterSandbox(command []string) {
	if len(command) == 0 {
		die(usage)
	}
	program, err := exec.LookPath(command[0])
	if err != nil {
		die("Cannot run %q: %v", command[0], err)
	}
	// The namespace is the thread's, and exec keeps that of the thread which calls it.
	runtime.LockOSThread()
	network := "shared"
	if syscall.Unshare(syscall.CLONE_NEWNET) == nil {
		raiseLoopback()
		tune("/proc/sys/net/ipv4/tcp_max_tw_buckets", "0")
		tune("/proc/sys/net/ipv4/ip_local_port_range", "10240 65535")
		tune("/proc/sys/net/core/somaxconn", "8192")
		network = "own"
	}
	environment := append(os.Environ(), networkVariable+"="+network)
	die("Cannot run %q: %v", program, syscall.Exec(program, command, environment))
}

func tune(path, value string) {
	if err := os.WriteFile(path, []byte(value), 0); err != nil {
		die("Cannot write %q to %s: %v", value, path, err)
	}
}

// raiseLoopback sets lo up (netdevice(7): SIOCGIFFLAGS, SIOCSIFFLAGS).
func raiseLoopback() {
	fd := socket()
	defer closeFd(fd)
	request := struct {
		name  [16]byte
		flags uint16
		_     [22]byte
	}{}
	copy(request.name[:], "lo")
	for _, call := range []uintptr{syscall.SIOCGIFFLAGS, syscall.SIOCSIFFLAGS} {
		_, _, errno := syscall.Syscall(syscall.SYS_IOCTL, uintptr(fd), call,
			uintptr(unsafe.Pointer(&request)))
		if errno != noErrno {
			die("Cannot set the loopback up: %v", errno)
		}
		request.flags |= syscall.IFF_UP
	}
}
