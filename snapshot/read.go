package snapshot

import (
	"archive/tar"
	"bufio"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"tripod/api"
	"tripod/internal/datadir"
)

const (
	// manifestMost is how long a manifest may be, in bytes.
	manifestMost = 1 << 20
	// fileMost is how large a file may be, in bytes: etcd's largest database has 16 GB.
	fileMost = 64 << 30
	// behindMost is how many zeros may follow the archive's last entry.
	behindMost = 1 << 20
	// entriesMost is how many files and directories there may be.
	entriesMost = 1 << 20
)

// Reader is an open snapshot. What is in it may be anybody's work.
type Reader struct {
	// About is what it says of itself.
	About api.Snapshot

	path  string
	file  *os.File
	from  *bufio.Reader
	plain *gzip.Reader
	tar   *tar.Reader
}

// Open opens a snapshot and reads what it says of itself. One of a newer Tripod, and what is none, is refused in one
// sentence.
func Open(path string) (r *Reader, err error) {
	info, err := os.Stat(path)
	if err == nil && !info.Mode().IsRegular() { // a pipe would be waited for
		return nil, fmt.Errorf("%s is no snapshot: it is not a file", path)
	}
	var file *os.File
	if err == nil {
		file, err = os.Open(path)
	}
	if err != nil {
		return nil, fmt.Errorf("cannot open the snapshot %s: %w", path, cause(err))
	}
	defer func() {
		if err != nil {
			file.Close()
		}
	}()
	r = &Reader{path: path, file: file, from: bufio.NewReaderSize(file, 256<<10)}
	if r.plain, err = gzip.NewReader(r.from); err != nil {
		return nil, fmt.Errorf("%s is no snapshot of Tripod's, or is damaged (%v)", path, err)
	}
	r.plain.Multistream(false) // what comes behind is not the snapshot's
	r.tar = tar.NewReader(r.plain)
	head, err := r.tar.Next()
	if err != nil || head.Name != manifestName || head.Typeflag != tar.TypeReg || head.Size > manifestMost {
		return nil, fmt.Errorf("%s is no snapshot of Tripod's, or is damaged: it does not begin with a manifest", path)
	}
	if err := json.NewDecoder(r.tar).Decode(&r.About); err != nil {
		return nil, fmt.Errorf("%s is damaged: its manifest cannot be read (%v)", path, err)
	}
	if err := check(r.About, path); err != nil {
		return nil, err
	}
	r.About.File, r.About.Bytes, r.About.Damage = path, info.Size(), ""
	return r, nil
}

// check refuses what this Tripod does not know.
func check(about api.Snapshot, path string) error {
	switch {
	case about.Format > Format:
		return fmt.Errorf("the snapshot %s was made by a newer Tripod (format %d, this one knows %d): use that Tripod", path,
			about.Format, Format)
	case about.Schema > datadir.Schema:
		return fmt.Errorf("the region in the snapshot %s was made by a newer Tripod (schema %d, this one knows %d): use "+
			"that Tripod", path, about.Schema, datadir.Schema)
	case about.Format < 1 || about.Schema < 1 || about.Entries < 1 || about.Entries > entriesMost || about.DataBytes < 0:
		return fmt.Errorf("%s is damaged: its manifest says nothing that can be", path)
	}
	return nil
}

// Close closes the file.
func (r *Reader) Close() error { return r.file.Close() }

// Extract writes what is in the snapshot into dir, an empty directory: directories of mode 0700, files of mode 0600,
// and nothing beside or above it. What is not a snapshot as Write makes it, to the last byte, is an error in one
// sentence; then dir holds a part of it.
func (r *Reader) Extract(ctx context.Context, dir string, each func(api.SnapshotProgress)) error {
	if err := r.checkSpace(dir); err != nil {
		return err
	}
	root, err := os.OpenRoot(dir) // not even a link that somebody puts there meanwhile leads out
	if err != nil {
		return err
	}
	defer root.Close()
	counted := &counter{ctx: ctx, total: r.About.DataBytes, each: each}
	for entries := 0; ; entries++ {
		head, err := r.tar.Next()
		if errors.Is(err, io.EOF) {
			if entries != r.About.Entries || counted.done != r.About.DataBytes {
				return r.damaged("%d entries with %d bytes are in it, and not %d with %d", entries, counted.done, r.About.Entries,
					r.About.DataBytes)
			}
			return r.checkEnd()
		}
		if err != nil {
			return r.damaged("%v", err)
		}
		if entries >= r.About.Entries || head.Size > r.About.DataBytes-counted.done {
			return r.damaged("there is more in it than its manifest says")
		}
		if err := r.extract(root, head, counted); err != nil {
			return err
		}
		if err := context.Cause(ctx); err != nil {
			return err
		}
	}
}

