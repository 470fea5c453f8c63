package etcdcluster

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"go.etcd.io/etcd/server/v3/storage/wal"
	"go.etcd.io/etcd/server/v3/storage/wal/walpb"
	"go.uber.org/zap"
)

// LoseData does to the directory of a member that does not run what the loss of its disk does.
func LoseData(dir string) error { return os.RemoveAll(dir) }

// CorruptData overwrites a byte in the log of a member that does not run, in the last of its records, which every start
// reads. etcd finds that the record's checksum is wrong, and refuses to start.
func CorruptData(dir string) error {
	logs, err := filepath.Glob(filepath.Join(dir, "member", "wal", "*.wal")) // in the order of their names, and so of their age
	if err == nil && len(logs) == 0 {
		err = errors.New("there is no log")
	}
	if err != nil {
		return fmt.Errorf("%s: %w", dir, err)
	}
	log, err := os.OpenFile(logs[len(logs)-1], os.O_RDWR, 0)
	if err != nil {
		return err
	}
	at, err := lastRecord(log)
	if err != nil {
		return errors.Join(fmt.Errorf("%s: %w", log.Name(), err), log.Close())
	}
	one := make([]byte, 1)
	_, err = log.ReadAt(one, at)
	if err == nil {
		one[0] ^= 0xff
		_, err = log.WriteAt(one, at)
	}
	return errors.Join(err, log.Sync(), log.Close())
}

// lastRecord is where the last byte of the data of a log's last record is. A record is eight bytes with its length in the
// lower 56 bits, and the bytes of padding in the upper eight, and then a message whose last field is the data; zeros, which are
// reserved, follow the last one. See package wal of etcd.
func lastRecord(log io.ReaderAt) (at int64, err error) {
	frame := make([]byte, 8)
	for offset := int64(0); ; {
		if _, err := log.ReadAt(frame, offset); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return 0, err
		}
		length := binary.LittleEndian.Uint64(frame)
		if length == 0 {
			break
		}
		bytes, padding := int64(length&(1<<56-1)), int64(0)
		if length>>63 == 1 {
			padding = int64(length >> 56 & 7)
		}
		if bytes >= minRecord {
			at = offset + 8 + bytes - 1
		}
		offset += 8 + bytes + padding
	}
	if at == 0 {
		return 0, errors.New("it has no record")
	}
	return at, nil
}

// minRecord is longer than a record without data.
const minRecord = 16

// IsDamaged says whether a member that does not run cannot start with what is in its directory: its log is gone though it has
// served, or is not what was written.
func IsDamaged(dir string) bool {
	config := Config{Dir: dir}
	if !wal.Exist(config.logDir()) {
		served, _ := exists(config.served())
		return served
	}
	_, err := wal.ValidSnapshotEntries(zap.NewNop(), config.logDir()) // reads all of it, as a start does
	return errors.Is(err, walpb.ErrCRCMismatch)
}
