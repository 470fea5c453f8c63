//go:build !linux || !(amd64 || arm64)

package diskfault

import (
	"errors"
	"runtime"
)

// Supported says why disks cannot have faults here; nil where they can.
func Supported() error {
	return errors.New("faults of disks need Linux with seccomp, which " + runtime.GOOS + " on " + runtime.GOARCH + " does not have")
}

func (d *Disk) install() error { return Supported() }
