package snapshot

import (
	"errors"
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// clone lets out share the content of in, where the file system can (Btrfs, XFS), or is errors.ErrUnsupported.
func clone(in, out *os.File) error {
	if unix.IoctlFileClone(int(out.Fd()), int(in.Fd())) == nil {
		return nil
	}
	return errors.ErrUnsupported // it says so in many ways
}

// lastData is a place in a file behind which nothing was ever written.
func lastData(file *os.File, size int64) int64 {
	last := int64(0)
	for {
		data, err := unix.Seek(int(file.Fd()), last, unix.SEEK_DATA)
		if errors.Is(err, unix.ENXIO) || err == nil && data >= size {
			return last
		}
		hole := int64(0)
		if err == nil {
			hole, err = unix.Seek(int(file.Fd()), data, unix.SEEK_HOLE)
		}
		if err != nil || hole <= last { // the file system does not know
			return size
		}
		last = min(hole, size)
	}
}

// copySparse copies what is written of a file, and nothing of what is reserved or was never written.
func copySparse(in, out *os.File, size int64) error {
	for at := int64(0); at < size; {
		data, err := unix.Seek(int(in.Fd()), at, unix.SEEK_DATA)
		if errors.Is(err, unix.ENXIO) || err == nil && data >= size {
			break // nothing but a hole
		}
		hole := size
		if err == nil {
			hole, err = unix.Seek(int(in.Fd()), data, unix.SEEK_HOLE)
		}
		if err != nil { // the file system does not know
			if _, err := in.Seek(0, io.SeekStart); err != nil {
				return err
			}
			return copyAll(in, out, size)
		}
		hole = min(hole, size)
		for _, file := range []*os.File{in, out} {
			if _, err := file.Seek(data, io.SeekStart); err != nil {
				return err
			}
		}
		if _, err := io.CopyN(out, in, hole-data); err != nil { // in the kernel
			return err
		}
		at = hole
	}
	return out.Truncate(size)
}
