package iam

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"tripod/region"
	"tripod/state"
)

// Bindings are the unique ids of the users, roles and sessions that a resource's policy names, by its elements. They
// were looked up when the policy was stored, as in AWS: whoever is made anew under a name that the policy has is not
// whom it means ("AWS JSON policy elements: Principal" of the IAM user guide).
type Bindings map[string]string

// Bind looks up whom a policy names in the account. unknown are the elements that name a user or role who is not there,
// or nobody that a policy can name, sorted, each as it is written.
func Bind(tx *state.Txn, accountID string, d *Document) (bound Bindings, unknown []string) {
	bound = Bindings{}
	for _, element := range d.principals(kindAWS) {
		id, known := BindOne(tx, accountID, element)
		switch {
		case !known:
			unknown = append(unknown, element)
		case id != "":
			bound[element] = id
		}
	}
	return bound, unknown
}

// TrustOf is a role's trust policy, of those whom it named when it was stored.
func TrustOf(role region.Role) (*Document, error) {
	d, err := ParseTrust(role.TrustPolicy)
	if err != nil { // it was valid when it was stored
		return nil, fmt.Errorf("trust policy of role %s: %w", role.Name, err)
	}
	return Bindings(role.TrustIDs).With(d), nil
}

// principals are the elements of one kind that the statements name, sorted.
func (d *Document) principals(kind string) []string {
	var all []string
	for _, s := range d.Statements {
		all = append(append(all, s.Principals[kind]...), s.NotPrincipals[kind]...)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// BindOne is the unique id of whom an element names, and whether it is one that a policy can have. Accounts, federated
// users and whoever is in another account, which nobody can look up here, have no id.
func BindOne(tx *state.Txn, accountID, element string) (id string, known bool) {
	if element == "*" || isAccount(element) {
		return "", true
	}
	if !strings.HasPrefix(element, "arn:") {
		arn := arnOfID(tx, element)
		return element, arn != ""
	}
	parts := strings.SplitN(element, ":", 6)
	if len(parts) != 6 || parts[1] != "aws" || parts[3] != "" || !isAccount(parts[4]) ||
		strings.ContainsAny(parts[5], "*?") {
		return "", false
	}
	kind, name, _ := strings.Cut(parts[5], "/")
	switch own := parts[4] == accountID; {
	case parts[2] == "iam" && parts[5] == "root":
		return "", true
	case parts[2] == "sts" && kind == "federated-user" && name != "":
		return "", true
	case parts[2] == "sts" && kind == "assumed-role":
		role, session, found := strings.Cut(name, "/")
		if !found || role == "" || session == "" || !own {
			return "", found && role != "" && session != ""
		}
		record, found := region.Roles.Get(tx, role)
		return record.ID + ":" + session, found
	case parts[2] == "iam" && (kind == "user" || kind == "role") && name != "":
		if !own {
			return "", true
		}
		p, found := PrincipalOf(tx, element)
		return p.UserID, found
	}
	return "", false
}

func isAccount(text string) bool {
	return len(text) == 12 && strings.Trim(text, "0123456789") == ""
}

// With is the document with unique ids where it names those who are bound. Elements of a policy that was stored before
// ids were looked up stay as they are.
func (b Bindings) With(d *Document) *Document {
	if len(b) == 0 {
		return d
	}
	out := *d
	out.Statements = slices.Clone(d.Statements)
	for i, s := range out.Statements {
		out.Statements[i].Principals, out.Statements[i].NotPrincipals = b.replace(s.Principals), b.replace(s.NotPrincipals)
	}
	return &out
}

func (b Bindings) replace(elements map[string][]string) map[string][]string {
	if len(elements[kindAWS]) == 0 {
		return elements
	}
	out := maps.Clone(elements)
	out[kindAWS] = slices.Clone(out[kindAWS])
	for i, element := range out[kindAWS] {
		if id := b[element]; id != "" {
			out[kindAWS][i] = id
		}
	}
	return out
}

// Shown is the policy's text as AWS shows it: whom it names by their ARNs of today, and by their unique ids where they
// are gone.
func (b Bindings) Shown(tx *state.Txn, text string) string {
	now := make(map[string]string, len(b))
	for element, id := range b {
		if today := ShownAs(tx, element, id); today != element {
			now[element] = today
		}
	}
	if len(now) == 0 {
		return text
	}
	return replaceElements(text, now)
}

// ShownAs is how AWS shows an element that was bound to a unique id: by the ARN of today, and by the id where nobody
// has it any more.
func ShownAs(tx *state.Txn, element, id string) string {
	if id == "" {
		return element
	}
	if today, known := BindOne(tx, accountOf(element), element); known && today == id &&
		strings.HasPrefix(element, "arn:") {
		return element // found by its name, which is quick
	}
	if arn := arnOfID(tx, id); arn != "" {
		return arn
	}
	return id
}

// arnOfID is the ARN of the user, role or role's session with that unique id; empty where there is none. It reads all
// of them.
func arnOfID(tx *state.Txn, id string) string {
	id, session, _ := strings.Cut(id, ":")
	switch {
	case strings.HasPrefix(id, "AIDA"):
		if user, found := userWithID(tx, id); found && session == "" {
			return user.ARN
		}
	case strings.HasPrefix(id, "AROA"):
		for _, role := range region.Roles.Part("").After(tx, "") {
			switch {
			case role.ID == id && session == "":
				return role.ARN
			case role.ID == id:
				return "arn:aws:sts::" + accountOf(role.ARN) + ":assumed-role/" + role.Name + "/" + session
			}
		}
	}
	return ""
}

// userWithID is the user with that unique id. It reads all of them.
func userWithID(tx *state.Txn, id string) (region.User, bool) {
	for _, user := range region.Users.Part("").After(tx, "") {
		if user.ID == id {
			return user, true
		}
	}
	return region.User{}, false
}

// replaceElements writes other elements where the policy's text names AWS principals, and leaves everything else as it
// is, white space too. The text is a policy that was parsed.
func replaceElements(text string, by map[string]string) string {
	var (
		out     strings.Builder
		path    []string // the names of the objects' members around a token; empty for a list
		pending bool     // the next string of an object is a member's name
		copied  int
		stack   []bool // is it an object
	)
	dec := json.NewDecoder(strings.NewReader(text))
	for {
		before := dec.InputOffset()
		token, err := dec.Token()
		if err != nil {
			break
		}
		value, isText := token.(string)
		switch {
		case token == json.Delim('{'), token == json.Delim('['):
			pending = token == json.Delim('{')
			stack, path = append(stack, pending), append(path, "")
			continue
		case token == json.Delim('}'), token == json.Delim(']'):
			stack, path = stack[:len(stack)-1], path[:len(path)-1]
		case isText && pending:
			path[len(path)-1], pending = value, false
			continue
		case isText && namesAWS(path):
			if other, found := by[value]; found {
				start := int(before) + strings.IndexByte(text[before:], '"')
				out.WriteString(text[copied:start])
				out.Write(quoted(other))
				copied = int(dec.InputOffset())
			}
		}
		pending = len(stack) > 0 && stack[len(stack)-1]
	}
	return out.String() + text[copied:]
}

// namesAWS says whether the members around a text are those of a principal's AWS element, alone or in a list.
func namesAWS(path []string) bool {
	var names []string
	for _, name := range path {
		if name != "" {
			names = append(names, name)
		}
	}
	return len(names) == 3 && names[0] == "Statement" && (names[1] == "Principal" || names[1] == "NotPrincipal") &&
		names[2] == kindAWS
}

func quoted(text string) []byte {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(text) // a string can always be written
	return bytes.TrimSpace(b.Bytes())
}
