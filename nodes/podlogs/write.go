package podlogs

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Line is what a container has written up to a line's end.
type Line struct {
	At     time.Time
	Stderr bool
	Text   string
}

// Stamp is the time format of container runtimes' logs, in UTC.
const Stamp = "2006-01-02T15:04:05.000000000Z07:00"

// longestPart is containerd's max_container_log_line_size.
const longestPart = 16 << 10

// appendTo adds the line as a container runtime writes it: in parts, where it is long.
func (l Line) appendTo(b []byte) []byte {
	for text := l.Text; ; {
		part, tag := text, " F "
		if len(part) > longestPart {
			part, tag = part[:longestPart], " P "
		}
		text = text[len(part):]
		b = l.At.UTC().AppendFormat(b, Stamp)
		if l.Stderr {
			b = append(b, " stderr"...)
		} else {
			b = append(b, " stdout"...)
		}
		b = append(append(append(b, tag...), part...), '\n')
		if tag == " F " {
			return b
		}
	}
}

// largestBatch is how much is written at once: between two batches a log may be set aside.
const largestBatch = 1 << 20

// Write adds lines to a log, which it makes where it is not there. An error may come when some of them are written.
func (n *Node) Write(name Name, lines []Line) error {
	if err := name.validate(); err != nil {
		return err
	}
	root, err := n.open()
	if err != nil {
		return err
	}
	defer root.Close()
	first, err := n.track(root, name)
	if err != nil {
		return err
	}
	var batch []byte
	for i, line := range lines {
		batch = line.appendTo(batch)
		if i < len(lines)-1 && int64(len(batch)) < min(largestBatch, n.limits.Size/4) {
			continue
		}
		if err := n.append(root, name, batch, first); err != nil {
			n.mu.Lock()
			delete(n.tracked, name.containerDir())
			n.mu.Unlock()
			return err
		}
		batch, first = batch[:0], false
	}
	return nil
}

// track makes what a log needs that this process has not written yet.
func (n *Node) track(root *os.Root, name Name) (first bool, err error) {
	dir := name.containerDir()
	n.mu.Lock()
	known := n.tracked[dir] == name
	n.tracked[dir] = name
	n.mu.Unlock()
	if known {
		return false, nil
	}
	if err := root.MkdirAll(dir, 0o700); err != nil {
		return true, err
	}
	n.dropRuns(root, name)
	if err := link(root, name); err != nil {
		return true, err
	}
	return true, create(root, name.File())
}

// link makes the link to a log, before the log: whoever finds a log finds its link.
func link(root *os.Root, name Name) error {
	if name.Link() == "" {
		return nil
	}
	if err := root.MkdirAll(ContainersDir, 0o700); err != nil {
		return err
	}
	target, err := filepath.Rel(ContainersDir, name.File())
	if err != nil {
		return err
	}
	if err := root.Symlink(target, name.Link()); !errors.Is(err, fs.ErrExist) {
		return err
	}
	return nil
}

// dropRuns deletes the logs of a container's runs before the last one, as a kubelet does with dead containers
// (maxPerPodContainerCount is 1). What cannot be deleted is tried again with the next run.
func (n *Node) dropRuns(root *os.Root, name Name) {
	for _, f := range filesBelow(root, name.containerDir()) {
		number, _, _ := strings.Cut(path.Base(f.name), ".log")
		if run, err := strconv.Atoi(number); err == nil && run < int(name.Run)-1 && root.Remove(f.name) == nil {
			n.mu.Lock()
			n.used -= f.size
			n.mu.Unlock()
		}
	}
	dropLinks(root, name)
}

// append writes a batch of whole lines. The first one of a process mends what another one may have left.
func (n *Node) append(root *os.Root, name Name, batch []byte, first bool) error {
	if err := n.reserve(root, int64(len(batch))); err != nil {
		return err
	}
	size, err := n.write(root, name, batch, first)
	if err != nil || size < n.limits.Size {
		return err
	}
	return n.rotate(root, name)
}

