package options

import (
	"fmt"
	"path/filepath"
	"strings"
)

// LogOutput is where the nodes' log routers send what containers say.
type LogOutput struct {
	Kind string `json:"kind"`          // CloudWatchLogs or LogFiles
	Dir  string `json:"dir,omitempty"` // of LogFiles: absolute
}

// The kinds of a LogOutput.
const (
	CloudWatchLogs = "cloudwatch"
	LogFiles       = "file"
)

// ParseLogOutput reads "cloudwatch" or "file:/DIRECTORY".
func ParseLogOutput(text string) (LogOutput, error) {
	kind, where, _ := strings.Cut(text, ":")
	switch {
	case kind == CloudWatchLogs && where == "":
		return LogOutput{Kind: kind}, nil
	case kind == LogFiles && filepath.IsAbs(where):
		return LogOutput{Kind: kind, Dir: filepath.Clean(where)}, nil
	}
	return LogOutput{}, fmt.Errorf("%q is no output of logs: use cloudwatch, or file:/DIRECTORY with a directory's whole path", text)
}
