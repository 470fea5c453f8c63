package main

import (
	"tripod/emulator"
	"tripod/internal/cli"
	"tripod/internal/options"
)

// newRegion makes the region that `tripod up` runs.
func newRegion(up options.Up) (cli.Region, error) { return emulator.New(up), nil }
