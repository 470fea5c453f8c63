package main

import (
	"context"

	"tripod/api"
	"tripod/emulator"
	"tripod/internal/cli"
)

// newRegion makes the region that `tripod up` runs.
func newRegion(options cli.UpOptions) (cli.Region, error) {
	return emulator.New(emulator.Options(options)), nil
}

func restoreSnapshot(ctx context.Context, r cli.RestoreRequest, each func(api.SnapshotProgress)) (*api.Snapshot, error) {
	return emulator.RestoreSnapshot(ctx, emulator.RestoreOptions(r), each)
}
