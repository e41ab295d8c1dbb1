// System calls on sockets without the Go network poller: one thread, one epoll, no allocation per event.
// Calls that never block go through RawSyscall, which does not tell the scheduler; waiting does.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"syscall"
	"time"
	"unsafe"
)

const (
	message  = 64
	maxFd    = 1 << 17
	edge     = 1 << 31 // EPOLLET, which package syscall has as a negative number
	schedRR  = 2
	nofile   = 65536
	noErrno  = syscall.Errno(0)
	again    = syscall.EAGAIN
	progress = syscall.EINPROGRESS
)

// What a connection's first byte asks of the backend.
const (
	askEcho     = 'E' // send everything back
	askSource   = 'S' // send without end
	askCount    = 'Q' // tell how many sessions stand, as a line of JSON
	askRealtime = 'R' // run the echo thread ahead of everything else
	askNormal   = 'N' // stop doing so
)

func die(format string, values ...any) {
	fmt.Fprintf(os.Stderr, "load: "+format+"\n", values...)
	os.Exit(1)
}

func report(value any) {
	text, err := json.Marshal(value)
	if err != nil {
		die("Cannot write the report: %v", err)
	}
	os.Stdout.Write(append(text, '\n'))
}

// cpuSeconds is the processor time that this process has used.
func cpuSeconds() float64 {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		die("Cannot read the processor time: %v", err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano()).Seconds()
}

// realtime moves the calling thread into or out of SCHED_RR, and says whether it was allowed to.
func realtime(on bool) bool {
	policy, priority := 0, int32(0)
	if on {
		policy, priority = schedRR, 1
	}
	_, _, errno := syscall.RawSyscall(syscall.SYS_SCHED_SETSCHEDULER, 0, uintptr(policy),
		uintptr(unsafe.Pointer(&priority)))
	return errno == noErrno
}

type poller struct {
	fd     int
	events [512]syscall.EpollEvent
}

func newPoller() *poller {
	fd, err := syscall.EpollCreate1(syscall.EPOLL_CLOEXEC)
	if err != nil {
		die("Cannot make an epoll: %v", err)
	}
	return &poller{fd: fd}
}

func (p *poller) control(operation, fd int, events uint32) {
	event := syscall.EpollEvent{Events: events, Fd: int32(fd)}
	_, _, errno := syscall.RawSyscall6(syscall.SYS_EPOLL_CTL, uintptr(p.fd), uintptr(operation),
		uintptr(fd), uintptr(unsafe.Pointer(&event)), 0, 0)
	if errno != noErrno {
		die("Cannot watch descriptor %d: %v", fd, errno)
	}
}

func (p *poller) add(fd int, events uint32) {
	p.control(syscall.EPOLL_CTL_ADD, fd, events)
}

// wait returns what is ready, at the latest after so many milliseconds; -1 waits for ever.
func (p *poller) wait(milliseconds int) []syscall.EpollEvent {
	first := uintptr(unsafe.Pointer(&p.events[0]))
	n, _, errno := syscall.Syscall6(syscall.SYS_EPOLL_PWAIT, uintptr(p.fd), first,
		uintptr(len(p.events)), uintptr(milliseconds), 0, 0)
	if errno != noErrno {
		if errno == syscall.EINTR {
			return nil
		}
		die("Cannot wait for events: %v", errno)
	}
	return p.events[:n]
}

func receive(fd int, buffer []byte, flags int) (int, syscall.Errno) {
	n, _, errno := syscall.RawSyscall6(syscall.SYS_RECVFROM, uintptr(fd),
		uintptr(unsafe.Pointer(&buffer[0])), uintptr(len(buffer)), uintptr(flags), 0, 0)
	return int(n), errno
}

func send(fd int, buffer []byte) (int, syscall.Errno) {
	n, _, errno := syscall.RawSyscall6(syscall.SYS_SENDTO, uintptr(fd),
		uintptr(unsafe.Pointer(&buffer[0])), uintptr(len(buffer)), syscall.MSG_NOSIGNAL, 0, 0)
	return int(n), errno
}

func closeFd(fd int) {
	syscall.RawSyscall(syscall.SYS_CLOSE, uintptr(fd), 0, 0)
}

func shutdownWrite(fd int) {
	syscall.RawSyscall(syscall.SYS_SHUTDOWN, uintptr(fd), syscall.SHUT_WR, 0)
}

func bigEndian(port uint16) uint16 {
	return port<<8 | port>>8
}

func address(host [4]byte, port uint16) syscall.RawSockaddrInet4 {
	return syscall.RawSockaddrInet4{Family: syscall.AF_INET, Port: bigEndian(port), Addr: host}
}

// dialer opens non-blocking connections to one port of 127.0.0.1.
type dialer struct {
	target syscall.RawSockaddrInet4
	// How many addresses 127.0.1.x connections come from, by turns; 0: the kernel's choice.
	sources int
	next    int
}

func newDialer(port, sources int) *dialer {
	return &dialer{target: address([4]byte{127, 0, 0, 1}, uint16(port)), sources: sources}
}

func socket() int {
	fd, _, errno := syscall.RawSyscall(syscall.SYS_SOCKET, syscall.AF_INET,
		syscall.SOCK_STREAM|syscall.SOCK_NONBLOCK|syscall.SOCK_CLOEXEC, 0)
	if errno != noErrno {
		die("Cannot make a socket: %v", errno)
	}
	return int(fd)
}

func (d *dialer) dial() int {
	fd := socket()
	if d.sources > 0 {
		// IP_BIND_ADDRESS_NO_PORT (24): the port is chosen by connect, for this pair of addresses.
		if err := syscall.SetsockoptInt(fd, syscall.IPPROTO_IP, 24, 1); err != nil {
			die("Cannot set IP_BIND_ADDRESS_NO_PORT: %v", err)
		}
		d.next = d.next%d.sources + 1
		source := address([4]byte{127, 0, 1, byte(d.next)}, 0)
		_, _, errno := syscall.RawSyscall(syscall.SYS_BIND, uintptr(fd),
			uintptr(unsafe.Pointer(&source)), unsafe.Sizeof(source))
		if errno != noErrno {
			die("Cannot bind 127.0.1.%d: %v", d.next, errno)
		}
	}
	_, _, errno := syscall.RawSyscall(syscall.SYS_CONNECT, uintptr(fd),
		uintptr(unsafe.Pointer(&d.target)), unsafe.Sizeof(d.target))
	if errno != noErrno && errno != progress {
		die("Cannot connect: %v", errno)
	}
	return fd
}

// dialNow opens a connection and waits until it stands.
func (d *dialer) dialNow() int {
	fd := d.dial()
	p := newPoller()
	defer closeFd(p.fd)
	p.add(fd, syscall.EPOLLOUT)
	if len(p.wait(5000)) == 0 {
		die("Cannot connect: no answer within 5 s")
	}
	failure, err := syscall.GetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_ERROR)
	if err != nil || failure != 0 {
		die("Cannot connect: %v", syscall.Errno(failure))
	}
	return fd
}

// raiseLimit lets this process, and what it becomes, hold as many descriptors as 10,000 sessions need.
func raiseLimit() {
	var limit syscall.Rlimit
	if syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit) != nil || limit.Cur >= nofile {
		return
	}
	wanted := syscall.Rlimit{Cur: nofile, Max: limit.Max}
	if limit.Max < nofile {
		wanted.Max = nofile
	}
	if syscall.Setrlimit(syscall.RLIMIT_NOFILE, &wanted) != nil {
		limit.Cur = limit.Max
		// As many as there may be; whoever needs more says so.
		_ = syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit)
	}
}
