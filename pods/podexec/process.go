package podexec

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"slices"

	"tripod/internal/process"
)

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
	return process.Attend(cmd, o.Stdin, signals)
}

// errNoMounts is the sentence for systems that have no mount namespaces for everybody.
var errNoMounts = errors.New("this system does not let you lay the pod's files over /var/run/secrets for one " +
	"command alone; " +
	"with --no-mounts the command runs without that, and KUBECONFIG and the AWS variables lead to the files")
