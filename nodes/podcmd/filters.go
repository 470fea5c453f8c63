package podcmd

import (
	"fmt"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// read is all that a filter reads: files, or what comes in. code is not 0 where a file is not there.
func (s *shell) read(name string, files []string) (text string, code int, err error) {
	if len(files) == 0 || len(files) == 1 && files[0] == "-" {
		in := s.input()
		if in == nil {
			return "", 0, nil
		}
		all, err := io.ReadAll(io.LimitReader(in, mostBody))
		return string(all), 0, err
	}
	var b strings.Builder
	for _, file := range files {
		found, there := s.host.File(file)
		if !there {
			if code, err = s.complain(1, "%s: %s: No such file or directory", name, file); err != nil {
				return "", code, err
			}
			continue
		}
		b.WriteString(found.Content)
	}
	return b.String(), code, nil
}

// linesOf are a text's, without their ends.
func linesOf(text string) []string {
	if text == "" {
		return nil
	}
	return strings.Split(strings.TrimSuffix(text, "\n"), "\n")
}

// letters takes the options of one letter from the front of arguments; false: one of them is not among known.
func letters(args []string, known string) (set, rest []string, ok bool) {
	for len(args) > 0 && len(args[0]) > 1 && args[0][0] == '-' {
		for _, letter := range args[0][1:] {
			if !strings.ContainsRune(known, letter) {
				return nil, nil, false
			}
			set = append(set, string(letter))
		}
		args = args[1:]
	}
	return set, args, true
}

// grep prints the lines that match: -v, -c, -i, -q, -o, -E and -F are known.
func (s *shell) grep(to streams, argv []string) (int, error) {
	set, args, ok := letters(argv[1:], "vciqoEFwh")
	has := func(letter string) bool { return slices.Contains(set, letter) }
	if !ok || len(args) == 0 {
		return 2, unreadable("%s", strings.Join(argv, " "))
	}
	pattern := args[0]
	switch {
	case has("F"):
		pattern = regexp.QuoteMeta(pattern)
	case !has("E"): // a basic expression has its operators behind backslashes
		pattern = strings.NewReplacer(`\(`, "(", `\)`, ")", `\|`, "|", `\+`, "+", `\?`, "?", `\{`, "{", `\}`, "}", "(", `\(`, ")", `\)`,
			"|", `\|`, "+", `\+`, "?", `\?`, "{", `\{`, "}", `\}`, `\\`, `\\`, `\.`, `\.`, `\s`, `\s`, `\w`, `\w`, `\*`, `\*`).Replace(pattern)
	}
	if has("w") {
		pattern = `\b(?:` + pattern + `)\b`
	}
	if has("i") {
		pattern = "(?i)" + pattern
	}
	matcher, err := regexp.Compile(pattern)
	if err != nil {
		return 2, unreadable("%s", strings.Join(argv, " "))
	}
	text, code, err := s.read("grep", args[1:])
	if err != nil {
		return code, err
	}
	var found []string
	for _, line := range linesOf(text) {
		switch {
		case matcher.MatchString(line) == has("v"):
		case has("o"):
			found = append(found, matcher.FindAllString(line, -1)...)
		default:
			found = append(found, line)
		}
	}
	out := joined(found)
	if has("c") {
		out = fmt.Sprintln(len(found))
	}
	if has("q") {
		out = ""
	}
	code = 0
	if len(found) == 0 {
		code = 1
	}
	return code, s.print(to, out)
}

// some are the first or last lines of a text: head and tail, with -n N, -N, and tail -n +N.
func (s *shell) some(to streams, argv []string, count string, files []string) (int, error) {
	n, err := strconv.Atoi(strings.TrimPrefix(count, "+"))
	if err != nil || n < 0 {
		return 1, unreadable("%s", strings.Join(argv, " "))
	}
	name := commandName(argv[0])
	text, code, err := s.read(name, files)
	if err != nil {
		return code, err
	}
	lines := linesOf(text)
	switch {
	case name == "head":
		lines = lines[:min(n, len(lines))]
	case strings.HasPrefix(count, "+"):
		lines = lines[min(max(n-1, 0), len(lines)):]
	default:
		lines = lines[len(lines)-min(n, len(lines)):]
	}
	return code, s.print(to, joined(lines))
}

// countOf reads how many lines head and tail are to print.
func countOf(args []string) (count string, files []string) {
	switch {
	case len(args) > 1 && args[0] == "-n":
		return args[1], args[2:]
	case len(args) > 0 && strings.HasPrefix(args[0], "-n"):
		return args[0][2:], args[1:]
	case len(args) > 0 && len(args[0]) > 1 && args[0][0] == '-':
		return args[0][1:], args[1:]
	}
	return "10", args
}

func (s *shell) head(to streams, argv []string) (int, error) {
	count, files := countOf(argv[1:])
	return s.some(to, argv, count, files)
}

// sort knows -r, -n and -u.
func (s *shell) sort(to streams, argv []string) (int, error) {
	set, files, ok := letters(argv[1:], "rnu")
	if !ok {
		return 1, unreadable("%s", strings.Join(argv, " "))
	}
	text, code, err := s.read("sort", files)
	if err != nil {
		return code, err
	}
	lines := linesOf(text)
	slices.SortStableFunc(lines, func(a, b string) int {
		if slices.Contains(set, "n") {
			if by := numberAt(a) - numberAt(b); by != 0 {
				return by
			}
		}
		return strings.Compare(a, b)
	})
	if slices.Contains(set, "r") {
		slices.Reverse(lines)
	}
	if slices.Contains(set, "u") {
		lines = slices.Compact(lines)
	}
	return code, s.print(to, joined(lines))
}

// numberAt is the number that a line begins with.
func numberAt(line string) int {
	line = strings.TrimLeft(line, " \t")
	end := 0
	for end < len(line) && (line[end] >= '0' && line[end] <= '9' || end == 0 && line[end] == '-') {
		end++
	}
	n, _ := strconv.Atoi(line[:end])
	return n
}

// uniq knows -c.
func (s *shell) uniq(to streams, argv []string) (int, error) {
	set, files, ok := letters(argv[1:], "c")
	if !ok {
		return 1, unreadable("%s", strings.Join(argv, " "))
	}
	text, code, err := s.read("uniq", files)
	if err != nil {
		return code, err
	}
	var out []string
	lines := linesOf(text)
	for i := 0; i < len(lines); {
		end := i
		for end < len(lines) && lines[end] == lines[i] {
			end++
		}
		line := lines[i]
		if len(set) > 0 {
			line = fmt.Sprintf("%7d %s", end-i, line)
		}
		out, i = append(out, line), end
	}
	return code, s.print(to, joined(out))
}

// wc knows -l, -w and -c, one at a time.
func (s *shell) wc(to streams, argv []string) (int, error) {
	set, files, ok := letters(argv[1:], "lwc")
	if !ok || len(set) != 1 || len(files) > 0 {
		return 1, unreadable("%s", strings.Join(argv, " "))
	}
	text, code, err := s.read("wc", nil)
	if err != nil {
		return code, err
	}
	n := map[string]int{"l": strings.Count(text, "\n"), "w": len(strings.Fields(text)), "c": len(text)}[set[0]]
	return code, s.print(to, fmt.Sprintln(n))
}

// test compares texts and numbers, and looks whether a file is there.
func (s *shell) test(_ streams, argv []string) (int, error) {
	args := argv[1:]
	if commandName(argv[0]) == "[" {
		if len(args) == 0 || args[len(args)-1] != "]" {
			return s.complain(2, "sh: [: missing ]")
		}
		args = args[:len(args)-1]
	}
	not := len(args) > 1 && args[0] == "!"
	if not {
		args = args[1:]
	}
	holds, known := s.holds(args)
	if !known {
		return 2, unreadable("%s", strings.Join(argv, " "))
	}
	return map[bool]int{false: 1}[holds != not], nil
}

func (s *shell) holds(args []string) (holds, known bool) {
	switch len(args) {
	case 0:
		return false, true
	case 1:
		return args[0] != "", true
	case 2:
		switch args[0] {
		case "-n":
			return args[1] != "", true
		case "-z":
			return args[1] == "", true
		case "-e", "-f", "-d", "-r", "-s":
			file, there := s.host.File(args[1])
			return there && (args[0] != "-d" || file.Mode.IsDir()) && (args[0] != "-f" || !file.Mode.IsDir()) &&
				(args[0] != "-s" || file.Content != ""), true
		}
	case 3:
		switch args[1] {
		case "=", "==":
			return args[0] == args[2], true
		case "!=":
			return args[0] != args[2], true
		}
		a, err := strconv.Atoi(args[0])
		b, errB := strconv.Atoi(args[2])
		if err == nil && errB == nil {
			holds, known = map[string]bool{"-eq": a == b, "-ne": a != b, "-lt": a < b, "-le": a <= b, "-gt": a > b, "-ge": a >= b}[args[1]]
			return holds, known
		}
	}
	return false, false
}
