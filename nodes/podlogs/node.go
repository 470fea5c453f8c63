package podlogs

import (
	"bytes"
	"cmp"
	"errors"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
	"sync"
	"time"
)

// Limits are how much is kept.
type Limits struct {
	// Size is of the file that is written now, and Files of how many there are of one log: containerLogMaxSize and
	// containerLogMaxFiles of a kubelet.
	Size  int64
	Files int
	// Budget is of all logs of a node together, in bytes.
	Budget int64
}

// DefaultLimits are a kubelet's, with a budget for a machine that has many nodes.
var DefaultLimits = Limits{Size: 10 << 20, Files: 5, Budget: 256 << 20}

// Node has the logs of one node. It is safe for many goroutines, but each log is written by one at a time.
type Node struct {
	dir    string
	limits Limits
	now    func() time.Time

	mu      sync.Mutex
	sized   bool            // used is known
	used    int64           // bytes of all files
	tracked map[string]Name // by directory: the run of a container that was written last, in this process
}

// NewNode returns the logs below a node's root, which is made when the first line comes. A nil now is time.Now.
func NewNode(root string, limits Limits, now func() time.Time) *Node {
	if now == nil {
		now = time.Now
	}
	return &Node{dir: root, limits: limits, now: now, tracked: map[string]Name{}}
}

// open opens the node's root, and makes it where it is not there.
func (n *Node) open() (*os.Root, error) {
	root, err := os.OpenRoot(n.dir)
	if errors.Is(err, fs.ErrNotExist) {
		if err := os.MkdirAll(n.dir, 0o700); err != nil {
			return nil, err
		}
		root, err = os.OpenRoot(n.dir)
	}
	return root, err
}

// Prepare makes the directories that collectors want to watch before there is a log.
func (n *Node) Prepare() error {
	root, err := n.open()
	if err != nil {
		return err
	}
	defer root.Close()
	return errors.Join(root.MkdirAll(PodsDir, 0o700), root.MkdirAll(ContainersDir, 0o700))
}

// AuthorityFile is where a node of EKS has the certificate of its cluster's authority, below its root.
const AuthorityFile = "etc/kubernetes/pki/ca.crt"

// Keep writes a small file below the node's root that others read.
func (n *Node) Keep(name string, data []byte) error {
	root, err := n.open()
	if err != nil {
		return err
	}
	defer root.Close()
	if have, err := root.ReadFile(name); err == nil && bytes.Equal(have, data) {
		return nil
	}
	if err := root.MkdirAll(path.Dir(name), 0o700); err != nil {
		return err
	}
	const fresh = ".new"
	if err := root.WriteFile(name+fresh, data, 0o600); err != nil {
		return err
	}
	return root.Rename(name+fresh, name)
}

// DropGone forgets how far those logs were read that are not there any more, by their files.
func (n *Node) DropGone(read map[string]Position) error {
	root, err := os.OpenRoot(n.dir)
	if errors.Is(err, fs.ErrNotExist) {
		clear(read)
		return nil
	}
	if err != nil {
		return err
	}
	defer root.Close()
	n.mu.Lock() // a log that is set aside at this moment is not there for a moment
	defer n.mu.Unlock()
	for file := range read {
		if _, err := root.Stat(file); errors.Is(err, fs.ErrNotExist) {
			delete(read, file)
		}
	}
	return nil
}

// Pods are the UIDs of the pods that have logs.
func (n *Node) Pods() ([]string, error) {
	root, err := os.OpenRoot(n.dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer root.Close()
	dirs, err := readDir(root, PodsDir)
	var uids []string
	for _, dir := range dirs {
		if pod, ok := podOf(dir.Name()); ok {
			uids = append(uids, pod.UID)
		}
	}
	return uids, err
}

// Remove deletes the logs of a pod, and the links to them. Of one that has none it does nothing.
func (n *Node) Remove(uid string) error {
	root, err := os.OpenRoot(n.dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer root.Close()
	dirs, err := readDir(root, PodsDir)
	if err != nil {
		return err
	}
	for _, dir := range dirs {
		pod, ok := podOf(dir.Name())
		if !ok || pod.UID != uid {
			continue
		}
		n.mu.Lock()
		n.used -= sizeBelow(root, pod.PodDir())
		for known := range n.tracked {
			if strings.HasPrefix(known, pod.PodDir()+"/") {
				delete(n.tracked, known)
			}
		}
		err = errors.Join(err, root.RemoveAll(pod.PodDir()), dropLinks(root, pod))
		n.mu.Unlock()
	}
	return err
}

// dropLinks deletes the links of a pod that lead nowhere.
func dropLinks(root *os.Root, pod Name) error {
	links, err := readDir(root, ContainersDir)
	for _, link := range links {
		name := path.Join(ContainersDir, link.Name())
		if !strings.HasPrefix(link.Name(), pod.Pod+"_"+pod.Namespace+"_") {
			continue
		}
		if _, gone := root.Stat(name); errors.Is(gone, fs.ErrNotExist) {
			err = errors.Join(err, root.Remove(name))
		}
	}
	return err
}

// readDir lists a directory; one that is not there is empty.
func readDir(root *os.Root, dir string) ([]fs.DirEntry, error) {
	entries, err := fs.ReadDir(root.FS(), dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return entries, err
}

// file is one of a log's on the disk.
type file struct {
	name  string
	size  int64
	aside bool
	stamp string // of when it was set aside, comparable
}

// filesBelow are all log files below a directory.
func filesBelow(root *os.Root, dir string) (files []file) {
	fs.WalkDir(root.FS(), dir, func(name string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() {
			return nil // it goes at this moment
		}
		if info, err := entry.Info(); err == nil {
			_, stamp, aside := strings.Cut(path.Base(name), ".log.")
			files = append(files, file{name: name, size: info.Size(), aside: aside, stamp: stamp})
		}
		return nil
	})
	return files
}

func sizeBelow(root *os.Root, dir string) (sum int64) {
	for _, f := range filesBelow(root, dir) {
		sum += f.size
	}
	return sum
}

// reserve makes room for so many bytes more.
func (n *Node) reserve(root *os.Root, more int64) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if !n.sized {
		n.used, n.sized = sizeBelow(root, PodsDir), true
	}
	if n.used += more; n.used <= n.limits.Budget {
		return nil
	}
	files := filesBelow(root, PodsDir)
	n.used = more // anew: whoever owns the files may have deleted some
	for _, f := range files {
		n.used += f.size
	}
	slices.SortFunc(files, goesFirst)
	for _, f := range files {
		if n.used <= n.limits.Budget/10*9 || f.size == 0 { // some more, as looking for files costs
			break
		}
		if err := root.Remove(f.name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		n.used -= f.size
		if !f.aside {
			if err := create(root, f.name); err != nil {
				return err
			}
		}
	}
	return nil
}

// goesFirst sorts files by what is given up first: the oldest that was set aside, then the largest log.
func goesFirst(a, b file) int {
	switch {
	case a.aside && b.aside:
		return cmp.Compare(a.stamp, b.stamp)
	case a.aside:
		return -1
	case b.aside:
		return 1
	}
	return cmp.Compare(b.size, a.size)
}

// create makes an empty log where none is, so that links lead somewhere.
func create(root *os.Root, name string) error {
	file, err := root.OpenFile(name, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	return file.Close()
}
