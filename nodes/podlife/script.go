package podlife

import (
	"path"
	"slices"
	"strings"
)

// What bounds the reading of a script. A loop that has not ended after maxRounds is taken for one without an end.
const maxDepth, maxRounds, maxSequence = 16, 100, 1000

// runScript does a script, into s.
func (s *shell) runScript(text string) {
	if s.depth++; s.depth > maxDepth {
		s.unreadable = true
		return
	}
	defer func() { s.depth-- }()
	tokens, ok := tokens(text)
	if !ok {
		s.unreadable = true
		return
	}
	p := &reader{s: s, tokens: tokens}
	p.list(nil)
	if p.at < len(p.tokens) && !s.done() {
		s.unreadable = true
	}
}

// reader does a script's tokens one after the other.
type reader struct {
	s      *shell
	tokens []token
	at     int
	skip   bool // read on, but do nothing
}

func (r *reader) peek() (token, bool) {
	if r.at < len(r.tokens) {
		return r.tokens[r.at], true
	}
	return token{}, false
}

// keyword is the plain word that comes next, or "".
func (r *reader) keyword() string {
	t, there := r.peek()
	if !there || t.op {
		return ""
	}
	var b strings.Builder
	for _, p := range t.word {
		if p.literal {
			return ""
		}
		b.WriteString(p.text)
	}
	return b.String()
}

func (r *reader) isOp(ops ...string) bool {
	t, there := r.peek()
	return there && t.op && slices.Contains(ops, t.text)
}

func (r *reader) semicolons() {
	for r.isOp(";") {
		r.at++
	}
}

// list does commands until one of the words in until comes, or the end.
func (r *reader) list(until []string) {
	for {
		r.semicolons()
		if _, there := r.peek(); !there || r.isOp(")") || slices.Contains(until, r.keyword()) || r.s.unreadable {
			return
		}
		before, skip := *r.s, r.skip
		r.chain()
		if r.isOp("&") {
			r.at++
			r.inBackground(before, skip)
			continue
		}
		if !r.isOp(";") {
			if _, there := r.peek(); there && !r.isOp(")") && !slices.Contains(until, r.keyword()) {
				r.s.unreadable = true // pipes
				return
			}
		}
	}
}

// inBackground makes a command that was done one that goes on beside what follows.
func (r *reader) inBackground(before shell, skip bool) {
	if r.s.unreadable || skip || before.done() {
		return
	}
	r.s.background = max(r.s.background, r.s.at)
	r.s.lasting = r.s.lasting || r.s.forever
	r.s.at, r.s.status, r.s.ended, r.s.forever = before.at, 0, false, false
	r.skip = skip
}

// chain does commands that && and || connect.
func (r *reader) chain() {
	skip := r.skip
	r.command()
	for r.isOp("&&", "||") && !r.s.unreadable {
		wantsSuccess := r.tokens[r.at].text == "&&"
		r.at++
		r.semicolons()
		r.skip = skip || r.s.done() || (r.s.status == 0) != wantsSuccess
		r.command()
		r.skip = skip
		if !r.isOp("&&", "||") {
			return
		}
	}
	if r.s.errexit && !skip && r.s.status != 0 && !r.s.done() {
		r.s.ended = true
	}
}

func (r *reader) command() {
	if r.s.done() {
		r.skip = true
	}
	switch r.keyword() {
	case "if":
		r.conditional()
	case "while", "until":
		r.loop()
	case "for":
		r.each()
	case "{":
		r.at++
		r.list([]string{"}"})
		r.expect("}")
	case "case", "function", "select":
		r.s.unreadable = true
	default:
		if r.isOp("(") {
			skip, ended := r.skip, r.s.ended
			r.at++
			r.list(nil)
			if !r.isOp(")") {
				r.s.unreadable = true
				return
			}
			r.at++
			r.skip, r.s.ended = skip, ended // exit ends the subshell alone
			return
		}
		r.simple()
	}
}

func (r *reader) expect(word string) {
	if r.keyword() != word {
		r.s.unreadable = true
		return
	}
	r.at++
}

// conditional does if ...; then ...; elif ...; else ...; fi.
func (r *reader) conditional() {
	skip, taken := r.skip, false
	for {
		r.at++ // if, elif
		r.skip = skip || taken || r.s.done()
		errexit := r.s.errexit
		r.s.errexit = false
		r.list([]string{"then"})
		r.s.errexit = errexit
		holds := !skip && !taken && r.s.status == 0
		r.expect("then")
		r.skip = skip || !holds || r.s.done()
		r.list([]string{"elif", "else", "fi"})
		taken = taken || holds
		if r.keyword() != "elif" || r.s.unreadable {
			break
		}
	}
	if r.keyword() == "else" {
		r.at++
		r.skip = skip || taken || r.s.done()
		r.list([]string{"fi"})
	}
	r.expect("fi")
	r.skip = skip
}

