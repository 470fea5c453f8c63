package pki

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// Write stores data in file, readable by this user alone, all of it or nothing.
func Write(file string, data []byte) error { return write(file, data, false) }

// WriteDurable is Write for what is made once: it is on the disk when it returns, so that a power loss cannot leave the
// name without the content.
func WriteDurable(file string, data []byte) error { return write(file, data, true) }

func write(file string, data []byte, durable bool) error {
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		return err
	}
	temp, err := os.CreateTemp(filepath.Dir(file), "."+filepath.Base(file)+"-*") // made with mode 0600
	if err != nil {
		return err
	}
	_, err = temp.Write(data)
	if err == nil && durable {
		err = temp.Sync()
	}
	err = errors.Join(err, temp.Close())
	if err == nil {
		err = os.Rename(temp.Name(), file)
	}
	if err != nil {
		os.Remove(temp.Name())
		return fmt.Errorf("write %s: %w", file, err)
	}
	return nil
}

// WritePair stores DIR/NAME.crt and DIR/NAME.key.
func WritePair(dir, name string, p Pair) error {
	if err := WriteDurable(filepath.Join(dir, name+".key"), p.Key); err != nil {
		return err
	}
	return WriteDurable(filepath.Join(dir, name+".crt"), p.Cert)
}

// ReadPair reads what WritePair stored; the error is fs.ErrNotExist when it did not.
func ReadPair(dir, name string) (Pair, error) {
	cert, err := os.ReadFile(filepath.Join(dir, name+".crt"))
	if err != nil {
		return Pair{}, err
	}
	key, err := os.ReadFile(filepath.Join(dir, name+".key"))
	return Pair{Cert: cert, Key: key}, err
}
