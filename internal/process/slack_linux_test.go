package process

import (
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
)

// TestChildrensTimersHaveSlack and the parent's keep theirs.
func TestChildrensTimersHaveSlack(t *testing.T) {
	if _, err := os.Stat("/proc/self/timerslack_ns"); err != nil {
		t.Skip("the kernel does not show the slack of timers")
	}
	var output strings.Builder
	cmd := exec.Command("cat", "/proc/self/timerslack_ns")
	cmd.Stdout = &output
	if err := StartCalmly(cmd); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Fatal(err)
	}
	if got, want := strings.TrimSpace(output.String()), strconv.FormatInt(timerSlack.Nanoseconds(), 10); got != want {
		t.Errorf("a child's timers have a slack of %s ns, want %s", got, want)
	}
	own, err := os.ReadFile("/proc/self/timerslack_ns")
	if err != nil || strings.TrimSpace(string(own)) == strconv.FormatInt(timerSlack.Nanoseconds(), 10) {
		t.Errorf("the parent's own have %s (%v)", own, err)
	}
}
