package region

import "tripod/state"

// FileSystemState is where a file system, or a mount target of one, is in its life, in EFS's words.
type FileSystemState string

// The states of file systems and mount targets. The agent of the zone brings them on, for a file system of the region the
// one where the regional state is led.
//
//	CreateFileSystem, CreateMountTarget    none -> creating
//	DeleteFileSystem, DeleteMountTarget    creating, available -> deleting
//	SettleFileSystem, SettleMountTarget    creating -> available, deleting -> none
const (
	FileSystemCreating  FileSystemState = "creating"
	FileSystemAvailable FileSystemState = "available"
	FileSystemDeleting  FileSystemState = "deleting"
)

// settled says that nothing follows by itself.
func (s FileSystemState) settled() bool { return s == FileSystemAvailable }

// CreateFileSystem writes a new file system, creating.
func CreateFileSystem(tx *state.Txn, f FileSystem) FileSystem {
	f.State = FileSystemCreating
	FileSystems.Put(tx, f.ID, f)
	return f
}

// ChangeFileSystem changes what of a file system is no state.
func ChangeFileSystem(tx *state.Txn, id string, change func(*FileSystem)) {
	if f, found := FileSystems.Get(tx, id); found {
		change(&f)
		FileSystems.Put(tx, id, f)
	}
}

// DeleteFileSystem begins to delete a file system, and ends its access points. One that has mount targets is refused.
func DeleteFileSystem(tx *state.Txn, id string) (FileSystem, error) {
	f, _ := FileSystems.Get(tx, id)
	if f.State == FileSystemDeleting || !MountTargetsByFileSystem.Of(id).Empty(tx) {
		return f, &RefusedError{"file system " + id, string(f.State), string(FileSystemDeleting)}
	}
	for _, p := range AccessPointsByFileSystem.Of(id).List(tx) {
		AccessPoints.Delete(tx, p.ID)
	}
	f.State = FileSystemDeleting
	FileSystems.Put(tx, id, f)
	return f, nil
}

// SettleFileSystem says that a file system's directory is there, or is gone.
func SettleFileSystem(tx *state.Txn, id string) {
	f, found := FileSystems.Get(tx, id)
	switch {
	case found && f.State == FileSystemDeleting:
		FileSystems.Delete(tx, id)
	case found && f.State == FileSystemCreating:
		f.State = FileSystemAvailable
		FileSystems.Put(tx, id, f)
	}
}

// CreateMountTarget writes a new mount target, creating.
func CreateMountTarget(tx *state.Txn, m MountTarget) MountTarget {
	m.State = FileSystemCreating
	MountTargets.Put(tx, m.ID, m)
	return m
}

// ChangeMountTarget changes what of a mount target is no state.
func ChangeMountTarget(tx *state.Txn, id string, change func(*MountTarget)) {
	if m, found := MountTargets.Get(tx, id); found {
		change(&m)
		MountTargets.Put(tx, id, m)
	}
}

// DeleteMountTarget begins to delete a mount target.
func DeleteMountTarget(tx *state.Txn, id string) {
	ChangeMountTarget(tx, id, func(m *MountTarget) { m.State = FileSystemDeleting })
}

// SettleMountTarget says that a mount target answers, or does so no more: its zone has done its part.
func SettleMountTarget(tx *state.Txn, id string) {
	m, found := MountTargets.Get(tx, id)
	switch {
	case found && m.State == FileSystemDeleting:
		MountTargets.Delete(tx, id)
	case found && m.State == FileSystemCreating:
		m.State = FileSystemAvailable
		MountTargets.Put(tx, id, m)
	}
}
