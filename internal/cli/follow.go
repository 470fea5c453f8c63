package cli

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"
)

// logReader prints a log file and goes on when it is rotated or emptied.
type logReader struct {
	path     string
	out      io.Writer
	escape   bool // control characters, for a terminal
	interval time.Duration

	file *os.File
	rest []byte // the beginning of a line whose end is not written yet
}

// run prints the last lines (-1: all) and, with follow, what is written until ctx ends.
func (l *logReader) run(ctx context.Context, tail int, follow bool) error {
	file, err := os.Open(l.path)
	if err != nil {
		return fmt.Errorf("cannot read the log: %w", err)
	}
	l.file = file
	defer func() { l.file.Close() }()
	if tail >= 0 {
		if err := seekLines(file, tail); err != nil {
			return fmt.Errorf("cannot read %s: %w", l.path, err)
		}
	}
	ticker := time.NewTicker(l.interval)
	defer ticker.Stop()
	for {
		if err := l.copyLines(); err != nil {
			return err
		}
		if !follow {
			return l.flush()
		}
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
		if err := l.reopen(); err != nil {
			return err
		}
	}
}

// copyLines prints what is there from the file's place on, up to the last whole line.
func (l *logReader) copyLines() error {
	reader := bufio.NewReaderSize(l.file, 64<<10)
	for {
		part, err := reader.ReadBytes('\n')
		l.rest = append(l.rest, part...)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("cannot read %s: %w", l.path, err)
		}
		if err := l.print(l.rest); err != nil {
			return err
		}
		l.rest = l.rest[:0]
	}
}

func (l *logReader) print(line []byte) error {
	if l.escape {
		text := strings.TrimSuffix(strings.TrimSuffix(string(line), "\n"), "\r")
		line = []byte(clean(text) + "\n")
	}
	_, err := l.out.Write(line)
	return err
}

// flush prints a last line that has no end.
func (l *logReader) flush() error {
	if len(l.rest) == 0 {
		return nil
	}
	line := append(bytes.Clone(l.rest), '\n')
	l.rest = nil
	return l.print(line)
}

// reopen goes on with the new file after a rotation, once the old one is read to its end, and at the beginning after
// the file was emptied.
func (l *logReader) reopen() error {
	now, err := os.Stat(l.path)
	if err != nil {
		return nil // between two files of a rotation, or deleted by 'down --purge'
	}
	have, err := l.file.Stat()
	if err != nil {
		return err
	}
	if os.SameFile(now, have) {
		place, err := l.file.Seek(0, io.SeekCurrent)
		if err == nil && now.Size() < place {
			l.rest = nil
			_, err = l.file.Seek(0, io.SeekStart)
		}
		return err
	}
	file, err := os.Open(l.path)
	if err != nil {
		return nil // as above
	}
	// What the old file got between the last look and its rotation.
	err = errors.Join(l.copyLines(), l.flush())
	l.file.Close()
	l.file = file
	return err
}

// seekLines places file before its last n lines. It reads backwards, since logs are large.
func seekLines(file *os.File, n int) error {
	place, err := file.Seek(0, io.SeekEnd)
	if err != nil || n == 0 {
		return err
	}
	block := make([]byte, 64<<10)
	found, last := 0, place-1
	for place > 0 {
		size := min(place, int64(len(block)))
		place -= size
		if _, err := file.ReadAt(block[:size], place); err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		for i := size - 1; i >= 0; i-- {
			// The last line's own end does not begin another.
			if block[i] != '\n' || place+i == last {
				continue
			}
			if found++; found == n {
				_, err := file.Seek(place+i+1, io.SeekStart)
				return err
			}
		}
	}
	_, err = file.Seek(0, io.SeekStart)
	return err
}
