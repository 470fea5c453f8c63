package logrouter

import (
	"context"
	"errors"
	"os"
	"path/filepath"
)

// File appends records to a node's file in a directory, one object of JSON a line, as Fluent Bit's output "file" does with Format plain.
type File struct {
	Dir, Node string
}

// Send is Output's. A batch is written at once and reaches the disk before it counts as sent.
func (f File) Send(_ context.Context, records []Record) (err error) {
	if err := os.MkdirAll(f.Dir, 0o700); err != nil {
		return err
	}
	file, err := os.OpenFile(filepath.Join(f.Dir, filepath.Base(f.Node)+".jsonl"), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	var text []byte
	for _, r := range records {
		text = append(append(text, r.JSON()...), '\n')
	}
	if _, err := file.Write(text); err != nil {
		return err
	}
	return file.Sync()
}
