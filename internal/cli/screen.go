package cli

import (
	"context"
	"os"
	"strings"
	"sync"
	"unicode/utf8"

	"golang.org/x/sys/unix"
	"golang.org/x/term"
)

// keyWait is how long, in milliseconds, the wait for a key lasts before it looks whether it is still wanted.
const keyWait = 100

// screen is a terminal taken over for a full-screen view: raw keys, the alternate screen, no cursor.
type screen struct {
	in, out *os.File
	state   *term.State
	once    sync.Once
}

func openScreen(in, out *os.File) (*screen, error) {
	state, err := term.MakeRaw(int(in.Fd()))
	if err != nil {
		return nil, err
	}
	s := &screen{in: in, out: out, state: state}
	if _, err := out.WriteString("\x1b[?1049h\x1b[?25l\x1b[2J"); err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

// Close gives the terminal back as it was. It may be called more than once.
func (s *screen) Close() {
	s.once.Do(func() {
		_, _ = s.out.WriteString("\x1b[?25h\x1b[?1049l")
		_ = term.Restore(int(s.in.Fd()), s.state)
	})
}

// closeOnPanic is deferred by goroutines beside the screen's owner: their panic ends the process before the owner's
// defers run.
func (s *screen) closeOnPanic() {
	if r := recover(); r != nil {
		s.Close()
		panic(r)
	}
}

// Draw shows the lines from the top. Each is written over the old one in one go, so that nothing flickers.
func (s *screen) Draw(lines []string, width int, colours bool) {
	var b strings.Builder
	b.WriteString("\x1b[?7l\x1b[H") // no wrapping: a terminal that just shrank would scroll
	for i, line := range lines {
		line = clip(line, width)
		full := utf8.RuneCountInString(line) == width
		if colours {
			line = paint(line)
		}
		b.WriteString(line)
		if !full { // the cursor would stand on the last character, and take it along
			b.WriteString("\x1b[K")
		}
		if i < len(lines)-1 {
			b.WriteString("\r\n")
		}
	}
	b.WriteString("\x1b[?7h")
	_, _ = s.out.WriteString(b.String())
}

// awaitQuit returns when q, Ctrl-C or Ctrl-D is typed, the terminal is gone, or ctx ends. A read could not be given up,
// so it reads only what is there.
func (s *screen) awaitQuit(ctx context.Context) {
	keys := make([]byte, 64)
	for ctx.Err() == nil {
		ready := []unix.PollFd{{Fd: int32(s.in.Fd()), Events: unix.POLLIN}}
		n, err := unix.Poll(ready, keyWait)
		if n == 0 || err == unix.EINTR {
			continue
		}
		if err != nil {
			return
		}
		n, err = s.in.Read(keys)
		if err != nil || n == 0 || strings.ContainsAny(string(keys[:n]), "qQ\x03\x04") {
			return
		}
	}
}
