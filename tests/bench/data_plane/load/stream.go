// Bulk copies, and messages that go to and fro on standing connections.
package main

import (
	"sort"
	"syscall"
	"time"
	"unsafe"
)

type bulkReport struct {
	Bytes      int64   `json:"bytes"`
	Seconds    float64 `json:"seconds"`
	CPUSeconds float64 `json:"cpuSeconds"`
}

// How often a copy at a bounded rate takes what is due.
const bulkTick = time.Millisecond

// runBulk takes what the backend sends on so many connections. MSG_TRUNC drops the bytes inside the
// kernel, so that taking them costs little.
func runBulk(d *dialer, streams int, length time.Duration, rate float64) {
	buffer := make([]byte, 1<<20)
	poller := newPoller()
	tick := -1
	fds := make([]int, streams)
	for i := range fds {
		fds[i] = d.dialNow()
		send(fds[i], []byte{askSource})
	}
	if rate > 0 {
		tick = every(bulkTick)
		poller.add(tick, syscall.EPOLLIN)
	} else {
		for _, fd := range fds {
			poller.add(fd, syscall.EPOLLIN)
		}
	}
	var total int64
	take := func(fd int, limit int64) int64 {
		if limit > int64(len(buffer)) {
			limit = int64(len(buffer))
		}
		n, errno := receive(fd, buffer[:limit], syscall.MSG_TRUNC)
		if errno == again {
			return 0
		}
		if errno != noErrno || n == 0 {
			die("Cannot copy: a connection ended after %d bytes in all", total)
		}
		total += int64(n)
		return int64(n)
	}
	begin := time.Now()
	elapsed := time.Duration(0)
	for elapsed < length {
		for _, event := range poller.wait(1000) {
			if int(event.Fd) != tick {
				take(int(event.Fd), int64(len(buffer)))
				continue
			}
			expirations(tick)
			due := int64(rate*time.Since(begin).Seconds()) - total
			for _, fd := range fds {
				for share := due / int64(streams); share > 0; {
					n := take(fd, share)
					if n == 0 {
						break
					}
					share -= n
				}
			}
		}
		elapsed = time.Since(begin)
	}
	report(bulkReport{total, elapsed.Seconds(), cpuSeconds()})
}

// every makes a timer descriptor (timerfd_create(2)) that becomes readable each so often.
func every(interval time.Duration) int {
	const clockMonotonic = 1
	fd, _, errno := syscall.RawSyscall(syscall.SYS_TIMERFD_CREATE, clockMonotonic,
		syscall.O_NONBLOCK|syscall.O_CLOEXEC, 0)
	if errno != noErrno {
		die("Cannot make a timer: %v", errno)
	}
	spec := syscall.NsecToTimespec(interval.Nanoseconds())
	setting := [2]syscall.Timespec{spec, spec}
	_, _, errno = syscall.RawSyscall6(syscall.SYS_TIMERFD_SETTIME, fd, 0,
		uintptr(unsafe.Pointer(&setting)), 0, 0, 0)
	if errno != noErrno {
		die("Cannot set a timer: %v", errno)
	}
	return int(fd)
}

// expirations reads how often a timer went off since it was read last.
func expirations(fd int) uint64 {
	var count uint64
	syscall.RawSyscall(syscall.SYS_READ, uintptr(fd), uintptr(unsafe.Pointer(&count)), 8)
	return count
}

type pingReport struct {
	Count      int     `json:"count"`
	Skipped    int     `json:"skipped"`
	P50        float64 `json:"p50"`
	P99        float64 `json:"p99"`
	Max        float64 `json:"max"`
	Realtime   bool    `json:"realtime"`
	Seconds    float64 `json:"seconds"`
	CPUSeconds float64 `json:"cpuSeconds"`
}

// Samples that are kept; more do not come in the longest run.
const maxSamples = 4 << 20

// runPing measures round trips of 64 bytes on standing connections: paced, one message each interval,
// by turns over the connections and without waiting for answers; or, with no interval, always one
// under way on every connection. Times are microseconds.
func runPing(d *dialer, count int, length, interval time.Duration, ahead bool) {
	var out, in [message]byte
	out[0] = askEcho
	poller := newPoller()
	fds := make([]int, count)
	// By descriptor: when the message under way was sent, nanoseconds after the begin; -1: none is.
	sentAt := make([]int64, maxFd)
	got := make([]int, maxFd)
	for i := range fds {
		fds[i] = d.dialNow()
		sentAt[fds[i]] = -1
	}
	samples := make([]float64, 0, maxSamples)
	allowed := ahead && realtime(true)
	begin := time.Now()
	ask := func(fd int) {
		sentAt[fd] = time.Since(begin).Nanoseconds()
		if n, errno := send(fd, out[:]); errno != noErrno || n != message {
			die("Cannot ping: a connection does not take a message")
		}
	}
	for _, fd := range fds {
		poller.add(fd, syscall.EPOLLIN)
	}
	tick := -1
	if interval > 0 {
		tick = every(interval)
		poller.add(tick, syscall.EPOLLIN)
	} else {
		for _, fd := range fds {
			ask(fd)
		}
	}
	next, skipped := 0, 0
	for time.Since(begin) < length && len(samples) < maxSamples {
		for _, event := range poller.wait(1000) {
			fd := int(event.Fd)
			if fd == tick {
				// Turns that were missed stay so: a burst would measure itself.
				skipped += int(expirations(tick)) - 1
				if fd = fds[next]; sentAt[fd] < 0 {
					ask(fd)
				} else {
					skipped++
				}
				next = (next + 1) % count
				continue
			}
			n, errno := receive(fd, in[:], 0)
			if errno == again {
				continue
			}
			if errno != noErrno || n == 0 {
				die("Cannot ping: a connection ended")
			}
			if got[fd] += n; got[fd] < message {
				continue
			}
			got[fd] = 0
			samples = append(samples, float64(time.Since(begin).Nanoseconds()-sentAt[fd])/1000)
			sentAt[fd] = -1
			if interval == 0 {
				ask(fd)
			}
		}
	}
	seconds := time.Since(begin).Seconds()
	realtime(false)
	if len(samples) == 0 {
		die("Cannot ping: no answer came")
	}
	sort.Float64s(samples)
	at := func(share float64) float64 { return samples[int(share*float64(len(samples)-1))] }
	report(pingReport{len(samples), skipped, at(0.5), at(0.99), at(1), allowed, seconds, cpuSeconds()})
}
