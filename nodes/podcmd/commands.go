package podcmd

import (
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

// forever is how long a command sleeps that does not end by itself.
const forever = math.MaxInt64 / 2 * time.Nanosecond

// commands by their names. An error ends the whole run.
var commands map[string]func(s *shell, to streams, argv []string) (int, error)

func init() {
	code := func(code int) func(*shell, streams, []string) (int, error) {
		return func(*shell, streams, []string) (int, error) { return code, nil }
	}
	say := func(text func(s *shell) string) func(*shell, streams, []string) (int, error) {
		return func(s *shell, to streams, _ []string) (int, error) { return 0, s.print(to, text(s)+"\n") }
	}
	rest := func(s *shell, _ streams, _ []string) (int, error) { return 0, s.host.Sleep(forever) }
	commands = map[string]func(*shell, streams, []string) (int, error){
		"true": code(0), ":": code(0), "sync": code(0), "trap": code(0), "false": code(1),
		"exit": (*shell).exit, "set": (*shell).set, "sleep": (*shell).sleep, "echo": (*shell).echo,
		"printf": (*shell).printf, "date": (*shell).date, "env": (*shell).env, "printenv": (*shell).env,
		"export": (*shell).export, "cat": (*shell).cat, "seq": (*shell).seq, "tail": (*shell).tail, "pause": rest,
		"hostname": say(func(s *shell) string { return s.host.Hostname() }),
		"whoami":   (*shell).whoami,
		"id":       (*shell).id,
		"pwd":      say(func(*shell) string { return "/" }),
		"mv":       (*shell).mv,
		"agnhost":  (*shell).agnhost, "agnhost-2": (*shell).agnhost,
		"nc": (*shell).nc, "netcat": (*shell).nc, "curl": (*shell).curl, "wget": (*shell).wget, "nslookup": (*shell).nslookup,
		"dig": (*shell).dig, "getent": (*shell).getent,
		"grep": (*shell).grep, "egrep": (*shell).grep, "head": (*shell).head, "sort": (*shell).sort, "uniq": (*shell).uniq,
		"wc": (*shell).wc, "test": (*shell).test, "[": (*shell).test,
	}
}

// number reads an argument, or says what is wrong with it as the command would.
func number(argv []string, i, otherwise int) (int, error) {
	if i >= len(argv) {
		return otherwise, nil
	}
	return strconv.Atoi(argv[i])
}

func (s *shell) exit(_ streams, argv []string) (int, error) {
	code, err := number(argv, 1, s.status)
	if err != nil {
		s.complain(2, "sh: exit: Illegal number: %s", argv[1])
		code = 2
	}
	return code & 0xff, exitError(code & 0xff)
}

// set knows the options that scripts begin with.
func (s *shell) set(_ streams, argv []string) (int, error) {
	for _, arg := range argv[1:] {
		if !strings.HasPrefix(arg, "-") && !strings.HasPrefix(arg, "+") && arg != "pipefail" {
			return 0, unreadable("set %s", arg)
		}
		if strings.HasPrefix(arg, "-") && strings.Contains(arg, "e") {
			s.errexit = true
		}
	}
	return 0, nil
}

// sleep takes seconds, with fractions, and the units s, m, h and d; "infinity" is for ever.
func (s *shell) sleep(_ streams, argv []string) (int, error) {
	if len(argv) < 2 {
		return s.complain(1, "sleep: missing operand")
	}
	total := time.Duration(0)
	for _, arg := range argv[1:] {
		d, ok := SleepTime(arg)
		if !ok {
			return s.complain(1, "sleep: invalid time interval '%s'", arg)
		}
		total = min(total+d, forever)
	}
	return 0, s.host.Sleep(total)
}

// SleepTime is how long "sleep arg" takes; an endless one takes centuries.
func SleepTime(arg string) (time.Duration, bool) {
	if arg == "infinity" || arg == "inf" {
		return forever, true
	}
	unit := time.Second
	if n := len(arg) - 1; n > 0 {
		if u, ok := map[byte]time.Duration{'s': time.Second, 'm': time.Minute, 'h': time.Hour, 'd': 24 * time.Hour}[arg[n]]; ok {
			arg, unit = arg[:n], u
		}
	}
	n, err := strconv.ParseFloat(arg, 64)
	if err != nil || n < 0 || math.IsNaN(n) {
		return 0, false
	}
	if n*float64(unit) >= float64(forever) {
		return forever, true
	}
	return time.Duration(n * float64(unit)), true
}

func (s *shell) echo(to streams, argv []string) (int, error) {
	return 0, s.print(to, Echo(argv[1:]))
}

// Echo is what echo prints of its arguments.
func Echo(args []string) string {
	end, escapes := "\n", false
	for len(args) > 0 && len(args[0]) > 1 && strings.Trim(args[0][1:], "neE") == "" && args[0][0] == '-' {
		if strings.Contains(args[0], "n") {
			end = ""
		}
		escapes = escapes || strings.Contains(args[0], "e")
		args = args[1:]
	}
	text := strings.Join(args, " ")
	if escapes {
		text = unescape(text)
	}
	return text + end
}

func unescape(text string) string {
	return strings.NewReplacer(`\\`, `\`, `\n`, "\n", `\t`, "\t", `\r`, "\r", `\033`, "\033", `\e`, "\033").Replace(text)
}

// printf, as Printf does, knows %s, %d and %%, and uses its format again while there are arguments.
func (s *shell) printf(to streams, argv []string) (int, error) {
	if len(argv) < 2 {
		return s.complain(2, "printf: usage: printf format [arguments]")
	}
	text, ok := Printf(argv[1], argv[2:])
	if !ok {
		return 1, unreadable("printf %q", argv[1])
	}
	return 0, s.print(to, text)
}

// Printf is what printf prints of a format and its arguments; false: it cannot be read.
func Printf(format string, args []string) (string, bool) {
	var b strings.Builder
	for {
		pieces, had := strings.Split(unescape(format), "%"), len(args)
		b.WriteString(pieces[0])
		for i := 1; i < len(pieces); i++ {
			piece := pieces[i]
			switch {
			case piece == "" && i+1 < len(pieces): // %%
				i++
				b.WriteString("%" + pieces[i])
			case strings.HasPrefix(piece, "s") || strings.HasPrefix(piece, "d"):
				if len(args) > 0 {
					b.WriteString(args[0])
					args = args[1:]
				} else if piece[0] == 'd' {
					b.WriteString("0")
				}
				b.WriteString(piece[1:])
			default:
				return "", false
			}
		}
		if len(args) == 0 || len(args) == had {
			return b.String(), true
		}
	}
}

// date knows -u, -I, -Iseconds and a +FORMAT of strftime's usual letters. The container's time is UTC.
func (s *shell) date(to streams, argv []string) (int, error) {
	now, layout := s.host.Now().UTC(), time.UnixDate
	for _, arg := range argv[1:] {
		switch format, isFormat := strings.CutPrefix(arg, "+"); {
		case isFormat:
			return 0, s.print(to, strftime(now, format)+"\n")
		case arg == "-Iseconds" || arg == "--iso-8601=seconds":
			layout = "2006-01-02T15:04:05+00:00"
		case arg == "-I":
			layout = time.DateOnly
		case arg == "-R":
			layout = time.RFC1123Z
		case arg != "-u" && arg != "--utc":
			return 1, unreadable("date %s", arg)
		}
	}
	return 0, s.print(to, now.Format(layout)+"\n")
}

func strftime(t time.Time, format string) string {
	return strings.NewReplacer("%%", "%", "%Y", t.Format("2006"), "%m", t.Format("01"), "%d", t.Format("02"),
		"%H", t.Format("15"), "%M", t.Format("04"), "%S", t.Format("05"), "%F", t.Format(time.DateOnly),
		"%T", t.Format(time.TimeOnly), "%s", strconv.FormatInt(t.Unix(), 10), "%N", fmt.Sprintf("%09d", t.Nanosecond()),
		"%3N", fmt.Sprintf("%03d", t.Nanosecond()/1e6), "%z", "+0000", "%Z", "UTC", "%b", t.Format("Jan"),
		"%a", t.Format("Mon"), "%j", fmt.Sprintf("%03d", t.YearDay())).Replace(format)
}

// env lists the variables, or the values of those that printenv names.
func (s *shell) env(to streams, argv []string) (int, error) {
	if len(argv) == 1 {
		var lines []string
		for name, value := range s.vars {
			lines = append(lines, name+"="+value+"\n")
		}
		slices.Sort(lines)
		return 0, s.print(to, strings.Join(lines, ""))
	}
	if commandName(argv[0]) == "env" {
		return 0, unreadable("env runs a command")
	}
	for _, name := range argv[1:] {
		value, found := s.vars[name]
		if !found {
			return 1, nil
		}
		if err := s.print(to, value+"\n"); err != nil {
			return 1, err
		}
	}
	return 0, nil
}

func (s *shell) export(_ streams, argv []string) (int, error) {
	for _, arg := range argv[1:] {
		if name, value, ok := strings.Cut(arg, "="); ok {
			s.vars[name] = value
		}
	}
	return 0, nil
}

// cat writes files, or what comes in.
func (s *shell) cat(to streams, argv []string) (int, error) {
	code := 0
	for _, name := range argv[1:] {
		file, found := s.host.File(name)
		if trouble := map[bool]string{!found: "No such file or directory", file.Mode.IsDir(): "Is a directory"}[true]; trouble != "" {
			code = 1
			if _, err := s.complain(1, "cat: %s: %s", name, trouble); err != nil {
				return 1, err
			}
			continue
		}
		if err := s.print(to, file.Content); err != nil {
			return 1, err
		}
	}
	in := s.input()
	if len(argv) > 1 || in == nil {
		return code, nil
	}
	buffer := make([]byte, 4096)
	for {
		n, err := in.Read(buffer)
		if printErr := s.print(to, string(buffer[:n])); printErr != nil {
			return 1, printErr
		}
		if err == io.EOF {
			return 0, nil
		}
		if err != nil {
			return 1, err
		}
	}
}

const mostOfSeq = 10_000

func (s *shell) seq(to streams, argv []string) (int, error) {
	first, step := 1, 1
	last, err := number(argv, len(argv)-1, 0)
	if err == nil && len(argv) > 2 {
		first, err = number(argv, 1, 1)
	}
	if err == nil && len(argv) > 3 {
		step, err = number(argv, 2, 1)
	}
	if err != nil || len(argv) < 2 || len(argv) > 4 || step < 1 || last-first > mostOfSeq*step {
		return 1, unreadable("%s", strings.Join(argv, " "))
	}
	var b strings.Builder
	for n := first; n <= last; n += step {
		fmt.Fprintln(&b, n)
	}
	return 0, s.print(to, b.String())
}

// tail knows what keeps a container alive, tail -f /dev/null, and the last lines.
func (s *shell) tail(to streams, argv []string) (int, error) {
	if len(argv) == 3 && strings.EqualFold(argv[1], "-f") && argv[2] == "/dev/null" {
		return 0, s.host.Sleep(forever)
	}
	count, files := countOf(argv[1:])
	return s.some(to, argv, count, files)
}

// mv moves one file where the host lets it, and says what busybox's does.
func (s *shell) mv(to streams, argv []string) (int, error) {
	mover, _ := s.host.(Mover)
	args, verbose := argv[1:], false
	for len(args) > 0 && strings.HasPrefix(args[0], "-") {
		if strings.Trim(args[0][1:], "fv") != "" {
			return 1, unreadable("mv %s", args[0])
		}
		verbose = verbose || strings.Contains(args[0], "v")
		args = args[1:]
	}
	if mover == nil || len(args) != 2 {
		return 1, unreadable("%s", strings.Join(argv, " "))
	}
	moved, err := mover.Move(args[0], args[1])
	switch {
	case errors.Is(err, ErrUnknownFile):
		return 1, unreadable("mv of %s: %v", args[0], err)
	case err != nil:
		return s.complain(1, "mv: can't rename '%s': No such file or directory", args[0])
	case verbose:
		return 0, s.print(to, fmt.Sprintf("'%s' -> '%s'\n", args[0], moved))
	}
	return 0, nil
}

// idName is a user or group as id shows it: of those that every image has, only root is known.
func idName(n int64) string {
	if n == 0 {
		return "0(root)"
	}
	return strconv.FormatInt(n, 10)
}

// id knows -u and -g beside the whole line.
func (s *shell) id(to streams, argv []string) (int, error) {
	user := s.host.User()
	switch {
	case len(argv) == 2 && argv[1] == "-u":
		return 0, s.print(to, fmt.Sprintln(user.UID))
	case len(argv) == 2 && argv[1] == "-g":
		return 0, s.print(to, fmt.Sprintln(user.GID))
	case len(argv) > 1:
		return 1, unreadable("%s", strings.Join(argv, " "))
	}
	groups := idName(user.GID)
	for _, group := range user.Groups {
		groups += "," + idName(group)
	}
	return 0, s.print(to, fmt.Sprintf("uid=%s gid=%s groups=%s\n", idName(user.UID), idName(user.GID), groups))
}

func (s *shell) whoami(to streams, _ []string) (int, error) {
	if uid := s.host.User().UID; uid != 0 {
		return s.complain(1, "whoami: unknown uid %d", uid)
	}
	return 0, s.print(to, "root\n")
}
