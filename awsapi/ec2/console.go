package ec2

import (
	"encoding/base64"
	"strings"

	"tripod/region"
)

// renderConsole is an instance's console output, in base64 as EC2 gives it; empty where it has not booted.
func renderConsole(v region.Instance) string {
	if v.Boot.At.IsZero() {
		return ""
	}
	lines := v.Boot.Lines
	if v.Boot.Trouble != "" {
		lines = append(lines[:len(lines):len(lines)], v.Boot.Trouble)
	}
	return base64.StdEncoding.EncodeToString([]byte(strings.Join(lines, "\n") + "\n"))
}
