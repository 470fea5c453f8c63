package bundle

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// removed stands where a secret was.
const removed = "REMOVED"

// leastSecret is how long a value is that is looked for everywhere: shorter ones are words, too.
const leastSecret = 8

// A scrubber takes secrets out of text: those that are known, as they stand in the data directory, and whatever has the form of one.
type scrubber struct {
	known *strings.Replacer
	taken int // secrets taken out
}

// newScrubber knows the secrets of a data directory.
func newScrubber(dataDir string) (*scrubber, error) {
	found, names := map[string]bool{}, map[string]bool{}
	err := filepath.WalkDir(dataDir, func(path string, entry fs.DirEntry, err error) error {
		if entry != nil {
			names[entry.Name()] = true
		}
		switch {
		case errors.Is(err, fs.ErrNotExist): // a region that runs deletes files
			return nil
		case err != nil:
			return err
		case entry.IsDir() && slices.Contains(notLookedInto, entry.Name()):
			return fs.SkipDir
		case !entry.Type().IsRegular() || !slices.Contains([]string{".json", ".token", ""}, filepath.Ext(path)):
			return nil
		}
		return readSecrets(path, found)
	})
	if err != nil {
		return nil, err
	}
	// The token of etcd's members is the cluster's id, by which its files are called: no secret.
	maps.DeleteFunc(found, func(secret string, _ bool) bool { return names[secret] })
	// A replacer takes the first of its pairs that fits: of two secrets that begin alike that has to be the longer one.
	secrets := slices.SortedFunc(maps.Keys(found), func(a, b string) int { return cmp.Or(len(b)-len(a), strings.Compare(a, b)) })
	var pairs []string
	for _, secret := range secrets {
		pairs = append(pairs, secret, removed)
	}
	return &scrubber{known: strings.NewReplacer(pairs...)}, nil
}

// notLookedInto are directories of data, not of settings: etcd's and raft's, disks', nodes'.
var notLookedInto = []string{"etcd", "raft", "volumes", "filesystems", "nodes", "logs", "chaos", "logevents"}

// readSecrets adds the secrets of a file: the values of JSON's members that are called like one, and a file that is called like one as
// a whole.
func readSecrets(path string, found map[string]bool) error {
	const mostSettings = 4 << 20
	info, err := os.Stat(path)
	if err != nil || info.Size() > mostSettings {
		return nil
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil // it is gone, or somebody else's
	}
	if secretName.MatchString(strings.TrimSuffix(filepath.Base(path), ".json")) {
		add(found, strings.TrimSpace(string(text)))
	}
	var value any
	if json.Unmarshal(text, &value) == nil {
		addMembers(found, value, false)
	}
	return nil
}

var secretName = regexp.MustCompile(`(?i)secret|password|passwd|token|privatekey|private_key|authorization`)

func addMembers(found map[string]bool, value any, secret bool) {
	switch value := value.(type) {
	case map[string]any:
		for name, of := range value {
			addMembers(found, of, secret || secretName.MatchString(name))
		}
	case []any:
		for _, of := range value {
			addMembers(found, of, secret)
		}
	case string:
		if secret {
			add(found, value)
		}
	}
}

func add(found map[string]bool, secret string) {
	if len(secret) >= leastSecret && !strings.Contains(secret, "\n") && !isPath(secret) {
		found[secret] = true
	}
}

// isPath says whether a value is the name of a file that there is, as of a token's. Secrets in base64 begin with a slash, too.
func isPath(value string) bool {
	if !filepath.IsAbs(value) || strings.Count(value, "/") < 2 {
		return false
	}
	_, err := os.Lstat(value)
	return err == nil
}

// forms are those of secrets, with what is left of them. One is looked for in lines that have one of its hints, in small letters: most
// lines have none, and to look for a word is fast.
var forms = []struct {
	hints []string
	form  *regexp.Regexp
	left  string
}{
	{[]string{".ey"}, regexp.MustCompile(`\bey[A-Za-z0-9_-]{10,}\.ey[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]*`), removed}, // a web token
	{[]string{"k8s-aws-v1."}, regexp.MustCompile(`\bk8s-aws-v1\.[A-Za-z0-9_=-]+`), "k8s-aws-v1." + removed},        // EKS's
	{[]string{"bearer", "basic"}, regexp.MustCompile(`(?i)\b(Bearer|Basic)(\s+)[A-Za-z0-9._~+/=-]{6,}`), "${1}${2}" + removed},
	// a signed call's
	{[]string{"signature=", "x-amz-"},
		regexp.MustCompile(`(?i)(\bSignature=|X-Amz-(?:Signature|Security-Token)=)[^&\s",;]+`), "${1}" + removed},
	{[]string{"://"}, regexp.MustCompile(`(://[^/\s:@"]+:)[^/\s@"]+@`), "${1}" + removed + "@"}, // a URL's
	// a named value
	{[]string{"secret", "passw", "token", "key", "authorization"}, regexp.MustCompile(`(?i)((?:secret[a-z_-]*key|secret|password|passwd|` +
		`session_?token|access_?token|[a-z_-]*token|private_?key|client-key-data|authorization)\\?"?\s*[:=]\s*\\?"?)([^\s"\\,;&}]{4,})`),
		"${1}" + removed},
	{[]string{"private key-----"}, regexp.MustCompile(`-----BEGIN [A-Z ]*PRIVATE KEY-----.*`), removed},
}

// keyEnd is the last line of a private key, of which all lines are taken out.
var keyBegin, keyEnd = []byte("PRIVATE KEY-----"), []byte("-----END ")

// copy copies lines from r to w without their secrets.
func (s *scrubber) copy(w io.Writer, r io.Reader) error {
	lines := bufio.NewReaderSize(r, 64<<10)
	inKey := false
	for {
		line, err := lines.ReadBytes('\n')
		begins := bytes.Contains(line, []byte("-----BEGIN ")) && bytes.Contains(line, keyBegin) && !bytes.Contains(line, keyEnd)
		if !inKey && len(line) > 0 {
			if _, err := io.WriteString(w, s.line(string(line))); err != nil {
				return err
			}
		}
		inKey = begins || inKey && !bytes.Contains(line, keyEnd)
		if errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
	}
}

func (s *scrubber) line(line string) string {
	body := strings.TrimRight(line, "\n")
	end := line[len(body):]
	clean := s.known.Replace(body)
	small := strings.ToLower(body)
	for _, f := range forms {
		if slices.ContainsFunc(f.hints, func(hint string) bool { return strings.Contains(small, hint) }) {
			clean = f.form.ReplaceAllString(clean, f.left)
		}
	}
	if clean != body {
		s.taken += max(1, strings.Count(clean, removed)-strings.Count(body, removed))
	}
	return clean + end
}
