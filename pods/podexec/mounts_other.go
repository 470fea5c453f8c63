//go:build !linux

package podexec

import "syscall"

// mountable: only Linux has mount namespaces, and commands run without.
const mountable = false

// attributes has nothing to give.
func attributes(bool) *syscall.SysProcAttr { return nil }

// Enter says that there is nothing to enter.
func Enter([]string) error { return errNoMounts }
