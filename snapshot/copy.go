package snapshot

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

// Copier copies a data directory, without what is in no snapshot. It is made for haste: what is reserved or was never
// written is not read, and where the file system can, files share what they have in common.
type Copier struct {
	From, To string // To is empty at first

	began time.Time              // the last Copy
	have  map[string]fs.FileInfo // what that found
}

// settled is how old a change must be, so that a later one is seen: file systems' clocks tick, some but every two
// seconds.
const settled = 2 * time.Second

// Copy makes the copy like the directory. Again it copies only what has changed: most is copied while somebody still
// writes, and then the rest while nobody does.
func (c *Copier) Copy(ctx context.Context) error {
	began := time.Now()
	entries, err := list(c.From)
	if err != nil {
		return err
	}
	found := map[string]fs.FileInfo{}
	var files []entry
	for _, e := range entries {
		found[e.name] = e.info
		if !e.info.IsDir() {
			files = append(files, e)
		}
	}
	if err := c.remove(found); err != nil {
		return err
	}
	for _, e := range entries {
		if _, had := c.have[e.name]; e.info.IsDir() && !had {
			if err := os.Mkdir(filepath.Join(c.To, e.name), 0o700); err != nil {
				return err
			}
		}
	}
	if err := c.copyFiles(ctx, files); err != nil {
		return err
	}
	c.began, c.have = began, found
	return nil
}

// remove deletes from the copy what is not in the directory any more, or is another thing.
func (c *Copier) remove(found map[string]fs.FileInfo) error {
	for name, old := range c.have {
		if info, there := found[name]; there && info.IsDir() == old.IsDir() {
			continue
		}
		if err := os.RemoveAll(filepath.Join(c.To, name)); err != nil {
			return err
		}
		delete(c.have, name)
	}
	return nil
}

// copyFiles copies several files at a time.
func (c *Copier) copyFiles(ctx context.Context, files []entry) error {
	errs := make([]error, min(runtime.NumCPU(), 4))
	var next atomic.Int64
	var wait sync.WaitGroup
	for i := range errs {
		wait.Go(func() {
			for at := next.Add(1) - 1; at < int64(len(files)) && errs[i] == nil; at = next.Add(1) - 1 {
				if errs[i] = context.Cause(ctx); errs[i] == nil {
					errs[i] = c.copyFile(files[at])
				}
			}
		})
	}
	wait.Wait()
	return errors.Join(errs...)
}

// copyFile copies a file that is not there yet as it is now.
func (c *Copier) copyFile(e entry) error {
	from, to := filepath.Join(c.From, e.name), filepath.Join(c.To, e.name)
	old, had := c.have[e.name]
	if !had {
		return copyFile(from, to)
	}
	same := os.SameFile(old, e.info)
	if same && old.Size() == e.info.Size() && old.ModTime().Equal(e.info.ModTime()) &&
		old.ModTime().Before(c.began.Add(-settled)) {
		return nil
	}
	if same && old.Size() <= e.info.Size() && appended(e.name) {
		return copyTail(from, to)
	}
	if err := os.Remove(to); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return copyFile(from, to)
}

// appended says whether a file is only ever appended to, and so need not be copied anew: the processes' logs, of which
// an audit log may have 100 MB.
func appended(name string) bool { return path.Base(path.Dir(name)) == "logs" }

// copyTail copies what has come to a file since it was copied.
func copyTail(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		return err
	}
	at, err := out.Seek(0, io.SeekEnd)
	if err == nil {
		_, err = in.Seek(at, io.SeekStart)
	}
	if err == nil {
		_, err = io.Copy(out, in)
	}
	return errors.Join(err, out.Close())
}

// copyFile makes the file to like the file from, but readable by this user alone. A file that is gone is none.
func copyFile(from, to string) error {
	in, err := os.Open(from)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer in.Close()
	info, err := in.Stat()
	if err != nil {
		return err
	}
	out, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	err = clone(in, out)
	if errors.Is(err, errors.ErrUnsupported) {
		err = copySparse(in, out, info.Size())
	}
	if err != nil {
		err = fmt.Errorf("copy %s: %w", from, err)
	}
	return errors.Join(err, out.Close())
}

// copyAll reads everything, and leaves out the zeros when it writes.
func copyAll(in io.Reader, out *os.File, size int64) error {
	w := &sparseWriter{file: out}
	if _, err := io.Copy(w, io.LimitReader(in, size)); err != nil {
		return err
	}
	return out.Truncate(size)
}

// block is how many zeros in a row are not written.
const block = 64 << 10

var zeros [block]byte

// sparseWriter writes a file from its beginning on and leaves blocks of zeros out. The file is to be truncated to its
// size in the end.
type sparseWriter struct {
	file *os.File
	at   int64
}

func (w *sparseWriter) Write(p []byte) (n int, err error) {
	for len(p) > 0 {
		part := p[:min(len(p), block)]
		if string(part) != string(zeros[:len(part)]) { // compared without a copy
			if _, err := w.file.WriteAt(part, w.at); err != nil {
				return n, err
			}
		}
		w.at += int64(len(part))
		n += len(part)
		p = p[len(part):]
	}
	return n, nil
}
