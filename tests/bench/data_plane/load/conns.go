// Short connections, and sessions that are held: connect, 64 bytes there, 64 bytes back, end.
package main

import (
	"bytes"
	"os"
	"syscall"
	"time"
)

const (
	clientConnecting = iota
	clientAsked
	clientEnding
	clientHeld
)

// Failures after which a run is pointless.
const maxFailures = 1000

// exchanger moves connections through their states; each is in epoll once, edge-triggered.
type exchanger struct {
	dialer  *dialer
	poller  *poller
	state   [maxFd]uint8
	got     [maxFd]uint8
	out, in [message]byte
	// Whether a connection stays once its bytes are back.
	keep bool
	// Under way, complete, and failed connections.
	open, done, failed int
	// The last failure, for the message when there are too many.
	reason string
}

func newExchanger(d *dialer, keep bool) *exchanger {
	x := &exchanger{dialer: d, poller: newPoller(), keep: keep}
	for i := range x.out {
		x.out[i] = byte(askEcho + i)
	}
	return x
}

func (x *exchanger) start() {
	fd := x.dialer.dial()
	if fd >= maxFd {
		die("Cannot keep descriptor %d: expected less than %d", fd, maxFd)
	}
	x.state[fd], x.got[fd] = clientConnecting, 0
	x.open++
	x.poller.add(fd, syscall.EPOLLIN|syscall.EPOLLOUT|edge)
}

func (x *exchanger) fail(fd int, reason string) {
	closeFd(fd)
	x.open--
	x.failed++
	x.reason = reason
	if x.failed > maxFailures {
		die("Cannot exchange: %d connections failed, the last one: %s", x.failed, reason)
	}
}

// advance takes one event of a connection.
func (x *exchanger) advance(fd int, events uint32) {
	switch x.state[fd] {
	case clientConnecting:
		if events&(syscall.EPOLLERR|syscall.EPOLLHUP) != 0 {
			x.fail(fd, "connecting failed")
			return
		}
		if events&syscall.EPOLLOUT == 0 {
			return
		}
		if n, errno := send(fd, x.out[:]); errno != noErrno || n != message {
			x.fail(fd, "sending failed")
			return
		}
		x.state[fd] = clientAsked
	case clientAsked:
		if events&^syscall.EPOLLOUT == 0 {
			return
		}
		n, errno := receive(fd, x.in[:message-int(x.got[fd])], 0)
		if errno == again {
			return
		}
		if errno != noErrno || n == 0 {
			x.fail(fd, "it ended before its answer")
			return
		}
		if first := int(x.got[fd]); !bytes.Equal(x.in[:n], x.out[first:first+n]) {
			x.fail(fd, "the answer is not what was sent")
			return
		}
		x.got[fd] += uint8(n)
		if x.got[fd] < message {
			return
		}
		if x.keep {
			x.state[fd] = clientHeld
			x.done++
			return
		}
		shutdownWrite(fd)
		x.state[fd] = clientEnding
	case clientEnding:
		n, errno := receive(fd, x.in[:], 0)
		if errno == again {
			return
		}
		if errno != noErrno || n != 0 {
			x.fail(fd, "it did not end in the regular way")
			return
		}
		closeFd(fd)
		x.open--
		x.done++
	case clientHeld:
		if events&(syscall.EPOLLERR|syscall.EPOLLHUP) != 0 {
			die("Cannot hold a session: it was ended")
		}
	}
}

type connsReport struct {
	Done       int     `json:"done"`
	Failed     int     `json:"failed"`
	Reason     string  `json:"reason"`
	Seconds    float64 `json:"seconds"`
	CPUSeconds float64 `json:"cpuSeconds"`
}

// runConns keeps so many short connections under way until the time is over, and lets the last ones end.
func runConns(d *dialer, concurrency int, length time.Duration) {
	x := newExchanger(d, false)
	begin := time.Now()
	for i := 0; i < concurrency; i++ {
		x.start()
	}
	running := true
	for x.open > 0 {
		for _, event := range x.poller.wait(1000) {
			x.advance(int(event.Fd), event.Events)
		}
		elapsed := time.Since(begin)
		running = running && elapsed < length
		for running && x.open < concurrency {
			x.start()
		}
		if elapsed > length+5*time.Second {
			x.failed += x.open
			x.reason = "it was still there 5 s later"
			break
		}
	}
	report(connsReport{x.done, x.failed, x.reason, time.Since(begin).Seconds(), cpuSeconds()})
}

// Connections that are being opened at a time, of those that are to be held.
const openingAtOnce = 64

// runHold opens so many sessions, exchanges one message on each, says so and holds them until stdin ends.
func runHold(d *dialer, count int) {
	x := newExchanger(d, true)
	begin := time.Now()
	for x.done < count {
		for x.open < count && x.open-x.done < openingAtOnce {
			x.start()
		}
		for _, event := range x.poller.wait(1000) {
			x.advance(int(event.Fd), event.Events)
		}
		if time.Since(begin) > 30*time.Second {
			die("Cannot hold %d sessions: %d stand after 30 s", count, x.done)
		}
	}
	report(connsReport{x.done, x.failed, x.reason, time.Since(begin).Seconds(), cpuSeconds()})
	for {
		if n, err := os.Stdin.Read(x.in[:]); n == 0 || err != nil {
			break
		}
	}
	for _, event := range x.poller.wait(0) {
		x.advance(int(event.Fd), event.Events)
	}
}
