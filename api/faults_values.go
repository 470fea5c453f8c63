package api

import (
	"slices"
	"strconv"
	"strings"
	"time"
)

// What the values of faults may be.

func isSkew(value string) bool {
	d, err := time.ParseDuration(value)
	return err == nil && d != 0 && d.Abs() <= mostSkew
}

func isPressure(value string) bool {
	return !slices.ContainsFunc(strings.Split(value, ","), func(of string) bool { return !slices.Contains(Pressures, of) })
}

func isExitCode(value string) bool {
	_, err := strconv.ParseUint(value, 10, 8)
	return err == nil
}

func isDuration(value string) bool {
	d, err := time.ParseDuration(value)
	return err == nil && d >= 0
}

func isShare(value string) bool {
	percent, err := strconv.ParseFloat(value, 64)
	return err == nil && percent > 0 && percent <= 100
}

func isPort(value string) bool {
	port, err := strconv.ParseUint(value, 10, 16)
	return err == nil && port > 0
}

// isLatency takes a time that is no longer than most.
func isLatency(most time.Duration) func(value string) bool {
	return func(value string) bool {
		d, err := time.ParseDuration(value)
		return err == nil && d > 0 && d <= most
	}
}
