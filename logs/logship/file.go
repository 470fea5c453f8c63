package logship

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"io/fs"
	"os"
	"slices"
	"syscall"

	"time"

	"tripod/internal/process"
)

// Place is how far a log file was read. Files are known by their inodes, as their names change when they are set aside;
// and by how they begin, as a copy of all of them, such as a snapshot that is restored, has other inodes.
type Place struct {
	Inode  uint64 `json:"inode"`
	Offset int64  `json:"offset"`
	// Head is a sum over the first bytes of the file, as many as were read and headMost at most; empty when nothing was,
	// and of an older Tripod.
	Head string `json:"head,omitempty"`
}

const (
	// headMost is how many bytes tell a file from others: a line of a log, or most of one, with its time.
	headMost = 256
	// chunk is how much is read at once; a line that is longer is read whole, up to longestLine.
	chunk       = 1 << 20
	longestLine = 8 << 20
)

// inodeOf is a file's inode and size; ok is false where it is not there.
func inodeOf(path string) (inode uint64, size int64, ok bool) {
	info, err := os.Stat(path)
	if err != nil {
		return 0, 0, false
	}
	return info.Sys().(*syscall.Stat_t).Ino, info.Size(), true
}

// read returns whole lines behind the place, and the place behind them. With nothing new it returns no lines.
func read(path string, from Place) (lines []byte, to Place, err error) {
	inode, size, ok := inodeOf(path)
	if ok && inode == from.Inode {
		if size < from.Offset { // somebody emptied it
			from.Offset = 0
		}
		return readFile(path, from, size)
	}
	files := process.LogFiles(path)
	at := slices.IndexFunc(files,
		func(file string) bool { inode, _, ok := inodeOf(file); return ok && inode == from.Inode })
	if at >= 0 {
		_, size, _ := inodeOf(files[at])
		lines, to, err := readFile(files[at], from, size)
		if len(lines) > 0 || err != nil {
			return lines, to, err
		}
	}
	// What was read is set aside and at its end, or gone: on to the next one.
	for _, file := range files[at+1:] {
		if inode, size, ok := inodeOf(file); ok {
			return readFile(file, Place{Inode: inode}, size)
		}
	}
	return nil, from, nil
}

func readFile(path string, from Place, size int64) (lines []byte, to Place, err error) {
	if size <= from.Offset {
		return nil, from, nil
	}
	file, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, from, nil // set aside at this moment
	}
	if err != nil {
		return nil, from, err
	}
	defer file.Close()
	for most := int64(chunk); ; most *= 2 {
		text, err := io.ReadAll(io.NewSectionReader(file, from.Offset, min(most, size-from.Offset)))
		if err != nil {
			return nil, from, err
		}
		end := bytes.LastIndexByte(text, '\n') + 1
		if end == 0 && most >= longestLine {
			end = len(text) // no log has such lines: it is cut
		}
		if end > 0 || int64(len(text)) < most {
			to := Place{Inode: from.Inode, Offset: from.Offset + int64(end), Head: from.Head}
			if to.Head == "" || from.Offset < headMost {
				to.Head = headOf(file, to.Offset)
			}
			return text[:end], to, nil
		}
	}
}

// headOf is the Head of a file that was read up to the offset; empty when it cannot be told.
func headOf(file io.ReaderAt, offset int64) string {
	text := make([]byte, min(offset, headMost))
	if n, _ := file.ReadAt(text, 0); n == 0 || n < len(text) {
		return ""
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:8])
}

// again finds the file of a place that was written down. When the one with its inode does not begin as it did, it is
// the one that does.
func again(path string, at Place) Place {
	if at.Head == "" {
		return at
	}
	like := at
	for _, name := range process.LogFiles(path) {
		file, err := os.Open(name)
		if err != nil {
			continue
		}
		head := headOf(file, at.Offset)
		file.Close()
		if head != at.Head {
			continue
		}
		inode, _, _ := inodeOf(name)
		if inode == at.Inode {
			return at
		}
		like.Inode = inode
	}
	return like
}

// begin is where to begin so that no line from since on is missed: at, or some lines before, the first of them.
func begin(path string, since time.Time, stamp func(line []byte) (time.Time, bool)) (Place, error) {
	files := process.LogFiles(path)
	for i := len(files) - 1; i >= 0; i-- {
		inode, size, ok := inodeOf(files[i])
		if !ok {
			continue
		}
		offset, older, err := beginIn(files[i], size, since, stamp)
		if err != nil {
			return Place{}, err
		}
		if older || i == 0 {
			return Place{Inode: inode, Offset: offset}, nil
		}
	}
	return Place{}, nil
}

// beginIn looks backwards, block by block, for a line from before since.
func beginIn(path string, size int64, since time.Time, stamp func([]byte) (time.Time, bool)) (offset int64,
	older bool, err error) {
	file, err := os.Open(path)
	if err != nil {
		return 0, false, err
	}
	defer file.Close()
	for offset = size; offset > 0; {
		from := max(0, offset-chunk)
		block, err := io.ReadAll(io.NewSectionReader(file, from, offset-from))
		if err != nil {
			return 0, false, err
		}
		at := from
		if from > 0 { // in the middle of a line
			at += int64(bytes.IndexByte(block, '\n') + 1)
		}
		for line := range bytes.Lines(block[at-from:]) {
			if when, ok := stamp(line); ok {
				if when.Before(since) {
					return at, true, nil
				}
				break
			}
		}
		offset = from
	}
	return 0, false, nil
}
