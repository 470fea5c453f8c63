package main

import (
	"tripod/emulator"
	"tripod/internal/cli"
)

// newRegion makes the region that `tripod up` runs.
func newRegion(options cli.UpOptions) (cli.Region, error) {
	return emulator.New(emulator.Options(options)), nil
}
