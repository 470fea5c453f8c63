package podlogs

import (
	"fmt"
	"path"
	"regexp"
	"strconv"
	"strings"
)

// Where logs are, below a node's root.
const (
	PodsDir       = "var/log/pods"
	ContainersDir = "var/log/containers"
)

// Name is which run of which container a log is of.
type Name struct {
	Namespace, Pod, UID string
	Container           string
	ContainerID         string // containerd://0123...; empty: it gets no link
	Run                 int32  // how often the container had been restarted
}

var (
	// nameForm is what every name that comes from a cluster has: DNS labels, in a pod's name several.
	nameForm = regexp.MustCompile(`^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$`)
	uidForm  = regexp.MustCompile(`^[A-Za-z0-9-]{1,64}$`)
)

// validate says which of the names is none that a file may have.
func (n Name) validate() error {
	for _, one := range []struct{ what, name string }{{"namespace", n.Namespace}, {"pod", n.Pod}, {"container", n.Container}} {
		if len(one.name) > 253 || !nameForm.MatchString(one.name) {
			return fmt.Errorf("%q is no name of a %s", one.name, one.what)
		}
	}
	if !uidForm.MatchString(n.UID) {
		return fmt.Errorf("%q is no UID of a pod", n.UID)
	}
	if id := n.id(); id != "" && !uidForm.MatchString(id) {
		return fmt.Errorf("%q is no id of a container", n.ContainerID)
	}
	if n.Run < 0 {
		return fmt.Errorf("a container cannot have been restarted %d times", n.Run)
	}
	return nil
}

// id is the container's without its runtime.
func (n Name) id() string {
	_, id, _ := strings.Cut(n.ContainerID, "://")
	return id
}

// PodDir is the directory of a pod's logs, below the node's root.
func (n Name) PodDir() string { return path.Join(PodsDir, n.Namespace+"_"+n.Pod+"_"+n.UID) }

func (n Name) containerDir() string { return path.Join(n.PodDir(), n.Container) }

// File is the log that is written now, below the node's root.
func (n Name) File() string { return path.Join(n.containerDir(), strconv.Itoa(int(n.Run))+".log") }

// longestFile is what ext4 takes as a file's name, by which the kubelet cuts links' names.
const longestFile = 255

// Link is the log's name for collectors, below the node's root; empty: it has none.
func (n Name) Link() string {
	if n.id() == "" {
		return ""
	}
	const suffix = ".log"
	name := n.Pod + "_" + n.Namespace + "_" + n.Container + "-" + n.id()
	return path.Join(ContainersDir, name[:min(len(name), longestFile-len(suffix))]+suffix)
}

// nameOf takes the path of a log that is written now apart; ok is false for other files.
func nameOf(file string) (n Name, ok bool) {
	dir := path.Dir(file)
	pod, isPod := podOf(path.Dir(dir))
	number, isLog := strings.CutSuffix(path.Base(file), ".log")
	run, err := strconv.Atoi(number)
	pod.Container, pod.Run = path.Base(dir), int32(run)
	return pod, isPod && isLog && err == nil && pod.validate() == nil
}

// podOf takes a directory below PodsDir apart; ok is false for what is no pod's.
func podOf(dir string) (n Name, ok bool) {
	parts := strings.Split(path.Base(dir), "_")
	if len(parts) != 3 {
		return Name{}, false
	}
	n = Name{Namespace: parts[0], Pod: parts[1], UID: parts[2], Container: "any"}
	return n, n.validate() == nil
}
