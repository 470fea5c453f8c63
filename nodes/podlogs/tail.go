package podlogs

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
	"time"
)

// Position is how far a log was read: a line's time, and how many lines of that time were read. It outlives files that are set aside
// and compressed.
type Position struct {
	At   time.Time `json:"at"`
	Same int       `json:"same"`
}

// Tail reads a log from a position on, over all of its files that are there, and leaves none out that is set aside meanwhile.
type Tail struct {
	node *Node
	name Name
	file *os.File // nil: none is open
	from *Reader
	at   Position
	skip int // lines of the time at.At that were read before
}

// NewTail reads from a position on; the zero one is the beginning.
func (n *Node) NewTail(name Name, at Position) *Tail {
	return &Tail{node: n, name: name, at: at, skip: at.Same}
}

// Position is behind the last line that Next has returned.
func (t *Tail) Position() Position { return t.at }

// Close closes what is open.
func (t *Tail) Close() {
	if t.file != nil {
		t.file.Close()
		t.file, t.from = nil, nil
	}
}

// Open opens the log, so that what is in it can be read also when it is deleted. Of what is open, or is not there, it does nothing.
func (t *Tail) Open() error {
	if t.file != nil {
		return nil
	}
	if err := t.name.validate(); err != nil {
		return err
	}
	return t.find()
}

// Next is the next line; io.EOF: there is none yet.
func (t *Tail) Next() (Line, error) {
	for {
		if err := t.Open(); err != nil {
			return Line{}, err
		}
		if t.file == nil {
			return Line{}, io.EOF
		}
		line, err := t.from.Next()
		if errors.Is(err, io.EOF) {
			if again, err := t.after(); err != nil || !again {
				if t.from != nil {
					t.from.buffer = nil // nothing is left in it
				}
				return Line{}, errors.Join(err, io.EOF)
			}
			continue
		}
		if err != nil {
			return Line{}, err
		}
		if t.read(line) {
			return line, nil
		}
	}
}

// read moves the position behind a line; false: it was read before.
func (t *Tail) read(line Line) bool {
	switch {
	case t.skip > 0 && line.At.Before(t.at.At):
		return false
	case t.skip > 0 && line.At.Equal(t.at.At):
		t.skip--
		return false
	}
	t.skip = 0
	if !line.At.Equal(t.at.At) {
		t.at = Position{At: line.At}
	}
	t.at.Same++
	return true
}

// after looks for the file behind the one that was read to its end; false: there is none yet, or no more.
func (t *Tail) after() (again bool, err error) {
	root, err := os.OpenRoot(t.node.dir)
	if err != nil {
		return false, nil // the node has gone
	}
	defer root.Close()
	now, err := root.Stat(t.name.File())
	if err != nil {
		return false, nil // the pod has gone
	}
	have, err := t.file.Stat()
	if err != nil || os.SameFile(now, have) {
		return false, err
	}
	if place, err := t.file.Seek(0, io.SeekCurrent); err != nil || place < have.Size() {
		return err == nil, err // it got more before it was set aside
	}
	t.Close()
	names := t.files(root)
	for i, name := range names[:max(0, len(names)-1)] {
		if info, err := root.Stat(name); err == nil && os.SameFile(info, have) {
			t.skip = 0
			return true, t.use(root, names[i+1])
		}
	}
	return true, nil // it was compressed meanwhile: what is next is found by the position
}

// find opens the file in which the position is, or the first one behind it. The lines before are skipped.
func (t *Tail) find() error {
	root, err := os.OpenRoot(t.node.dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer root.Close()
	names := t.files(root)
	t.skip = t.at.Same
	for i, name := range names {
		if i < len(names)-1 && t.at.Same > 0 { // is all of it read?
			if first, ok := firstLine(root, names[i+1]); ok && first.At.Before(t.at.At) {
				continue
			}
			if done, err := t.exhausted(root, name); err == nil && done {
				continue
			}
		}
		return t.use(root, name)
	}
	return nil
}

// files are the log's, the oldest first.
func (t *Tail) files(root *os.Root) (names []string) {
	for _, f := range filesBelow(root, t.name.containerDir()) {
		if strings.HasPrefix(f.name, t.name.File()+".") && !strings.HasSuffix(f.name, unfinished) {
			names = append(names, f.name)
		}
	}
	slices.Sort(names)
	if _, err := root.Stat(t.name.File()); err == nil {
		names = append(names, t.name.File())
	}
	return names
}

// exhausted says whether a file that was set aside has no line behind the position, and takes note of the lines of its time.
func (t *Tail) exhausted(root *os.Root, name string) (bool, error) {
	probe := &Tail{node: t.node, name: t.name, at: t.at, skip: t.skip}
	if err := probe.use(root, name); err != nil {
		return false, err
	}
	defer probe.Close()
	for {
		line, err := probe.from.Next()
		if errors.Is(err, io.EOF) {
			t.skip = probe.skip
			return true, nil
		}
		if err != nil || probe.read(line) {
			return false, err
		}
	}
}

// use reads a file from its beginning.
func (t *Tail) use(root *os.Root, name string) error {
	file, err := root.Open(name)
	if err != nil {
		return err
	}
	from := io.Reader(file)
	if strings.HasSuffix(name, compressed) {
		if from, err = gzip.NewReader(file); err != nil {
			file.Close()
			return err
		}
	}
	t.file, t.from = file, &Reader{}
	t.from.readFrom(from)
	return nil
}

// firstLine is a file's first line; ok is false where it has none.
func firstLine(root *os.Root, name string) (line Line, ok bool) {
	t := &Tail{}
	if t.use(root, name) != nil {
		return Line{}, false
	}
	defer t.Close()
	text, err := t.from.part()
	if err != nil {
		return Line{}, false
	}
	line, _, ok = ParseLine(bytes.TrimSuffix(text, []byte("\n")))
	return line, ok
}

// Logs are the names of all logs of a node, as far as those of files and links tell.
func (n *Node) Logs() (names []Name, err error) {
	root, err := os.OpenRoot(n.dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer root.Close()
	files := filesBelow(root, PodsDir) // first, as a link is made before its log
	ids := map[string]string{}         // by what the links lead to
	links, err := readDir(root, ContainersDir)
	for _, link := range links {
		to, err := root.Readlink(path.Join(ContainersDir, link.Name()))
		if at := strings.LastIndexByte(link.Name(), '-'); err == nil {
			ids[path.Join(ContainersDir, to)] = strings.TrimSuffix(link.Name()[at+1:], ".log")
		}
	}
	for _, f := range files {
		if name, ok := nameOf(f.name); ok {
			if id := ids[f.name]; id != "" {
				name.ContainerID = "containerd://" + id
			}
			names = append(names, name)
		}
	}
	return names, err
}
