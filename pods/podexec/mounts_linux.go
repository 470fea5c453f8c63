package podexec

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"syscall"

	"golang.org/x/sys/unix"
)

// mountable says that one command alone can have files in /var/run/secrets.
const mountable = true

// attributes are those of a process that is killed when this thread is gone; with mounts, it has a mount namespace of
// its own, and a user namespace, in which everybody may mount. The user stays who he is; what lets him mount is given
// up before the command runs.
func attributes(mounts bool) *syscall.SysProcAttr {
	attr := &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if mounts {
		attr.Cloneflags = syscall.CLONE_NEWUSER | syscall.CLONE_NEWNS
		attr.UidMappings = []syscall.SysProcIDMap{{ContainerID: os.Getuid(), HostID: os.Getuid(), Size: 1}}
		attr.GidMappings = []syscall.SysProcIDMap{{ContainerID: os.Getgid(), HostID: os.Getgid(), Size: 1}}
		attr.AmbientCaps = []uintptr{unix.CAP_SYS_ADMIN, unix.CAP_DAC_OVERRIDE} // else exec takes them from all but root
	}
	return attr
}

// Enter lays the directory that args begin with over /var/run/secrets and becomes the command after it. It returns only
// when it fails.
func Enter(args []string) error {
	if len(args) < 2 {
		return errors.New("usage: DIRECTORY COMMAND ARGUMENTS")
	}
	runtime.LockOSThread() // what follows is of the thread that becomes the command
	if err := lay(args[0]); err != nil {
		return fmt.Errorf("%w: %w", errNoMounts, err)
	}
	if err := unix.Prctl(unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0); err != nil {
		return fmt.Errorf("give up capabilities: %w", err)
	}
	// only the first thread has it from attributes
	if err := unix.Prctl(unix.PR_SET_PDEATHSIG, uintptr(syscall.SIGKILL), 0, 0, 0); err != nil {
		return fmt.Errorf("end with the parent: %w", err)
	}
	program, err := exec.LookPath(args[1])
	if err != nil {
		return err
	}
	return syscall.Exec(program, args[1:], os.Environ())
}

// lay makes secrets appear as /var/run/secrets. Where there is no such directory, /var/run becomes one in memory, with
// all that was in it.
func lay(secrets string) error {
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("make mounts private: %w", err)
	}
	run, err := filepath.EvalSymlinks("/var/run")
	if err != nil {
		return err
	}
	at := filepath.Join(run, "secrets")
	if info, err := os.Stat(at); err != nil || !info.IsDir() {
		if err := cover(run); err != nil {
			return err
		}
		if err := os.MkdirAll(at, 0o755); err != nil {
			return err
		}
	}
	return bind(secrets, at)
}

// cover puts an empty directory in memory over one, and into it what was there.
func cover(dir string) error {
	covered, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer covered.Close()
	before := fmt.Sprintf("/proc/self/fd/%d", covered.Fd()) // the only name that it has once it is covered
	entries, err := os.ReadDir(before)
	if err != nil {
		return err
	}
	if err := unix.Mount("tmpfs", dir, "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, "mode=0755,size=1m"); err != nil {
		return fmt.Errorf("mount over %s: %w", dir, err)
	}
	for _, entry := range entries {
		from, to := filepath.Join(before, entry.Name()), filepath.Join(dir, entry.Name())
		switch {
		case entry.Type()&os.ModeSymlink != 0:
			if target, err := os.Readlink(from); err == nil {
				os.Symlink(target, to)
			}
			continue
		case entry.IsDir():
			err = os.Mkdir(to, 0o755)
		default:
			err = os.WriteFile(to, nil, 0o644)
		}
		if err == nil {
			err = bind(from, to)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func bind(from, to string) error {
	if err := unix.Mount(from, to, "", unix.MS_BIND|unix.MS_REC, ""); err != nil {
		return fmt.Errorf("bind %s: %w", to, err)
	}
	return nil
}
