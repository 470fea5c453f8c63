// Package snapshot makes one file of a region's data directory, and a data directory of such a file.
//
// The file is a tar archive in gzip. Its first entry, manifest.json, says what it is: client.Snapshot. Then come the directories, each before what is
// in it, and the files. Of a file whose end is reserved only, zeros that nobody has written yet, the archive has the beginning, and its whole
// size in the record TRIPOD.size: etcd's logs are reserved by 64 MB. A file is somebody else's work until the opposite is shown: see Extract.
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
	"strings"
	"sync"
	"syscall"
)

// leftOut says whether what has this name in a data directory, with slashes, is in no snapshot: what a process holds while it runs, what tells of
// processes, and what every start makes anew. A kubeconfig names programs to run, which a snapshot has no business to do.
func leftOut(name string) bool {
	for _, part := range strings.Split(name, "/") {
		if strings.HasPrefix(part, ".") { // files on their way to their names
			return true
		}
	}
	switch name {
	case "agents.json", "kubeconfig":
		return true
	}
	zone, _ := path.Match("zones/*/agent.json", name) // the pattern is good
	return zone || path.Base(name) == "lock"
}

// entry is a directory or a file of a data directory.
type entry struct {
	name string // with slashes, below the data directory
	info fs.FileInfo
}

// list are the entries of a data directory, each directory before what is in it.
func list(dir string) (entries []entry, err error) {
	err = filepath.WalkDir(dir, func(file string, found fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		relative, err := filepath.Rel(dir, file)
		if err != nil || relative == "." {
			return err
		}
		name := filepath.ToSlash(relative)
		if leftOut(name) {
			if found.IsDir() {
				return fs.SkipDir
			}
			return nil
		}
		info, err := found.Info()
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return nil // it was on its way elsewhere
		case err != nil:
			return err
		case info.Mode()&fs.ModeSocket != 0:
			return nil
		case !info.IsDir() && !info.Mode().IsRegular():
			return fmt.Errorf("%s is neither a file nor a directory, and cannot be in a snapshot: put the thing itself in its place", file)
		}
		entries = append(entries, entry{name, info})
		return nil
	})
	return entries, err
}

// CheckSpace refuses to begin a snapshot where the disk of the data directory has no space for a copy and for the file.
func CheckSpace(dir string) error {
	entries, err := list(dir)
	if err != nil {
		return err
	}
	needed := int64(leastFree)
	for _, e := range entries {
		if stat, ok := e.info.Sys().(*syscall.Stat_t); ok {
			needed += 2 * int64(stat.Blocks) * 512
		}
	}
	if free, ok := freeSpace(dir); ok && free < needed {
		return fmt.Errorf("the disk of %s has %d MiB left, and to make a snapshot may take %d MiB for a moment: free some space and try again", dir, free>>20, needed>>20)
	}
	return nil
}

// leastFree is what is left to a region that runs, in bytes.
const leastFree = 64 << 20

// freeSpace is what a directory's disk has left, in bytes; ok is false when that cannot be told.
func freeSpace(dir string) (free int64, ok bool) {
	var disk syscall.Statfs_t
	if syscall.Statfs(dir, &disk) != nil {
		return 0, false
	}
	return int64(disk.Bavail) * int64(disk.Bsize), true
}

// Copy copies the data directory from, without what is in no snapshot, to the directory to, which is empty. It is made for haste: what is reserved or not
// written is not read, and where the file system can, files share what they have in common.
func Copy(ctx context.Context, from, to string) error {
	entries, err := list(from)
	if err != nil {
		return err
	}
	files := make(chan entry, len(entries))
	for _, e := range entries {
		if !e.info.IsDir() {
			files <- e
			continue
		}
		if err := os.Mkdir(filepath.Join(to, e.name), 0o700); err != nil {
			return err
		}
	}
	close(files)
	errs := make([]error, min(runtime.NumCPU(), 4))
	var wait sync.WaitGroup
	for i := range errs {
		wait.Go(func() {
			for e := range files {
				if errs[i] = context.Cause(ctx); errs[i] != nil {
					return
				}
				if errs[i] = copyFile(filepath.Join(from, e.name), filepath.Join(to, e.name)); errs[i] != nil {
					return
				}
			}
		})
	}
	wait.Wait()
	return errors.Join(errs...)
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

// sparseWriter writes a file from its beginning on and leaves blocks of zeros out. The file is to be truncated to its size in the end.
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
