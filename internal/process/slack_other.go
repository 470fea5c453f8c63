//go:build !linux

package process

import "os/exec"

// StartCalmly starts a command. The system combines timers as it sees fit.
func StartCalmly(cmd *exec.Cmd) error { return cmd.Start() }
