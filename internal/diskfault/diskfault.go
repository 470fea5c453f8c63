// Package diskfault lets a process feel that its disk is slow, failing, full or read-only, without rights that others lack.
package diskfault

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"tripod/api"
)

// The ways in which a disk can fail.
const (
	Failing  = api.DiskFailing  // what is synced fails with EIO
	Full     = api.DiskFull     // what makes a file grow, and a new one, fails with ENOSPC
	ReadOnly = api.DiskReadOnly // what writes fails with EROFS
)

// ways are those in which a disk can fail.
var ways = []string{Failing, Full, ReadOnly}

// Fault is what is wrong with a disk. The zero value: nothing.
type Fault struct {
	// Fails is Failing, Full or ReadOnly. Empty: the disk does not fail.
	Fails string `json:"fails,omitempty"`
	// Latency is how much later a sync begins.
	Latency time.Duration `json:"latency,omitempty"`
}

// None says that nothing is wrong.
func (f Fault) None() bool { return f == Fault{} }

// Settings are what is wrong with a zone's disk from now on. Those with a lower number are older, and come to nothing.
type Settings struct {
	Number int64 `json:"number"`
	Disk   Zone  `json:"disk"`
}

// Zone is what is wrong with a zone's disk.
type Zone struct {
	All Fault `json:"all"`
	// Clusters is what else is wrong for these clusters alone, by their names.
	Clusters map[string]Fault `json:"clusters,omitempty"`
}

// Of is what a cluster feels of it.
func (z Zone) Of(cluster string) Fault {
	fault, own := z.All, z.Clusters[cluster]
	if own.Fails != "" {
		fault.Fails = own.Fails
	}
	if own.Latency != 0 {
		fault.Latency = own.Latency
	}
	return fault
}

// Operation is what a program asks of a disk.
type Operation int

// The operations that a Fault knows.
const (
	Sync    Operation = iota // fsync, fdatasync
	Rewrite                  // a write into what a file has already, a change of its size downwards, an opening to write, a rename
	Grow                     // a write behind the end of a file, its allocation, a new file or directory
)

// Error is what an operation meets once its latency is over; 0: nothing.
func (f Fault) Error(of Operation) syscall.Errno {
	switch {
	case f.Fails == Failing && of == Sync:
		return syscall.EIO
	case f.Fails == Full && of == Grow:
		return syscall.ENOSPC
	case f.Fails == ReadOnly:
		return syscall.EROFS
	}
	return 0
}

// Disk is what all files of this process are on, of which there is one in a process; or what one part of it is on: see Within.
type Disk struct {
	within    bool // nobody is asked about calls
	mu        sync.Mutex
	fault     Fault
	changed   chan struct{} // closed and made anew when the fault changes
	installed bool
}

// New returns a disk with which nothing is wrong.
func New() *Disk { return &Disk{changed: make(chan struct{})} }

// Within returns a disk of a part of this process, with which nothing is wrong. It asks the process about no call: that part asks Meet,
// before each operation.
func Within() *Disk { return &Disk{changed: make(chan struct{}), within: true} }

// Set replaces what is wrong with the disk. From its return on what the process asks of the kernel meets that, also what waits already.
// The first fault makes the process ask itself, from then on, about each of these calls: until then nothing is different.
func (d *Disk) Set(fault Fault) error {
	if fault.Fails != "" && !slices.Contains(ways, fault.Fails) {
		return fmt.Errorf("a disk is not %q: use %s", fault.Fails, strings.Join(ways, ", "))
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if !fault.None() && !d.installed && !d.within {
		if err := d.install(); err != nil {
			return err
		}
		d.installed = true
	}
	if fault != d.fault {
		d.fault = fault
		close(d.changed)
		d.changed = make(chan struct{})
	}
	return nil
}

// now is what is wrong, and a channel that is closed when that changes.
func (d *Disk) now() (Fault, <-chan struct{}) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.fault, d.changed
}

// Meet waits as long as an operation that began at a moment has to, and says what it meets then; 0: nothing. When the disk is well again
// meanwhile, or ctx ends, it returns at once.
func (d *Disk) Meet(ctx context.Context, of Operation, began time.Time) syscall.Errno {
	for {
		fault, changed := d.now()
		late := time.Until(began.Add(fault.Latency))
		if of != Sync || late <= 0 {
			return fault.Error(of)
		}
		timer := time.NewTimer(late)
		select {
		case <-timer.C:
		case <-changed:
			timer.Stop()
		case <-ctx.Done():
			timer.Stop()
			return fault.Error(of)
		}
	}
}
