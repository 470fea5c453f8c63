package podexec

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"syscall"

	"golang.org/x/term"
)

// passedOn are the signals that the command gets when this process gets them.
var passedOn = []os.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT, syscall.SIGUSR1,
	syscall.SIGUSR2}

// typed are those that a terminal sends to the command itself, being in the same group: to pass them on would be to
// send them twice.
var typed = []os.Signal{syscall.SIGINT, syscall.SIGQUIT}

// run runs the command and returns its exit code. The command gets the signals, and ends with this process where the
// system can see to that.
func run(o Options, env []string, secrets string, signals <-chan os.Signal) (int, error) {
	runtime.LockOSThread() // whose end would be taken for the process'
	defer runtime.UnlockOSThread()
	cmd := exec.Command(o.Command[0], o.Command[1:]...)
	if !o.NoMounts {
		cmd = exec.Command(o.Executable, slices.Concat(o.Args, []string{secrets}, o.Command)...)
	}
	cmd.SysProcAttr = attributes(!o.NoMounts)
	cmd.Env, cmd.Stdin, cmd.Stdout, cmd.Stderr = env, o.Stdin, o.Stdout, o.Stderr
	if err := cmd.Start(); err != nil {
		if !o.NoMounts {
			return 0, fmt.Errorf("%w: %w", errNoMounts, err)
		}
		return 0, err
	}
	atTerminal := false
	if file, ok := o.Stdin.(*os.File); ok {
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

// errNoMounts is the sentence for systems that have no mount namespaces for everybody.
var errNoMounts = errors.New("this system does not let you lay the pod's files over /var/run/secrets for one " +
	"command alone; " +
	"with --no-mounts the command runs without that, and KUBECONFIG and the AWS variables lead to the files")
