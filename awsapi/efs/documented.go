package efs

import "tripod/awsapi/operation"

// documented are the lines of docs/operations.md: every operation of the API.
func documented() []operation.Documented {
	return operation.DocumentBy((&Service{}).API().Names(), []operation.Clause{
		{Words: []string{"CreateFileSystem"}, State: operation.Works, Effect: "a directory of the region, or of the zone of a One Zone " +
			"file system, which holds what commands that run as pods write; performance, throughput and encryption are kept and shown"},
		{Words: []string{"DeleteFileSystemPolicy", "PutFileSystemPolicy", "DescribeFileSystemPolicy"}, State: operation.Recorded,
			Effect: "kept; it is not held against those who mount the file system"},
		{Words: []string{"CreateReplicationConfiguration"}, State: operation.Refused, Effect: "nothing is replicated: BadRequest"},
		{Words: []string{"Replication"}, State: operation.Works, Effect: "there are none"},
		{Words: []string{"UpdateFileSystemProtection"}, State: operation.Recorded, Effect: "kept; nothing overwrites a file system"},
		{Words: []string{"UpdateFileSystem"}, State: operation.Recorded, Effect: "the throughput mode is kept, and nothing is slower by it"},
		{Words: []string{"DeleteFileSystem"}, State: operation.Works,
			Effect: "with its directory and its access points; not while it has mount targets"},
		{Words: []string{"DescribeFileSystems"}, State: operation.Works, Effect: "as in AWS; sizes are those of an empty file system"},
		{Words: []string{"SecurityGroups"}, State: operation.Recorded, Effect: "kept and shown; they are not held against those who mount"},
		{Words: []string{"MountTarget"}, State: operation.Works, Effect: "an address of its subnet, by which the pods of its zone mount the " +
			"file system; while the zone is down it stays in its state and answers nobody"},
		{Words: []string{"AccessPoint"}, State: operation.Works, Effect: "its root directory is made when it is mounted first, and stays " +
			"when it is deleted; whose the files are is kept and shown"},
		{Words: []string{"Lifecycle", "Backup"}, State: operation.Recorded,
			Effect: "kept; nothing is moved to another storage class, or backed up"},
		{Words: []string{"Preferences"}, State: operation.Works, Effect: "ids are long ones, as in AWS"},
		{Words: []string{""}, State: operation.Works, Effect: "as in AWS"},
	})
}
