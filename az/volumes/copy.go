package volumes

import (
	"errors"
	"io"
	"io/fs"
	"os"
)

// copyFile copies one file, as fast as the file system can: io.Copy has it cloned where it is able to.
func copyFile(from, to string, mode fs.FileMode) (err error) {
	in, err := os.Open(from)
	if errors.Is(err, fs.ErrNotExist) { // somebody has deleted it meanwhile
		return nil
	}
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, out.Close()) }()
	_, err = io.Copy(out, in)
	return err
}