// loop reads while and until: those that have no end, and those that end after some rounds.
func (r *reader) loop() {
	until, skip, condition := r.keyword() == "until", r.skip, r.at+1
	for round := 0; ; round++ {
		before := r.s.at
		r.at = condition
		r.list([]string{"do"})
		r.expect("do")
		r.skip = skip || r.s.done() || (r.s.status == 0) == until
		leave := r.skip
		r.list([]string{"done"})
		r.expect("done")
		r.skip = skip
		if leave || r.s.done() {
			return
		}
		if round > maxRounds || r.s.at == before && round > 2 {
			r.s.forever = true // nothing in it can end it any more
			return
		}
	}
}

// each does for VAR in WORDS; do ...; done.
func (r *reader) each() {
	r.at++
	name := r.keyword()
	r.at++
	r.expect("in")
	var values []string
	for t, there := r.peek(); there && !t.op; t, there = r.peek() {
		values = append(values, r.words(t)...)
		r.at++
	}
	r.semicolons()
	r.expect("do")
	body, skip := r.at, r.skip
	if len(values) > maxSequence {
		r.s.unreadable = true
	}
	if len(values) == 0 {
		values, r.skip = []string{""}, true
	}
	for _, value := range values {
		r.at = body
		if !r.skip {
			r.s.vars[name] = value
		}
		r.list([]string{"done"})
		if r.s.unreadable {
			return
		}
		if r.s.done() {
			r.skip = true
		}
	}
	r.expect("done")
	r.skip = skip
}

// simple does one command with its redirections.
func (r *reader) simple() {
	var words []string
	target, add, redirected := "", false, false
	for t, there := r.peek(); there; t, there = r.peek() {
		if !t.op {
			words = append(words, r.words(t)...)
			r.at++
			continue
		}
		switch t.text {
		case ">", ">>", "1>", "1>>", "2>", "2>>", "&>", "<":
			r.at++
			file, there := r.peek()
			if !there || file.op {
				r.s.unreadable = true
				return
			}
			r.at++
			if name := strings.Join(r.words(file), ""); t.text[0] == '>' || t.text[0] == '1' || t.text[0] == '&' {
				target, add, redirected = name, strings.HasSuffix(t.text, ">>"), true
			}
			continue
		case ">&1", ">&2":
			r.at++
			continue
		case "<<", "(":
			r.s.unreadable = true
		}
		break
	}
	if r.isOp("|") {
		r.pipeline(words)
		return
	}
	if r.skip || r.s.done() {
		return
	}
	r.run(words, target, add, redirected)
}

// What pipelines may be of: commands that end at once, and in the end one that succeeds whatever it reads.
var (
	pipeSources = []string{"echo", "printf", "grep", "ls", "date", "env", "printenv", "hostname", "uname", "id", "ps", "df", "seq"}
	pipeFilters = []string{"cat", "cut", "head", "sort", "uniq", "tr", "sed", "awk", "wc", "tee", "xargs"}
)

// pipeline does commands whose output goes from one to the next. What comes out in the end is not known.
func (r *reader) pipeline(words []string) {
	plain := true
	for {
		name := ""
		if len(words) > 0 {
			name = path.Base(words[0])
		}
		last := !r.isOp("|")
		plain = plain && (slices.Contains(pipeFilters, name) || !last && slices.Contains(pipeSources, name))
		if last {
			break
		}
		r.at++
		words = nil
		for t, there := r.peek(); there && !t.op; t, there = r.peek() {
			words = append(words, r.words(t)...)
			r.at++
		}
	}
	if r.skip || r.s.done() {
		return
	}
	r.s.status = 0
	r.s.unreadable = r.s.unreadable || !plain
}

func (r *reader) run(words []string, target string, add, redirected bool) {
	for len(words) > 0 && assignment(words[0]) {
		name, value, _ := strings.Cut(words[0], "=")
		r.s.vars[name] = value
		r.s.status = 0
		words = words[1:]
	}
	switch {
	case len(words) == 0 && redirected:
		r.s.print("", target, add)
		r.s.status = 0
	case len(words) == 0:
	case words[0] == "!":
		r.run(words[1:], target, add, redirected)
		r.s.status = 1 - min(1, r.s.status)
	case words[0] == "break" || words[0] == "continue":
		r.s.unreadable = true
	case redirected && (words[0] == "echo" || words[0] == "printf" || words[0] == "/bin/echo"):
		text, ok := echoed(strings.TrimPrefix(words[0], "/bin/"), words[1:])
		if !ok {
			r.s.unreadable = true
			return
		}
		r.s.status = 0
		r.s.print(text, target, add)
	default:
		r.s.simple(words)
		if redirected && target != "/dev/null" && !r.s.done() {
			r.s.print("", target, add)
		}
	}
}

func assignment(word string) bool {
	name, _, has := strings.Cut(word, "=")
	return has && name != "" && !strings.ContainsAny(name, " /-.$'\"")
}
