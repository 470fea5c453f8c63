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

	"tripod/internal/process"
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
	if err := l.begin(tail); err != nil {
		return err
	}
	defer func() { l.file.Close() }()
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

// begin opens the log at its last lines, and prints those of them that are in files that were set aside.
func (l *logReader) begin(tail int) error {
	files, err := l.open()
	if err != nil {
		return fmt.Errorf("cannot read the log: %w", err)
	}
	begin := 0
	if tail >= 0 {
		for begin = len(files) - 1; ; begin-- { // the newest has the last lines
			found, err := seekLines(files[begin], tail)
			if err != nil {
				return fmt.Errorf("cannot read %s: %w", files[begin].Name(), err)
			}
			if tail -= found; tail <= 0 || begin == 0 {
				break
			}
		}
	}
	for i, file := range files {
		l.file = file
		if i == len(files)-1 {
			break
		}
		if i >= begin {
			err = errors.Join(l.copyLines(), l.flush())
		}
		file.Close()
		if err != nil {
			return err
		}
	}
	return nil
}

// open opens the files of the log, oldest first.
func (l *logReader) open() (files []*os.File, err error) {
	for _, name := range process.LogFiles(l.path) {
		file, err := os.Open(name)
		if err == nil {
			files = append(files, file)
		} else if name == l.path {
			return nil, err
		}
	}
	if len(files) == 0 {
		file, err := os.Open(l.path) // says why
		if err != nil {
			return nil, err
		}
		files = append(files, file)
	}
	return files, nil
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

// seekLines places file before its last n lines, or at its beginning where it has fewer, and says how many lines are
// behind that. It reads backwards, since logs are large.
func seekLines(file *os.File, n int) (found int, err error) {
	place, err := file.Seek(0, io.SeekEnd)
	if err != nil || n == 0 || place == 0 {
		return 0, err
	}
	block := make([]byte, 64<<10)
	last := place - 1
	for place > 0 {
		size := min(place, int64(len(block)))
		place -= size
		if _, err := file.ReadAt(block[:size], place); err != nil && !errors.Is(err, io.EOF) {
			return 0, err
		}
		for i := size - 1; i >= 0; i-- {
			// The last line's own end does not begin another.
			if block[i] != '\n' || place+i == last {
				continue
			}
			if found++; found == n {
				_, err := file.Seek(place+i+1, io.SeekStart)
				return found, err
			}
		}
	}
	_, err = file.Seek(0, io.SeekStart)
	return found + 1, err
}
