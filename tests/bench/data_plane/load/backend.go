// The backend: one thread accepts, echoes and answers questions; another, so that a copy cannot delay
// an echo, pours bytes into the connections that ask for them.
package main

import (
	"fmt"
	"runtime"
	"sync/atomic"
	"syscall"
	"unsafe"
)

const (
	stateNew = iota
	stateEcho
	stateSource
	stateControl
)

type backend struct {
	listener int
	echo     *poller
	bulk     *poller
	state    [maxFd]uint8
	// Connections that asked for an echo or a source; probes, which say nothing, do not count.
	sessions int64
	buffer   [64 << 10]byte
}

func runBackend() {
	b := &backend{listener: socket(), echo: newPoller(), bulk: newPoller()}
	local := address([4]byte{127, 0, 0, 1}, 0)
	_, _, errno := syscall.RawSyscall(syscall.SYS_BIND, uintptr(b.listener),
		uintptr(unsafe.Pointer(&local)), unsafe.Sizeof(local))
	if errno != noErrno {
		die("Cannot bind: %v", errno)
	}
	if err := syscall.Listen(b.listener, 8192); err != nil {
		die("Cannot listen: %v", err)
	}
	bound, err := syscall.Getsockname(b.listener)
	if err != nil {
		die("Cannot read the port: %v", err)
	}
	report(map[string]int{"port": bound.(*syscall.SockaddrInet4).Port})
	b.echo.add(b.listener, syscall.EPOLLIN)
	go b.pour()
	runtime.LockOSThread()
	for {
		for _, event := range b.echo.wait(-1) {
			if fd := int(event.Fd); fd == b.listener {
				b.accept()
			} else {
				b.answer(fd)
			}
		}
	}
}

func (b *backend) accept() {
	for range [64]struct{}{} {
		fd, _, errno := syscall.RawSyscall6(syscall.SYS_ACCEPT4, uintptr(b.listener), 0, 0,
			syscall.SOCK_NONBLOCK|syscall.SOCK_CLOEXEC, 0, 0)
		if errno == again {
			return
		}
		if errno == syscall.ECONNABORTED {
			continue
		}
		if errno != noErrno {
			die("Cannot accept: %v", errno)
		}
		if fd >= maxFd {
			die("Cannot keep descriptor %d: expected less than %d", fd, maxFd)
		}
		b.state[fd] = stateNew
		b.echo.add(int(fd), syscall.EPOLLIN)
	}
}

func (b *backend) end(fd int) {
	if b.state[fd] == stateEcho || b.state[fd] == stateSource {
		atomic.AddInt64(&b.sessions, -1)
	}
	closeFd(fd)
}

func (b *backend) answer(fd int) {
	n, errno := receive(fd, b.buffer[:], 0)
	if errno == again {
		return
	}
	if errno != noErrno || n == 0 {
		b.end(fd)
		return
	}
	if b.state[fd] == stateNew {
		b.begin(fd, b.buffer[0])
	}
	switch b.state[fd] {
	case stateEcho:
		// An echo never waits for room: the client has one small message under way at a time.
		if sent, errno := send(fd, b.buffer[:n]); errno != noErrno || sent != n {
			b.end(fd)
		}
	case stateControl:
		b.obey(fd, b.buffer[0])
	}
}

func (b *backend) begin(fd int, first byte) {
	switch first {
	case askEcho:
		b.state[fd] = stateEcho
		atomic.AddInt64(&b.sessions, 1)
	case askSource:
		b.state[fd] = stateSource
		atomic.AddInt64(&b.sessions, 1)
		b.echo.control(syscall.EPOLL_CTL_DEL, fd, 0)
		b.bulk.add(fd, syscall.EPOLLOUT)
	default:
		b.state[fd] = stateControl
	}
}

func (b *backend) obey(fd int, command byte) {
	answer := ""
	switch command {
	case askCount:
		answer = fmt.Sprintf(`{"sessions":%d}`, atomic.LoadInt64(&b.sessions))
	case askRealtime, askNormal:
		answer = fmt.Sprintf(`{"done":%v}`, realtime(command == askRealtime))
	default:
		b.end(fd)
		return
	}
	send(fd, []byte(answer+"\n"))
}

// pour sends without end to every connection of the bulk poller, a bounded amount at a turn.
func (b *backend) pour() {
	runtime.LockOSThread()
	chunk := make([]byte, 256<<10)
	for {
		for _, event := range b.bulk.wait(-1) {
			fd := int(event.Fd)
			for range [4]struct{}{} {
				_, errno := send(fd, chunk)
				if errno == again {
					break
				}
				if errno != noErrno {
					b.end(fd)
					break
				}
			}
		}
	}
}
