//go:build linux && (amd64 || arm64)

package diskfault

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"sync"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// supported is found out once: whether the kernel lets a process ask itself. The thread that tries it out is not used again.
var supported = sync.OnceValue(func() error {
	answer := make(chan error)
	go func() {
		runtime.LockOSThread() // and never unlocked: the thread ends with the goroutine, and its filter with it
		listener, err := newListener([]unix.SockFilter{returns(unix.SECCOMP_RET_ALLOW)}, 0)
		if err == nil {
			err = unix.Close(listener)
		}
		answer <- err
	}()
	if err := <-answer; err != nil {
		return fmt.Errorf("faults of disks need Linux 5.7 or newer and a seccomp that may notify this user, which is not so here: %w", err)
	}
	return nil
})

// Supported says why disks cannot have faults here; nil where they can.
func Supported() error { return supported() }

// install has every thread of the process, those to come too, ask about the calls that notified knows, and answers them for as long as
// the process lives.
func (d *Disk) install() error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	listener, err := newListener(filter(), unix.SECCOMP_FILTER_FLAG_TSYNC|unix.SECCOMP_FILTER_FLAG_TSYNC_ESRCH)
	if err != nil {
		return fmt.Errorf("have the process ask about its disk: %w", err)
	}
	go d.answerAll(listener)
	return nil
}

// newListener puts a filter on the calling thread, and on all where flags say so. A process without rights may do so once it can never
// gain any by a program that it runs.
func newListener(program []unix.SockFilter, flags uintptr) (listener int, err error) {
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return 0, err
	}
	compiled := unix.SockFprog{Len: uint16(len(program)), Filter: &program[0]}
	fd, _, errno := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, flags|unix.SECCOMP_FILTER_FLAG_NEW_LISTENER,
		uintptr(unsafe.Pointer(&compiled)))
	runtime.KeepAlive(program)
	if errno != 0 {
		return 0, errno
	}
	return int(fd), nil
}

// writes are the flags with which a file is opened to write, or made.
const writes = unix.O_WRONLY | unix.O_RDWR | unix.O_CREAT | unix.O_TRUNC

// notified are the calls that are asked about. write(2) is not among them: sockets have it too. What it writes is in memory until it is
// synced, and the write-ahead log writes into what was allocated before.
var notified = map[uintptr]func(*notification) Operation{
	unix.SYS_FSYNC:     func(*notification) Operation { return Sync },
	unix.SYS_FDATASYNC: func(*notification) Operation { return Sync },
	unix.SYS_FALLOCATE: func(*notification) Operation { return Grow },
	unix.SYS_MKDIRAT:   func(*notification) Operation { return Grow },
	unix.SYS_FTRUNCATE: func(n *notification) Operation { return n.writesUpTo(n.data.args[1]) },
	unix.SYS_PWRITE64:  func(n *notification) Operation { return n.writesUpTo(n.data.args[2] + n.data.args[3]) },
	unix.SYS_OPENAT: func(n *notification) Operation {
		flags := n.data.args[2]
		if flags&unix.O_CREAT != 0 && flags&(unix.O_EXCL|unix.O_TRUNC) != 0 {
			return Grow // without these flags it is mostly there already, which only its name would tell
		}
		return Rewrite
	},
	unix.SYS_RENAMEAT:  func(*notification) Operation { return Rewrite },
	unix.SYS_RENAMEAT2: func(*notification) Operation { return Rewrite },
	unix.SYS_UNLINKAT:  func(*notification) Operation { return Rewrite },
}

// notification is struct seccomp_notif, with struct seccomp_data in it.
type notification struct {
	id    uint64
	pid   uint32
	flags uint32
	data  struct {
		nr      int32
		arch    uint32
		pointer uint64
		args    [6]uint64
	}
}

// response is struct seccomp_notif_resp.
type response struct {
	id    uint64
	val   int64
	error int32
	flags uint32
}

// writesUpTo says whether a file, the call's first argument, is to end where it does not yet.
func (n *notification) writesUpTo(end uint64) Operation {
	var stat unix.Stat_t
	if unix.Fstat(int(n.data.args[0]), &stat) == nil && end > uint64(stat.Size) {
		return Grow
	}
	return Rewrite
}

// The offsets in struct seccomp_data, of which the values have the lower half first.
const (
	offsetNumber = 0
	offsetArch   = 4
	offsetFlags  = 16 + 2*8 // of openat
)

func load(offset uint32) unix.SockFilter {
	return unix.SockFilter{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: offset}
}

func returns(action uint32) unix.SockFilter {
	return unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: action}
}

// unlike skips so many of the following when the value is not that.
func unlike(value uint32, skip int) unix.SockFilter {
	return unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: value, Jf: uint8(skip)}
}

// filter asks about the calls of notified, of openat only where it writes. The kernel goes through it at every call of the process.
func filter() []unix.SockFilter {
	arch := map[string]uint32{"amd64": unix.AUDIT_ARCH_X86_64, "arm64": unix.AUDIT_ARCH_AARCH64}[runtime.GOARCH]
	allow, ask := returns(unix.SECCOMP_RET_ALLOW), returns(unix.SECCOMP_RET_USER_NOTIF)
	opens := []unix.SockFilter{unlike(unix.SYS_OPENAT, 4), load(offsetFlags),
		{Code: unix.BPF_JMP | unix.BPF_JSET | unix.BPF_K, K: writes, Jf: 1}, ask, allow}
	program := append([]unix.SockFilter{load(offsetArch), {Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: arch, Jt: 1}, allow,
		load(offsetNumber)}, opens...)
	for call := range notified {
		if call != unix.SYS_OPENAT {
			program = append(program, unlike(uint32(call), 1), ask)
		}
	}
	return append(program, allow)
}

// answerAll answers the process' own threads. It lives as long as the process, as the filter does: without it they would get ENOSYS.
func (d *Disk) answerAll(listener int) {
	runtime.LockOSThread() // it waits in the kernel
	for {
		var n notification
		if errno := control(listener, unix.SECCOMP_IOCTL_NOTIF_RECV, unsafe.Pointer(&n)); errno != 0 {
			if !errors.Is(errno, syscall.EINTR) && !errors.Is(errno, syscall.ENOENT) { // ENOENT: who asked has been interrupted
				fmt.Fprintln(os.Stderr, "the process cannot be asked about its disk any more:", errno)
				os.Exit(1)
			}
			continue
		}
		began := time.Now()
		fault, _ := d.now()
		if fault.None() { // most of the time, once a fault has been taken back
			answer(listener, n.id, 0)
			continue
		}
		of := notified[uintptr(n.data.nr)](&n)
		if fault.Latency > 0 && of == Sync {
			go func() { answer(listener, n.id, d.Meet(context.Background(), of, began)) }() // it ends with the latency
			continue
		}
		answer(listener, n.id, d.Meet(context.Background(), of, began))
	}
}

// answer lets a call go on, or fail. One that a signal has interrupted is not there any more: the kernel asks anew when it begins again.
func answer(listener int, id uint64, errno syscall.Errno) {
	r := response{id: id, error: -int32(errno)}
	if errno == 0 {
		r.flags = unix.SECCOMP_USER_NOTIF_FLAG_CONTINUE
	}
	for errors.Is(control(listener, unix.SECCOMP_IOCTL_NOTIF_SEND, unsafe.Pointer(&r)), syscall.EINTR) {
	}
}

func control(listener int, request uintptr, argument unsafe.Pointer) syscall.Errno {
	_, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(listener), request, uintptr(argument))
	return errno
}
