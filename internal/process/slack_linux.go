package process

import (
	"os/exec"
	"runtime"
	"time"

	"golang.org/x/sys/unix"
)

// timerSlack is how much later than asked for the kernel may wake a child for a timer, so that one wake-up serves many
// of them: prctl(2), PR_SET_TIMERSLACK. Input and output are not affected. A region's processes have hundreds of
// tickers of half a second and more, and Go's own monitor thread asks for 20 µs each time something happened: with the
// kernel's default of 50 µs each of these is a wake-up of its own, and that is half of what an idle region costs. On a
// busy processor the kernel looks at its timers at every tick, and the slack hardly shows.
const timerSlack = 20 * time.Millisecond

// StartCalmly starts a command whose timers have slack. A child inherits it from the thread that starts it, over exec
// too.
func StartCalmly(cmd *exec.Cmd) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	before, err := unix.PrctlRetInt(unix.PR_GET_TIMERSLACK, 0, 0, 0, 0)
	if err == nil && unix.Prctl(unix.PR_SET_TIMERSLACK, uintptr(timerSlack.Nanoseconds()), 0, 0, 0) == nil {
		defer unix.Prctl(unix.PR_SET_TIMERSLACK, uintptr(before), 0, 0, 0)
	}
	return cmd.Start()
}
