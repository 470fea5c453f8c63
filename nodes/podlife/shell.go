package podlife

import (
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"tripod/nodes/podcmd"
)

// shell reads what simple commands and scripts do, as far as that is plain: without running them, and without files but
// those that the script itself makes. What it cannot read makes all of it unreadable.
type shell struct {
	scene

	at         time.Duration
	status     int32 // of the last command
	ended      bool  // by exit or exec
	forever    bool
	unreadable bool
	slept      bool
	serving    bool // what lasts is a server, which obeys SIGTERM
	message    string
	output     []Line
	tail       string
	files      []fileChange
	depth      int
	errexit    bool
	background time.Duration // when the last command in the background ends
	lasting    bool          // one in the background never does
	drawn      int           // how often RANDOM was asked for
}

// scene is where a command runs.
type scene struct {
	vars   map[string]string
	log    string                                // the path of the termination log
	seed   uint64                                // of RANDOM
	exists func(file string) (there, known bool) // before it runs; nil: nothing is known
}

// done says that nothing follows any more.
func (s *shell) done() bool { return s.ended || s.forever || s.unreadable }

// quick are commands that take no time and succeed, whatever their arguments.
var quick = []string{"true", ":", "cd", "export", "umask", "date", "hostname", "whoami", "id", "uname", "pwd",
	"mkdir", "chmod", "chown", "sync", "trap", "unset", "readonly", "local", "printenv", "ls"}

// wait does what waits for the commands in the background.
func (s *shell) wait() {
	s.forever, s.status = s.lasting, 0
	s.at = max(s.at, s.background)
}

// simple does a command of words that are expanded already, without redirections.
func (s *shell) simple(words []string) {
	if len(words) == 0 || s.done() {
		return
	}
	name, args := path.Base(words[0]), words[1:]
	switch name {
	case "sleep", "usleep":
		s.sleep(args)
	case "tail":
		if slices.Contains(args, "/dev/null") && (slices.Contains(args, "-f") || slices.Contains(args, "-F")) {
			s.forever = true
		} else {
			s.unreadable = true
		}
	case "pause":
		s.forever = true
	case "wait":
		s.wait()
	case "exit", "return":
		s.exit(args)
	case "false":
		s.status = 1
	case "echo", "printf":
		s.echo(name, args)
	case "exec":
		if len(args) > 0 {
			s.simple(args)
			s.ended = true
		}
	case "sh", "bash", "ash", "dash":
		s.script(args)
	case "set":
		s.errexit = s.errexit || len(args) > 0 && strings.HasPrefix(args[0], "-") && strings.Contains(args[0], "e")
		s.status = 0
	case "touch":
		s.change(args, true)
	case "rm":
		s.change(args, false)
	case "cat", "test", "[", "[[":
		s.test(name, args)
	case "agnhost", "agnhost-2":
		s.played(words)
	case "timeout", "tini", "dumb-init", "nice", "env":
		s.wrapped(name, args)
	default:
		if slices.Contains(quick, name) {
			s.status = 0
		} else {
			s.unreadable = true
		}
	}
}

func (s *shell) sleep(args []string) {
	d, forever, ok := sleepTime(args)
	if !ok {
		s.unreadable = true
		return
	}
	s.forever, s.status = forever, 0
	s.at += d
	s.slept = true
}

func (s *shell) exit(args []string) {
	s.ended = true
	if len(args) == 0 {
		return
	}
	code, err := strconv.Atoi(args[0])
	if err != nil {
		s.unreadable = true
		return
	}
	s.status = int32(code & 0xff)
}

// wrapped does the command that another one starts.
func (s *shell) wrapped(name string, args []string) {
	for len(args) > 0 && (strings.HasPrefix(args[0], "-") || name == "env" && strings.Contains(args[0], "=")) {
		args = args[1:]
	}
	if name == "env" && len(args) == 0 {
		s.status = 0
		return
	}
	if name == "timeout" {
		if len(args) < 2 {
			s.unreadable = true
			return
		}
		limit, never, ok := sleepTime(args[:1])
		before := s.at
		s.simple(args[1:])
		if ok && !never && !s.unreadable && (s.forever || s.at-before > limit) {
			s.forever, s.at, s.status = false, before+limit, 124
		}
		return
	}
	if len(args) == 0 {
		s.unreadable = true
		return
	}
	s.simple(args)
}