// write adds a batch at the end of the log, and says how large that is now.
func (n *Node) write(root *os.Root, name Name, batch []byte, first bool) (size int64, err error) {
	file, err := root.OpenFile(name.File(), os.O_CREATE|os.O_APPEND|os.O_RDWR, 0o600)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	info, err := file.Stat()
	if err != nil {
		return 0, err
	}
	size = info.Size()
	if first {
		torn, err := tornLine(file, size)
		if err != nil {
			return size, err
		}
		batch = mend(torn, batch)
	}
	written, err := file.Write(batch)
	return size + int64(written), err
}

// longestTorn is how much of a line in parts is looked for at a log's end.
const longestTorn = 1 << 20

// tornLine is the beginning of a line at the end of a file, which a process had begun to write that was killed: parts of it, and the
// beginning of one.
func tornLine(file io.ReaderAt, size int64) ([]byte, error) {
	tail := make([]byte, min(size, longestTorn))
	if _, err := file.ReadAt(tail, size-int64(len(tail))); err != nil && len(tail) > 0 {
		return nil, err
	}
	from := bytes.LastIndexByte(tail, '\n') + 1
	for from > 0 {
		before := bytes.LastIndexByte(tail[:from-1], '\n') + 1
		if _, part, ok := ParseLine(tail[before : from-1]); !ok || !part {
			break
		}
		from = before
	}
	return tail[from:], nil
}

// mend has a batch go on where a line was torn: what is written again says the same.
func mend(torn, batch []byte) []byte {
	if rest, same := bytes.CutPrefix(batch, torn); same {
		return rest
	}
	if torn[len(torn)-1] == '\n' {
		return batch
	}
	return append([]byte{'\n'}, batch...)
}

// What the names of compressed files end with, and of those that are being made.
const compressed, unfinished = ".gz", ".tmp"

// rotate sets the log aside, as the kubelet's ContainerLogManager does (rotateLog): of what was set aside before, the oldest are
// deleted and the others compressed. Where a second has seen one already, the log grows until the next.
func (n *Node) rotate(root *os.Root, name Name) error {
	to := name.File() + "." + n.now().Format("20060102-150405")
	var aside []file
	for _, f := range filesBelow(root, name.containerDir()) {
		if strings.HasSuffix(f.name, unfinished) { // by a process that was killed
			if err := root.Remove(f.name); err != nil {
				return err
			}
		} else if strings.HasPrefix(f.name, name.File()+".") {
			aside = append(aside, f)
		}
		if f.name == to || f.name == to+compressed {
			return nil
		}
	}
	slices.SortFunc(aside, func(a, b file) int { return strings.Compare(a.stamp, b.stamp) })
	for i, f := range aside {
		change := -f.size
		if i < len(aside)-max(0, n.limits.Files-2) { // beside these there will be the one that is set aside now, and the log
			if err := root.Remove(f.name); err != nil {
				return err
			}
		} else if strings.HasSuffix(f.name, compressed) {
			continue
		} else if size, err := compress(root, f.name); err != nil {
			return err
		} else {
			change += size
		}
		n.mu.Lock()
		n.used += change
		n.mu.Unlock()
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if err := root.Rename(name.File(), to); err != nil {
		return err
	}
	return create(root, name.File())
}

// compress makes a file one of gzip's, and says how large that is.
func compress(root *os.Root, name string) (size int64, err error) {
	from, err := root.Open(name)
	if err != nil {
		return 0, err
	}
	defer from.Close()
	to, err := root.OpenFile(name+unfinished, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return 0, err
	}
	packer := gzip.NewWriter(to)
	_, err = io.Copy(packer, from)
	if err = errors.Join(err, packer.Close()); err == nil {
		var info fs.FileInfo
		if info, err = to.Stat(); err == nil {
			size = info.Size()
		}
	}
	if err = errors.Join(err, to.Close()); err != nil {
		return 0, errors.Join(err, root.Remove(name+unfinished))
	}
	return size, errors.Join(root.Rename(name+unfinished, name+compressed), root.Remove(name))
}
