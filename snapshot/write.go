package snapshot

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"tripod/api"
	"tripod/internal/datadir"
	"tripod/internal/version"
)

const (
	manifestName = "manifest.json"
	// sizeRecord is the name of a file's whole size, where the archive has less.
	sizeRecord = "TRIPOD.size"
)

// part is an entry and how much of it is written.
type part struct {
	entry
	data int64 // behind it there are zeros only
}

// Write writes the data directory dir, which nobody changes meanwhile, as a snapshot, and returns what the snapshot
// says of itself: about with all that Write knows better. Progress is told now and then.
func Write(ctx context.Context, w io.Writer, dir string, about api.Snapshot,
	each func(api.SnapshotProgress)) (api.Snapshot, error) {
	parts, total, err := measure(dir)
	if err != nil {
		return about, err
	}
	about.Format, about.Schema, about.Tripod = Format, datadir.Schema, version.Tripod()
	about.Entries, about.DataBytes = len(parts), total
	// Its name and place are the file's, which people move about.
	written := about
	written.File, written.Bytes = "", 0
	packed, err := gzip.NewWriterLevel(w, gzip.BestSpeed)
	if err != nil {
		return about, err
	}
	archive := tar.NewWriter(packed)
	text, err := json.MarshalIndent(written, "", "  ")
	if err != nil {
		return about, err
	}
	if err := archive.WriteHeader(header(manifestName, int64(len(text)), about.CreatedAt)); err != nil {
		return about, err
	}
	if _, err := archive.Write(text); err != nil {
		return about, err
	}
	counted := &counter{ctx: ctx, total: total, each: each}
	for _, p := range parts {
		if err := p.write(archive, dir, counted); err != nil {
			return about, fmt.Errorf("save %s: %w", p.name, err)
		}
	}
	return about, errors.Join(archive.Close(), packed.Close())
}

// measure lists what is in a data directory, and how much that is.
func measure(dir string) (parts []part, total int64, err error) {
	entries, err := list(dir)
	if err != nil {
		return nil, 0, err
	}
	for _, e := range entries {
		p := part{entry: e}
		if !e.info.IsDir() {
			if p.data, err = dataEnd(filepath.Join(dir, e.name), e.info.Size()); err != nil {
				return nil, 0, err
			}
			total += p.data
		}
		parts = append(parts, p)
	}
	return parts, total, nil
}

// dataEnd is where the zeros begin with which a file ends.
func dataEnd(path string, size int64) (int64, error) {
	file, err := os.Open(path)
	if err != nil {
		return 0, err
	}
	defer file.Close()
	text := make([]byte, block)
	for end := lastData(file, size); end > 0; {
		from := max(0, end-block)
		if _, err := file.ReadAt(text[:end-from], from); err != nil {
			return 0, fmt.Errorf("read %s: %w", path, err)
		}
		if n := len(bytes.TrimRight(text[:end-from], "\x00")); n > 0 {
			return from + int64(n), nil
		}
		end = from
	}
	return 0, nil
}

// header is that of a file; nothing in it tells of this machine.
func header(name string, size int64, modified time.Time) *tar.Header {
	return &tar.Header{Typeflag: tar.TypeReg, Name: name, Size: size, Mode: 0o600, ModTime: modified.Truncate(time.Second),
		Format: tar.FormatPAX}
}

func (p part) write(archive *tar.Writer, dir string, counted *counter) error {
	h := header(p.name, p.data, p.info.ModTime())
	if p.info.IsDir() {
		h.Typeflag, h.Name, h.Mode = tar.TypeDir, p.name+"/", 0o700
		return archive.WriteHeader(h)
	}
	if size := p.info.Size(); size > p.data {
		h.PAXRecords = map[string]string{sizeRecord: strconv.FormatInt(size, 10)}
	}
	if err := archive.WriteHeader(h); err != nil {
		return err
	}
	file, err := os.Open(filepath.Join(dir, p.name))
	if err != nil {
		return err
	}
	defer file.Close()
	counted.from = io.LimitReader(file, p.data)
	_, err = io.CopyBuffer(onlyWriter{archive}, counted, make([]byte, 256<<10))
	return err
}

// onlyWriter hides what else a writer can: its own way to read would pass the counter's steps by.
type onlyWriter struct{ io.Writer }

// counter passes on what it reads, tells the progress, and ends with its context.
type counter struct {
	ctx         context.Context
	from        io.Reader
	done, total int64
	told        time.Time
	each        func(api.SnapshotProgress)
}

// progressInterval is how often progress is told.
const progressInterval = 250 * time.Millisecond

func (c *counter) Read(p []byte) (int, error) {
	if err := context.Cause(c.ctx); err != nil {
		return 0, err
	}
	n, err := c.from.Read(p)
	c.done += int64(n)
	if time.Since(c.told) > progressInterval {
		c.told = time.Now()
		c.each(api.SnapshotProgress{Done: c.done, Total: c.total})
	}
	return n, err
}
