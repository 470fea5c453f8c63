package podexec

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
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
		attr.AmbientCaps = []uintptr{unix.CAP_SYS_ADMIN, unix.CAP_DAC_OVERRIDE, unix.CAP_SYS_CHROOT} // else exec takes them from all but root
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
	if err := layVolumes(filepath.Dir(args[0])); err != nil {
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
	return fill(fmt.Sprintf("/proc/self/fd/%d", covered.Fd()), dir) // the only name that it has once it is covered
}

// fill puts an empty directory in memory over dir, and into it what is in another one.
func fill(before, dir string) error {
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

// layVolumes lays what the file in the pod's directory names, if there is one. Where a path begins with a directory that this
// machine has not, the command gets a root of its own with all that is in the present one.
func layVolumes(dir string) error {
	text, err := os.ReadFile(volumesFile(dir))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	var all []laid
	if err == nil {
		err = json.Unmarshal(text, &all)
	}
	if err != nil {
		return err
	}
	covered := map[string]bool{}
	var top []laid // those that take another root: these come last, since that one has all mounts of before
	for _, one := range all {
		if info, err := os.Stat(one.To); err == nil && info.IsDir() { // the directory of logs, or of a volume that is laid already
			if err := one.bind(one.To); err != nil {
				return err
			}
			continue
		}
		at := ancestor(one.To)
		if at == "/" {
			top = append(top, one)
			continue
		}
		if !covered[at] {
			if err := cover(at); err != nil {
				return err
			}
			covered[at] = true
		}
		if err := one.bind(one.To); err != nil {
			return err
		}
	}
	if len(top) == 0 {
		return nil
	}
	return enterRoot(filepath.Join(dir, "root"), top)
}

// enterRoot makes a directory the root, with all that is in the present one and volumes beside it.
func enterRoot(root string, top []laid) error {
	here, err := os.Getwd()
	if err != nil {
		return err
	}
	if err := os.Mkdir(root, 0o700); err != nil {
		return err
	}
	if err := fill("/", root); err != nil {
		return err
	}
	for _, one := range top {
		if err := one.bind(filepath.Join(root, one.To)); err != nil {
			return err
		}
	}
	if err := unix.Chroot(root); err != nil {
		return fmt.Errorf("enter the root with the volumes: %w", err)
	}
	return os.Chdir(here)
}

// bind lays the directory over one that is made for it.
func (one laid) bind(to string) error {
	if err := os.MkdirAll(to, 0o755); err != nil {
		return err
	}
	if err := bind(one.From, to); err != nil {
		return err
	}
	if one.ReadOnly {
		if err := unix.Mount("", to, "", unix.MS_BIND|unix.MS_REMOUNT|unix.MS_RDONLY, ""); err != nil {
			return fmt.Errorf("make %s read-only: %w", one.To, err)
		}
	}
	return nil
}

// ancestor is the deepest directory above a path that there is.
func ancestor(at string) string {
	for dir := filepath.Dir(at); ; dir = filepath.Dir(dir) {
		if info, err := os.Stat(dir); dir == "/" || err == nil && info.IsDir() {
			return dir
		}
	}
}
