package podlogs

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"time"
)

// ParseLine reads a line of a log's file, without its end. part says that the next of the stream goes on with it.
func ParseLine(text []byte) (line Line, part, ok bool) {
	stamp, rest, found := bytes.Cut(text, []byte(" "))
	if !found {
		return Line{}, false, false
	}
	at, err := time.Parse(time.RFC3339Nano, string(stamp))
	stream, rest, found := bytes.Cut(rest, []byte(" "))
	tag, content, whole := bytes.Cut(rest, []byte(" "))
	if err != nil || !found || !whole && len(rest) != 1 {
		return Line{}, false, false
	}
	return Line{At: at, Stderr: string(stream) == "stderr", Text: string(content)}, string(tag) == "P", true
}

// Last is the time of a log's last whole line, and how many lines at its end bear that; zero: it has none. A run goes on from there.
func (n *Node) Last(name Name) (at time.Time, same int, err error) {
	r, err := n.Reader(name)
	if err != nil {
		return time.Time{}, 0, err
	}
	defer r.Close()
	size, err := r.file.Seek(0, io.SeekEnd)
	if err != nil {
		return time.Time{}, 0, err
	}
	for block := int64(64 << 10); ; block *= 4 {
		from := max(0, size-block)
		if _, err := r.file.Seek(from, io.SeekStart); err != nil {
			return time.Time{}, 0, err
		}
		r.restart()
		if from > 0 {
			r.skipLine()
		}
		at, same, first := time.Time{}, 0, true
		var begins time.Time
		for {
			line, err := r.Next()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				return time.Time{}, 0, err
			}
			if first {
				begins, first = line.At, false
			}
			if !line.At.Equal(at) {
				at, same = line.At, 0
			}
			same++
		}
		if from == 0 || !first && begins.Before(at) {
			return at, same, nil
		}
	}
}

// Reader reads the log of one run that is written now, and goes on in the next file when that is set aside.
type Reader struct {
	node    *Node
	name    Name
	file    *os.File
	from    io.Reader
	buffer  *bufio.Reader // nil until something is read
	rest    []byte        // of a line whose end is not there yet
	partial [2]Line       // of stdout and stderr: parts of a line
	open    [2]bool
}

// Reader reads from the beginning of the file. A log that is not there yet is fs.ErrNotExist.
func (n *Node) Reader(name Name) (*Reader, error) {
	if err := name.validate(); err != nil {
		return nil, err
	}
	r := &Reader{node: n, name: name}
	return r, r.reopen()
}

func (r *Reader) reopen() error {
	root, err := os.OpenRoot(r.node.dir)
	if err != nil {
		return err
	}
	defer root.Close()
	file, err := root.Open(r.name.File())
	if err != nil {
		return err
	}
	if r.file != nil {
		r.file.Close()
	}
	r.file = file
	r.restart()
	return nil
}

func (r *Reader) restart() { r.readFrom(r.file) }

func (r *Reader) readFrom(from io.Reader) {
	r.from, r.buffer = from, nil
	r.rest, r.open = nil, [2]bool{}
}

// part is what there is of a line, or of more than fits.
func (r *Reader) part() ([]byte, error) {
	if r.buffer == nil {
		r.buffer = bufio.NewReaderSize(r.from, 64<<10)
	}
	return r.buffer.ReadSlice('\n')
}

// Close closes the file.
func (r *Reader) Close() error { return r.file.Close() }

// Tail has Next begin at the last so many lines.
func (r *Reader) Tail(lines int) error {
	size, err := r.file.Seek(0, io.SeekEnd)
	if err != nil {
		return err
	}
	block := make([]byte, 64<<10)
	last := true // line ends of the newest line, or of what is no whole line, count for nothing
	for at := size; at > 0 && lines >= 0; {
		length := min(at, int64(len(block)))
		at -= length
		if _, err := r.file.ReadAt(block[:length], at); err != nil {
			return err
		}
		for i := length - 1; i >= 0; i-- {
			if block[i] != '\n' {
				continue
			}
			if last {
				last = false
				if lines == 0 {
					return r.seek(at + i + 1)
				}
				continue
			}
			if r.endsPart(at + i) {
				continue // it is the same line, in parts
			}
			if lines--; lines == 0 {
				return r.seek(at + i + 1)
			}
		}
	}
	return r.seek(0)
}

// endsPart says whether the line that ends at the offset goes on in the next.
func (r *Reader) endsPart(end int64) bool {
	if end < longestPart { // parts are that long
		return false
	}
	head := make([]byte, 100)
	from := max(0, end-longestPart-int64(len(head)))
	got, _ := r.file.ReadAt(head[:min(int64(len(head)), end-from)], from)
	head = head[:got]
	head = head[bytes.LastIndexByte(head, '\n')+1:]
	_, part, ok := ParseLine(head)
	return ok && part
}

func (r *Reader) seek(to int64) error {
	_, err := r.file.Seek(to, io.SeekStart)
	r.restart()
	return err
}

func (r *Reader) skipLine() { r.part() }

// Next is the next line, whose parts are joined. io.EOF says that there is none yet: it may be called again.
func (r *Reader) Next() (Line, error) {
	for {
		more, err := r.part()
		r.rest = append(r.rest, more...)
		if errors.Is(err, bufio.ErrBufferFull) {
			continue
		}
		if err != nil {
			return Line{}, err
		}
		line, part, ok := ParseLine(r.rest[:len(r.rest)-1])
		r.rest = r.rest[:0]
		if !ok {
			continue // two halves of torn lines
		}
		stream := 0
		if line.Stderr {
			stream = 1
		}
		if r.open[stream] {
			r.partial[stream].Text += line.Text
		} else {
			r.partial[stream] = line
		}
		if r.open[stream] = part; !part {
			return r.partial[stream], nil
		}
	}
}

// Step is where a reader goes on that has read a file to its end.
type Step int

// The steps: in the same file, in the next one, or nowhere, as the log was deleted.
const (
	Same Step = iota
	Next
	Gone
)

// Follow goes on with the next file, where this one was set aside. It is for when Next has said io.EOF.
func (r *Reader) Follow() (Step, error) {
	root, err := os.OpenRoot(r.node.dir)
	if errors.Is(err, fs.ErrNotExist) {
		return Gone, nil
	}
	if err != nil {
		return Same, err
	}
	defer root.Close()
	now, err := root.Stat(r.name.File())
	if errors.Is(err, fs.ErrNotExist) {
		return Gone, nil
	}
	if err != nil {
		return Same, err
	}
	have, err := r.file.Stat()
	if err != nil || os.SameFile(now, have) {
		return Same, err
	}
	if place, err := r.file.Seek(0, io.SeekCurrent); err != nil || place < have.Size() {
		return Next, err // it got more before it was set aside
	}
	return Next, r.reopen()
}
