package logrouter

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// File appends records to a node's file in a directory, one object of JSON a line, as Fluent Bit's output "file" does with Format plain.
// A file that is large is set aside as NODE.jsonl.1, and those that were before count on; the oldest is deleted.
type File struct {
	Dir, Node string
	// Size is from when on a file is set aside, in bytes; 0 is 64 MiB.
	Size int64
}

// A node's files have together what its log files may have.
const (
	fileSize  = 64 << 20
	fileAside = 3
)

// Send is Output's. A batch reaches the disk before it counts as sent.
func (f File) Send(_ context.Context, records []Record) (err error) {
	if err := os.MkdirAll(f.Dir, 0o700); err != nil {
		return err
	}
	path := filepath.Join(f.Dir, filepath.Base(f.Node)+".jsonl")
	if err := f.rotate(path); err != nil {
		return err
	}
	file, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	lines := bufio.NewWriterSize(file, 64<<10)
	for _, r := range records {
		lines.Write(r.JSON())
		if err := lines.WriteByte('\n'); err != nil {
			return err
		}
	}
	if err := lines.Flush(); err != nil {
		return err
	}
	return file.Sync()
}

// rotate sets the file aside, if it is large.
func (f File) rotate(path string) error {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	most := f.Size
	if most == 0 {
		most = fileSize
	}
	if err != nil || info.Size() < most {
		return err
	}
	for i := fileAside; i > 0; i-- {
		from := path
		if i > 1 {
			from = fmt.Sprintf("%s.%d", path, i-1)
		}
		if err := os.Rename(from, fmt.Sprintf("%s.%d", path, i)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}
