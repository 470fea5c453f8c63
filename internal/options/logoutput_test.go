package options

import "testing"

func TestOutputsOfLogsAreNamed(t *testing.T) {
	for text, want := range map[string]LogOutput{"cloudwatch": {Kind: CloudWatchLogs}, "file:/tmp/x/": {Kind: LogFiles, Dir: "/tmp/x"},
		"file:x": {}, "s3": {}, "": {}, "cloudwatch:x": {}} {
		if got, err := ParseLogOutput(text); got != want || (err == nil) != (want.Kind != "") {
			t.Errorf("%q is %+v, %v", text, got, err)
		}
	}
}
