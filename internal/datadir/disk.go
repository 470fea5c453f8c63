package datadir

import "syscall"

// leastFree is how little free space keeps a region from starting, in bytes: etcd alone reserves 64 MB for each of its
// logs.
const leastFree = 16 << 20

// DiskFull says whether the disk of a directory has no space left to speak of. False when that cannot be told.
func DiskFull(dir string) bool {
	var stat syscall.Statfs_t
	return syscall.Statfs(dir, &stat) == nil && uint64(stat.Bavail)*uint64(stat.Bsize) < leastFree
}