// script does what `sh -c SCRIPT` does.
func (s *shell) script(args []string) {
	for i, arg := range args {
		if !strings.HasPrefix(arg, "-") {
			break
		}
		s.errexit = s.errexit || strings.Contains(arg, "e") && !strings.HasPrefix(arg, "--")
		if !strings.HasPrefix(arg, "--") && strings.Contains(arg, "c") {
			if i+1 < len(args) {
				outer := s.errexit
				s.runScript(args[i+1])
				s.ended, s.errexit = false, outer
				return
			}
			break
		}
	}
	s.unreadable = true // a shell without a script, or with one in a file
}

func (s *shell) echo(name string, args []string) {
	if text, ok := echoed(name, args); ok {
		s.status = 0
		s.print(text, "", false)
	} else {
		s.unreadable = true
	}
}

// echoed is what echo or printf prints.
func echoed(name string, args []string) (string, bool) {
	switch {
	case name == "echo":
		return podcmd.Echo(args), true
	case len(args) == 0:
		return "", false
	}
	return podcmd.Printf(args[0], args[1:])
}

// maxOutput is how many lines of output are kept: a script that prints in a loop must not fill the memory.
const maxOutput = 200

// print puts text where it goes: to the output, or to a file.
func (s *shell) print(text, file string, add bool) {
	text = strings.ReplaceAll(text, unknownMark, "")
	switch {
	case file == "" || file == "/dev/stdout" || file == "/dev/stderr" || file == "/proc/1/fd/1":
		s.tail += text
		s.tail = s.tail[max(0, len(s.tail)-mostMessage):]
		for line := range strings.SplitSeq(strings.TrimSuffix(text, "\n"), "\n") {
			if len(s.output) < maxOutput {
				s.output = append(s.output, Line{s.at, line})
			}
		}
	case file == s.log:
		if !add {
			s.message = ""
		}
		s.message += text
	default:
		s.files = append(s.files, fileChange{s.at, file, true})
	}
}

func (s *shell) change(files []string, there bool) {
	s.status = 0
	for _, file := range files {
		if !strings.HasPrefix(file, "-") {
			s.files = append(s.files, fileChange{s.at, file, there})
		}
	}
}

// test does cat and test, of files that the script has made.
func (s *shell) test(name string, args []string) {
	if name == "[" || name == "[[" {
		if len(args) == 0 || args[len(args)-1] != map[string]string{"[": "]", "[[": "]]"}[name] {
			s.unreadable = true
			return
		}
		args = args[:len(args)-1]
	}
	negate := false
	if name != "cat" && len(args) > 0 && args[0] == "!" {
		negate, args = true, args[1:]
	}
	for _, arg := range args {
		if strings.Contains(arg, unknownMark) {
			s.unreadable = true
			return
		}
	}
	truth, known := s.truth(name, args)
	if !known {
		s.unreadable = true
		return
	}
	s.status = 0
	if truth == negate {
		s.status = 1
	}
}

func (s *shell) truth(name string, args []string) (truth, known bool) {
	switch {
	case name == "cat" && len(args) == 1:
		return s.isThere(args[0])
	case len(args) == 1:
		return args[0] != "", true
	case len(args) == 2 && slices.Contains([]string{"-e", "-f", "-r", "-s", "-d"}, args[0]):
		return s.isThere(args[1])
	case len(args) == 2 && args[0] == "-z":
		return args[1] == "", true
	case len(args) == 2 && args[0] == "-n":
		return args[1] != "", true
	case len(args) == 3 && (args[1] == "=" || args[1] == "=="):
		return args[0] == args[2], true
	case len(args) == 3 && args[1] == "!=":
		return args[0] != args[2], true
	case len(args) == 3:
		return compare(args[0], args[1], args[2])
	}
	return false, false
}

func compare(left, op, right string) (truth, known bool) {
	l, err := strconv.Atoi(left)
	if err != nil {
		return false, false
	}
	r, err := strconv.Atoi(right)
	if err != nil {
		return false, false
	}
	switch op {
	case "-eq":
		return l == r, true
	case "-ne":
		return l != r, true
	case "-lt":
		return l < r, true
	case "-le":
		return l <= r, true
	case "-gt":
		return l > r, true
	case "-ge":
		return l >= r, true
	}
	return false, false
}

// isThere says whether a file is there: one that the script has made or removed, or one of before.
func (s *shell) isThere(file string) (there, known bool) {
	if file == "/dev/null" {
		return true, true
	}
	for i := len(s.files) - 1; i >= 0; i-- {
		if s.files[i].path == file {
			return s.files[i].there, true
		}
	}
	if s.exists == nil {
		return false, false
	}
	return s.exists(file)
}