func (r *Reader) damaged(format string, args ...any) error {
	return fmt.Errorf("%s is damaged, or no snapshot of Tripod's: %s", r.path, fmt.Sprintf(format, args...))
}

// checkSpace refuses what the disk has no space for.
func (r *Reader) checkSpace(dir string) error {
	if free, ok := freeSpace(dir); ok && r.About.DataBytes > free {
		return fmt.Errorf("the disk of %s has %d MiB left, and the snapshot takes %d MiB: free some space and try again", dir,
			free>>20, r.About.DataBytes>>20)
	}
	return nil
}

// extract writes one entry.
func (r *Reader) extract(root *os.Root, head *tar.Header, counted *counter) error {
	name := strings.TrimSuffix(head.Name, "/")
	if !fs.ValidPath(name) || name == "." || leftOut(name) {
		return r.damaged("%q has no place in a region", head.Name)
	}
	name = filepath.FromSlash(name)
	switch head.Typeflag {
	case tar.TypeDir:
		if head.Size != 0 {
			return r.damaged("the directory %q has a content", head.Name)
		}
		if err := root.Mkdir(name, 0o700); err != nil {
			return r.misplaced(head, err)
		}
		return nil
	case tar.TypeReg:
	default:
		return r.damaged("%q is neither a file nor a directory", head.Name)
	}
	size, err := wholeSize(head)
	if err != nil {
		return r.damaged("%q: %v", head.Name, err)
	}
	file, err := root.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return r.misplaced(head, err)
	}
	counted.from = r.tar
	_, err = io.CopyBuffer(&sparseWriter{file: file}, onlyReader{counted}, make([]byte, 4*block))
	var unwritten *fs.PathError
	if err != nil && !errors.As(err, &unwritten) && counted.ctx.Err() == nil { // not the disk's fault
		err = r.damaged("%q: %v", head.Name, err)
	}
	if err == nil {
		err = file.Truncate(size)
	}
	return errors.Join(err, file.Close())
}

// onlyReader hides what else a reader can.
type onlyReader struct{ io.Reader }

// misplaced is an entry that cannot be made: it is there, or what it should be in is not; or else the disk is at fault.
func (r *Reader) misplaced(head *tar.Header, err error) error {
	if errors.Is(err, fs.ErrExist) || errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) ||
		errors.Is(err, syscall.ENAMETOOLONG) {
		return r.damaged("%q: %v", head.Name, cause(err))
	}
	return err
}

// wholeSize is the size of a file that may end with zeros which are not in the archive.
func wholeSize(head *tar.Header) (int64, error) {
	size := head.Size
	if text, ok := head.PAXRecords[sizeRecord]; ok {
		var err error
		if size, err = strconv.ParseInt(text, 10, 64); err != nil {
			return 0, fmt.Errorf("its size is %q", text)
		}
	}
	if size < head.Size || size > fileMost {
		return 0, fmt.Errorf("%d bytes are no size for it", size)
	}
	return size, nil
}

// checkEnd reads what is behind the last entry: the end of the archive, with the sum over all, and then nothing.
func (r *Reader) checkEnd() error {
	n, err := io.Copy(io.Discard, io.LimitReader(r.plain, behindMost))
	if err != nil {
		return r.damaged("%v", err)
	}
	if n == behindMost {
		return r.damaged("something follows its end")
	}
	if _, err := r.from.ReadByte(); !errors.Is(err, io.EOF) {
		return r.damaged("something follows its end")
	}
	return nil
}

// cause drops the operation and the path that os puts before an error.
func cause(err error) error {
	var path *fs.PathError
	if errors.As(err, &path) {
		return path.Err
	}
	return err
}
