// Package podcmd reads the plain commands that containers of simulated pods are given, and does what they say: echo,
// sleep, exit, date and the like, and sh -c of these with ;, &&, ||, |, variables, for loops and endless while loops. It
// knows what the subcommands of agnhost print, the image of Kubernetes' own tests, and where it runs for somebody (Networked)
// curl, wget, nc, nslookup and dig. It starts no process and touches no file of this machine.
package podcmd

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"
	"time"
)

// ErrUnreadable is why a command is none that this package knows.
var ErrUnreadable = errors.New("not a plain command")

// Host is where a command runs.
type Host interface {
	Now() time.Time
	// Sleep returns after d. Its error ends the command, and is Run's.
	Sleep(d time.Duration) error
	// Output takes what the command writes. Its error ends the command, and is Run's.
	Output(text string, stderr bool) error
	// Input is what cat without files reads; nil is empty.
	Input() io.Reader
	// Env are the container's variables, as NAME=value.
	Env() []string
	Hostname() string
	// User is who the command runs as.
	User() User
	// File is a file of the container, or a directory; false: there is none.
	File(name string) (File, bool)
}

// Mover is a Host whose files can be moved.
type Mover interface {
	// Move moves a file, into to where that is a directory, and answers where it is then. Its error is ErrUnknownFile, or
	// says that the file is not there.
	Move(from, to string) (string, error)
}

// ErrUnknownFile is of a file of which the host does not know whether it is there: the command is not plain then.
var ErrUnknownFile = errors.New("not a file that is known")

// User is a user and its groups, by their numbers; the zero value is root.
type User struct {
	UID, GID int64
	Groups   []int64 // beside GID
}

// File is what a container finds at a path.
type File struct {
	Content  string
	Mode     fs.FileMode // with fs.ModeDir: it is a directory
	UID, GID int64       // of its owner
	InMemory bool        // it is in a tmpfs, and not on the node's disk
}

// Command is a command that can be run.
type Command struct{ list list }

// Parse reads a command and its arguments. Of what it does not know, it knows nothing: the error is ErrUnreadable then.
func Parse(argv []string) (Command, error) {
	if len(argv) == 0 {
		return Command{}, fmt.Errorf("%w: it is empty", ErrUnreadable)
	}
	if script, ok := scriptOf(argv); ok {
		parsed, err := parseScript(script)
		return Command{parsed}, err
	}
	var words []word
	for _, arg := range argv {
		words = append(words, word{{text: arg, quoted: true}})
	}
	one := simple{words: words}
	if err := one.check(); err != nil {
		return Command{}, err
	}
	return Command{list{{{node: &one}}}}, nil
}

// scriptOf is the script of sh -c, and of bash and ash alike; options such as -e and -x come before it.
func scriptOf(argv []string) (script string, ok bool) {
	if !slices.Contains([]string{"sh", "bash", "ash", "dash"}, path.Base(argv[0])) {
		return "", false
	}
	prefix := ""
	for i, arg := range argv[1:] {
		if !strings.HasPrefix(arg, "-") || strings.HasPrefix(arg, "--") || i+2 >= len(argv) {
			return "", false
		}
		if strings.Contains(arg, "e") {
			prefix = "set -e;"
		}
		if strings.Contains(arg, "c") {
			return prefix + argv[i+2], true
		}
	}
	return "", false
}

// Run does what the command says and returns its exit code. The error is one of host's, or that the command would not
// end, or ErrUnreadable where only now it shows that the command is not plain.
func (c Command) Run(host Host) (exitCode int, err error) {
	s := &shell{host: host, vars: map[string]string{}}
	for _, v := range host.Env() {
		name, value, _ := strings.Cut(v, "=")
		s.vars[name] = value
	}
	code, err := s.list(c.list)
	var exit exitError
	if errors.As(err, &exit) {
		return int(exit), nil
	}
	return code, err
}

// exitError is what the builtin exit does.
type exitError int

func (e exitError) Error() string { return fmt.Sprintf("exit %d", int(e)) }
