package process

import (
	"errors"
	"io"
	"os"
	"os/exec"
	"slices"
	"syscall"

	"golang.org/x/term"
)

// PassedOn are the signals that a command in the foreground gets when this process gets them.
var PassedOn = []os.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT, syscall.SIGUSR1, syscall.SIGUSR2}

// typed are those that a terminal sends to the command itself, being in the same group: to pass them on would be to
// send them twice.
var typed = []os.Signal{syscall.SIGINT, syscall.SIGQUIT}

// Attend waits for a command that has been started, passes the signals on to it, and returns its exit code. stdin is the
// command's.
func Attend(cmd *exec.Cmd, stdin io.Reader, signals <-chan os.Signal) (int, error) {
	atTerminal := false
	if file, ok := stdin.(*os.File); ok {
		atTerminal = term.IsTerminal(int(file.Fd()))
	}
	done := make(chan error, 1)
	go func() { done <- cmd.Wait() }()
	for {
		select {
		case s := <-signals:
			if !atTerminal || !slices.Contains(typed, s) {
				cmd.Process.Signal(s) // an error is its having ended
			}
		case err := <-done:
			return exitCode(err)
		}
	}
}

// exitCode is what a shell would say of the command's end.
func exitCode(err error) (int, error) {
	var exit *exec.ExitError
	if err == nil || !errors.As(err, &exit) {
		return 0, err
	}
	if status, ok := exit.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		return 128 + int(status.Signal()), nil
	}
	return exit.ExitCode(), nil
}
