package podcmd

import (
	"errors"
	"io"
	"strings"
	"time"
)

// Scene is where and when a command runs that only seems to run: its output follows from the times.
type Scene struct {
	Start time.Time // of the command
	Until time.Time // how far to look
	// From is from when on the output matters; of endless loops what was long before is left out.
	From     time.Time
	Env      []string // NAME=value
	Hostname string
	User     User
	// File is a file as it is at a time; nil: there are no files.
	File func(name string, at time.Time) (File, bool)
}

// Line is what a command has written up to a line's end.
type Line struct {
	At     time.Time
	Text   string
	Stderr bool
}

// Outcome is how far a command has come.
type Outcome struct {
	Lines []Line // by time; at most the last 10,000
	// Ended says that it has, with ExitCode, at At. Else it does next something at At, which is far away where it only
	// waits.
	Ended    bool
	ExitCode int
	At       time.Time
}

const mostLines = 10_000

// errLater is where a command sleeps beyond the time that is looked at.
var errLater = errors.New("later")

// Play says what a command has written until then and whether it has ended, without doing it: time passes by itself.
// The error is ErrUnreadable where only now it shows that the command is not plain, or that it does too much.
func (c Command) Play(scene Scene) (Outcome, error) {
	p := &playing{Scene: scene, now: scene.Start}
	code, err := c.Run(p)
	if errors.Is(err, errLater) {
		return Outcome{Lines: p.lines, At: p.next}, nil
	}
	if err != nil {
		return Outcome{Lines: p.lines, At: p.now}, err
	}
	for i, rest := range p.rest {
		if rest != "" {
			p.add(Line{p.now, rest, i == 1})
		}
	}
	return Outcome{Lines: p.lines, Ended: true, ExitCode: code, At: p.now}, nil
}

// playing is a Host whose clock is the command's own.
type playing struct {
	Scene
	now, next time.Time
	lines     []Line
	rest      [2]string // of stdout and stderr: what is not a whole line yet
}

func (p *playing) Now() time.Time   { return p.now }
func (p *playing) Env() []string    { return p.Scene.Env }
func (p *playing) Hostname() string { return p.Scene.Hostname }
func (p *playing) User() User       { return p.Scene.User }
func (p *playing) Input() io.Reader { return nil }

func (p *playing) File(name string) (File, bool) {
	if p.Scene.File == nil {
		return File{}, false
	}
	return p.Scene.File(name, p.now)
}

func (p *playing) Sleep(d time.Duration) error {
	if p.next = p.now.Add(d); p.next.After(p.Until) {
		return errLater
	}
	p.now = p.next
	return nil
}

// Skip jumps to shortly before what matters.
func (p *playing) Skip(turn time.Duration) int {
	n := max(0, int(p.From.Sub(p.now)/turn)-1)
	p.now = p.now.Add(time.Duration(n) * turn)
	return n
}

func (p *playing) Output(text string, stderr bool) error {
	i := 0
	if stderr {
		i = 1
	}
	text = p.rest[i] + text
	for {
		line, after, whole := strings.Cut(text, "\n")
		if !whole {
			break
		}
		p.add(Line{p.now, line, stderr})
		text = after
	}
	if len(text) > mostVariable {
		return errTooLong
	}
	p.rest[i] = text
	return nil
}

func (p *playing) add(l Line) {
	if l.At.Before(p.From) {
		return
	}
	if len(p.lines) >= 2*mostLines {
		p.lines = append(p.lines[:0], p.lines[mostLines:]...)
	}
	p.lines = append(p.lines, l)
}
